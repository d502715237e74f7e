// Whether losses come from a full queue or from the path itself: a full queue shows in the
// round-trip time. It compares the present delay with the least and the most of the last while.

import { MILLISECOND, SECOND, type Nanos } from '../../base/time.ts'

/** Samples whose least is the present delay: jitter is not a queue. */
const SAMPLES = 8
/** Least and most are those of one to two such stretches. */
const MEMORY: Nanos = 20 * SECOND
/** A queue is one from here on, and from this share of the longest that was seen. */
const QUEUE_MIN: Nanos = 3 * MILLISECOND
const QUEUE_SHARE = 0.4
/** More loss than this is congestion wherever the round trips are; its average's weight. */
const LOSS_MAX = 0.1
const LOSS_WEIGHT = 1 / 512

export class QueueSense {
	/** The present delay, and the least of the samples that will make the next. */
	#present: Nanos = Infinity
	#least: Nanos = Infinity
	#samples = 0
	/** Least and most delay of this stretch and the one before. */
	#low: Nanos = Infinity
	#lowBefore: Nanos = Infinity
	#high: Nanos = 0
	#highBefore: Nanos = 0
	#stretchAt: Nanos = 0
	/** Share of messages lost, averaged over some hundred. */
	#loss = 0

	restart(): void {
		this.#present = Infinity
		this.#least = Infinity
		this.#samples = 0
		this.#low = Infinity
		this.#lowBefore = Infinity
		this.#high = 0
		this.#highBefore = 0
		this.#loss = 0
	}

	onSample(rtt: Nanos, now: Nanos): void {
		if (now - this.#stretchAt > MEMORY) {
			this.#stretchAt = now
			this.#lowBefore = this.#low
			this.#highBefore = this.#high
			this.#low = Infinity
			this.#high = 0
		}
		this.#low = Math.min(this.#low, rtt)
		this.#least = Math.min(this.#least, rtt)
		if (this.#high === 0) this.#present = this.#least
		this.#samples++
		if (this.#samples < SAMPLES) return
		this.#present = this.#least
		this.#high = Math.max(this.#high, this.#present)
		this.#least = Infinity
		this.#samples = 0
	}

	/** So many messages arrived, or were lost. */
	onAcked(messages: number): void {
		this.#loss *= (1 - LOSS_WEIGHT) ** messages
	}

	onLost(messages: number): void {
		this.#loss = 1 - (1 - this.#loss) * (1 - LOSS_WEIGHT) ** messages
	}

	/** A loss now speaks of a full queue. In doubt it does. */
	get full(): boolean {
		const low = Math.min(this.#low, this.#lowBefore)
		const high = Math.max(this.#high, this.#highBefore)
		if (this.#present === Infinity || this.#loss > LOSS_MAX) return true
		return this.#present - low > Math.max(QUEUE_MIN, QUEUE_SHARE * (high - low))
	}
}
