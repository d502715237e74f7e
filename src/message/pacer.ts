// Spreads messages over time: a short burst after a pause, then one interval after the other.

import type { Nanos } from '../base/time.ts'
import type { Controller } from './congestion/controller.ts'
import { BLOCK_MAX, messageBytes } from './format.ts'

const FULL_BYTES = messageBytes(BLOCK_MAX)

export class Pacer {
	/** When the next message may leave. */
	at: Nanos = 0
	readonly #control: Controller
	/** Full messages at once that the peer can take. */
	burstMax = Infinity

	constructor(control: Controller) {
		this.#control = control
	}

	sent(bytes: number, now: Nanos): void {
		const { interval } = this.#control
		const burst = Math.min(this.#control.burst, this.burstMax)
		const from = Math.max(this.at, now - (burst - 1) * interval)
		this.at = from + (interval * bytes) / FULL_BYTES
	}
}
