// Restraint toward a reference peer that sends as much as it receives. Its handler takes a message
// only when all data before it is with the program, and our acknowledgments wait in the same queue:
// a program that copies its input, as cat does, blocks once its output is full, our acknowledgments
// stay behind our data, and nothing ever moves again. So while it sends full blocks, we run no
// further ahead of what comes back than pipes and rings between us hold. spec: protocol.md 4.5, 9.2

import { NEVER, SECOND, type Nanos } from '../base/time.ts'
import { BLOCK_MAX } from './format.ts'

/** Beyond what was on its way when it began: less than one of its pipes and rings. */
const AHEAD_BYTES = 65_536
/** It sends no bulk data any more when no full block came for so long. */
const PAUSE: Nanos = 3 * SECOND

export class BothWays {
	/** Position up to which new data may be sent; Infinity: no restraint. */
	limit = Infinity
	#lead = 0
	#lastAt: Nanos = -PAUSE

	/** A block of d bytes came. received, sent: positions that the two streams have reached. */
	took(d: number, received: number, sent: number, now: Nanos): void {
		if (d === BLOCK_MAX) {
			if (this.limit === Infinity) this.#lead = sent - received
			this.#lastAt = now
		}
		if (now - this.#lastAt < PAUSE) this.limit = received + this.#lead + AHEAD_BYTES
	}

	/** When the restraint ends if nothing comes. */
	wakeAt(): Nanos {
		return this.limit === Infinity ? NEVER : this.#lastAt + PAUSE
	}

	wake(now: Nanos): void {
		if (now >= this.wakeAt()) this.limit = Infinity
	}

	/** The peer's stream is over, or the peer is of our make. */
	end(): void {
		this.limit = Infinity
	}
}
