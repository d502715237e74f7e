// Chicago behind the sender's interface: the reference's window of 128 blocks, one block at a time,
// its interval and its timeout, and no other answer to loss than its panic.

import type { Random } from '../../base/random.ts'
import type { Nanos } from '../../base/time.ts'
import { BLOCK_MAX, messageBytes } from '../format.ts'
import { Chicago } from './chicago.ts'
import type { Controller } from './controller.ts'

/** Blocks that the reference has sent and not yet forgotten, at most. spec: protocol.md 4.8 */
const BLOCKS = 128

export class ChicagoControl implements Controller {
	readonly window = BLOCKS * messageBytes(BLOCK_MAX)
	readonly burst = 1
	readonly #random: Random
	#chicago: Chicago

	constructor(random: Random, now: Nanos) {
		this.#random = random
		this.#chicago = new Chicago(random, now)
	}

	get interval(): Nanos {
		return this.#chicago.nanosPerBlock
	}

	get timeout(): Nanos {
		return this.#chicago.rttTimeout
	}

	onSample(rtt: Nanos, _smoothed: Nanos, now: Nanos): void {
		// Only a simulated path answers within no time; an interval of 0 would mean "unpaced".
		this.#chicago.onSample(Math.max(1, rtt), now)
	}

	onRetransmit(now: Nanos): void {
		this.#chicago.onRetransmit(now)
	}

	onNewPath(now: Nanos): void {
		this.#chicago = new Chicago(this.#random, now)
	}

	onAcked(): void {}

	onLost(): void {}

	onPersistent(): void {}

	onSpurious(): void {}
}
