// Whether losses come from a full queue or from the path itself: a full queue shows in the
// round-trip time. It compares the present delay with the least and the most of the last while.

import { MILLISECOND, SECOND, ZERO, type Nanos } from '../../base/time.ts'

/** Samples whose least is the present delay: jitter is not a queue. */
const SAMPLES = 8
/** Least and most are those of one to two such stretches. */
const MEMORY: Nanos = 20 * SECOND
/**
 * A queue is full from this share of the longest that was seen on, and not below this length; on
 * short paths from half of a round trip on, where it is the machines that make round trips longer.
 */
const QUEUE_SHARE = 0.4
const QUEUE_MIN: Nanos = 3 * MILLISECOND
const QUEUE_MAX_ROUND_TRIPS = 0.5
/** A queue is emptied, and a little more, so that others see how long the path is. */
const EMPTIED = 0.95
/** A path's own loss is steady: more than twice the least, and a little, is a queue's. */
const LOSS_TIMES = 2
const LOSS_MORE = 0.01
/** More is congestion in any case, and so is as much more within fewer messages. */
const LOSS_MAX = 0.1
const LOSS_MAX_RECENT = 0.2
/** Messages that the average of the loss is made of, in the end and at first. */
const LOSS_MESSAGES = 2048
/** After a reduction the average is stale for so many windows, at most until it is another. */
const QUIET_WINDOWS = 4
const LOSS_MESSAGES_MIN = 256

export class QueueSense {
	/** The present delay, and the least of the samples that will make the next. */
	#present: Nanos = Infinity
	#least: Nanos = Infinity
	#samples = 0
	/** Least and most delay of this stretch and the one before. */
	#low: Nanos = Infinity
	#lowBefore: Nanos = Infinity
	#high: Nanos = ZERO
	#highBefore: Nanos = ZERO
	#stretchAt: Nanos = ZERO
	/** Share of messages lost, of how many, and the least share of this and the last stretch. */
	#loss = ZERO
	/** The same over LOSS_MESSAGES_MIN. */
	#recentLoss = ZERO
	#messages = ZERO
	#lowLoss = Infinity
	#lowLossBefore = Infinity
	/** The average counts again after so many messages. */
	#quietUntil = ZERO

	restart(): void {
		this.#present = Infinity
		this.#least = Infinity
		this.#samples = 0
		this.#low = Infinity
		this.#lowBefore = Infinity
		this.#high = 0
		this.#highBefore = 0
		this.#loss = 0
		this.#recentLoss = 0
		this.#messages = 0
		this.#quietUntil = 0
		this.#lowLoss = Infinity
		this.#lowLossBefore = Infinity
	}

	onSample(rtt: Nanos, now: Nanos): void {
		if (now - this.#stretchAt > MEMORY) {
			this.#stretchAt = now
			this.#lowBefore = this.#low
			this.#highBefore = this.#high
			this.#lowLossBefore = this.#lowLoss
			this.#low = Infinity
			this.#high = 0
			this.#lowLoss = Infinity
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

	/** So many messages arrived. */
	onAcked(messages: number): void {
		this.#loss *= 1 - this.#weight(messages)
		this.#recentLoss *= 1 - Math.min(1, messages / LOSS_MESSAGES_MIN)
		if (this.#messages >= LOSS_MESSAGES && this.#loss < this.#lowLoss) this.#lowLoss = this.#loss
	}

	onLost(messages: number): void {
		this.#loss += (1 - this.#loss) * this.#weight(messages)
		this.#recentLoss += (1 - this.#recentLoss) * Math.min(1, messages / LOSS_MESSAGES_MIN)
	}

	/** What a loss now leaves of the window: 1 when it is the path's own, at least beta. */
	left(beta: number): number {
		if (this.#present === Infinity || this.#lossy) return beta
		const low = Math.min(this.#low, this.#lowBefore)
		const high = Math.max(this.#high, this.#highBefore)
		const queue = this.#present - low
		const long = Math.max(QUEUE_MIN, QUEUE_SHARE * (high - low))
		if (queue <= Math.min(long, QUEUE_MAX_ROUND_TRIPS * low)) return 1
		// A short queue need not be paid for with an idle line.
		return Math.max(beta, (EMPTIED * low) / this.#present)
	}

	/** The window of so many messages was reduced: what was lost before does not count again. */
	reduced(messages: number): void {
		this.#quietUntil = this.#messages + Math.min(LOSS_MESSAGES, QUIET_WINDOWS * messages)
	}

	/** More is lost than is usual here. */
	get #lossy(): boolean {
		if (this.#recentLoss > LOSS_MAX_RECENT) return true
		if (this.#messages < this.#quietUntil) return false
		const lowLoss = Math.min(this.#lowLoss, this.#lowLossBefore)
		return this.#loss > Math.min(LOSS_MAX, LOSS_TIMES * lowLoss + LOSS_MORE)
	}

	/** An average of all at first, then of the last LOSS_MESSAGES or so. */
	#weight(messages: number): number {
		this.#messages += messages
		const of = Math.min(Math.max(this.#messages, LOSS_MESSAGES_MIN), LOSS_MESSAGES)
		return Math.min(messages / of, 1)
	}
}
