// Spreads messages over time: a short burst after a pause, then one train after the other. A train
// is what a small part of a millisecond holds: alone, each message of a fast flow would cost its
// own turn of the event loop and its own system call.

import { MILLISECOND, ZERO, type Nanos } from '../base/time.ts'
import type { Controller } from './congestion/controller.ts'
import { BLOCK_MAX, messageBytes } from './format.ts'

const FULL_BYTES = messageBytes(BLOCK_MAX)
/** What a train takes at the pace, and full messages in it: one system call's. */
const TRAIN_TIME: Nanos = MILLISECOND / 4
const TRAIN_MAX = 64

export class Pacer {
	/** Full messages at once that the peer can take. */
	burstMax = Infinity
	readonly #control: Controller
	/** When the last message left, had it kept the pace, and what part of an interval follows it. */
	#from: Nanos = ZERO
	#share = ZERO
	/** Intervals more to wait, since a train has left and the next is to be whole. */
	#rest = 0

	constructor(control: Controller) {
		this.#control = control
	}

	/** When the next message may leave: at once sooner when the interval has become shorter. */
	get at(): Nanos {
		return this.#from + (this.#share + this.#rest) * this.#control.interval
	}

	sent(bytes: number, now: Nanos): void {
		const { interval } = this.#control
		const burst = Math.min(this.#control.burst, this.burstMax)
		this.#from = Math.max(this.#from + this.#share * interval, now - (burst - 1) * interval)
		this.#share = bytes / FULL_BYTES
		this.#rest = 0
		if (interval === 0 || this.#from + this.#share * interval <= now) return
		const train = Math.min(TRAIN_TIME / interval, TRAIN_MAX, burst)
		this.#rest = Math.max(0, Math.floor(train) - 1)
	}

	/** Another path: the next message may leave at once. */
	reset(): void {
		this.#from = 0
		this.#share = 0
		this.#rest = 0
	}
}
