// HyStart++: leaves slow start when round trips grow, before the queue is full, and looks twice
// before it believes them. spec: RFC 9406

import { BEFORE, MILLISECOND, type Nanos } from '../../base/time.ts'

const GROWN_MIN: Nanos = 4 * MILLISECOND
const GROWN_MAX: Nanos = 16 * MILLISECOND
const GROWN_SHARE = 8
/** Samples in a round before it is judged. */
const SAMPLES = 8
/** In doubt growth is divided by this, for so many rounds. */
const CAUTION = 4
const CAUTION_ROUNDS = 5

export class HyStart {
	/** Blocks sent from here on belong to the next round. */
	#roundAt: Nanos = BEFORE
	#least: Nanos = Infinity
	#leastBefore: Nanos = Infinity
	#samples = 0
	/** In doubt: what the least round trip must stay above, and rounds left; Infinity: no doubt. */
	#doubtful: Nanos = Infinity
	#rounds = 0

	restart(): void {
		this.#roundAt = -1
		this.#least = Infinity
		this.#leastBefore = Infinity
		this.#samples = 0
		this.#doubtful = Infinity
	}

	onSample(rtt: Nanos, now: Nanos): void {
		if (this.#roundAt < 0) this.#roundAt = now
		if (rtt < this.#least) this.#least = rtt
		this.#samples++
		if (this.#samples < SAMPLES) return
		if (this.#doubtful !== Infinity) {
			if (this.#least < this.#doubtful) this.#doubtful = Infinity
			return
		}
		const share = this.#leastBefore / GROWN_SHARE
		const grown = Math.min(Math.max(share, GROWN_MIN), GROWN_MAX)
		if (this.#least < this.#leastBefore + grown) return
		this.#doubtful = this.#least
		this.#rounds = CAUTION_ROUNDS
	}

	/** Something sent at sentAt was acknowledged. True when slow start is over. */
	onRound(sentAt: Nanos, now: Nanos): boolean {
		if (this.#roundAt < 0 || sentAt < this.#roundAt) return false
		this.#roundAt = now
		this.#leastBefore = this.#least
		this.#least = Infinity
		this.#samples = 0
		if (this.#doubtful === Infinity) return false
		this.#rounds--
		return this.#rounds <= 0
	}

	growth(bytes: number): number {
		return this.#doubtful === Infinity ? bytes : bytes / CAUTION
	}
}
