// Spreads messages over time: a short burst after a pause, then one interval after the other.

import type { Nanos } from '../base/time.ts'
import type { Controller } from './congestion/controller.ts'
import { BLOCK_MAX, messageBytes } from './format.ts'

const FULL_BYTES = messageBytes(BLOCK_MAX)

export class Pacer {
	/** Full messages at once that the peer can take. */
	burstMax = Infinity
	readonly #control: Controller
	/** When the last message left, had it kept the pace, and what part of an interval follows it. */
	#from: Nanos = 0
	#share = 0

	constructor(control: Controller) {
		this.#control = control
	}

	/** When the next message may leave: at once sooner when the interval has become shorter. */
	get at(): Nanos {
		return this.#from + this.#share * this.#control.interval
	}

	sent(bytes: number, now: Nanos): void {
		const burst = Math.min(this.#control.burst, this.burstMax)
		this.#from = Math.max(this.at, now - (burst - 1) * this.#control.interval)
		this.#share = bytes / FULL_BYTES
	}

	/** Another path: the next message may leave at once. */
	reset(): void {
		this.#from = 0
		this.#share = 0
	}
}
