// Chicago, the reference's congestion control, name by name and integer by integer: when may the
// next block go, when is the oldest one sent again. It knows no blocks, no acknowledgments and no
// clock, only round-trip times and moments. spec: protocol.md 4.8, 5
//
// Two differences, each with a test: "long ago" is -Infinity where the reference has 0, because our
// time starts at 0 and its time in 1970; and retransmitDue is also a time to wake at when the block
// interval ends after the timeout, where the reference sets no timer at all (see there).

import { randomBelow, type Random } from '../../base/random.ts'
import { MILLISECOND, NEVER, SECOND, type Nanos } from '../../base/time.ts'

/** The moment before all others: what never happened lies there. */
export const LONG_AGO: Nanos = -Infinity

/** Below this interval (8 MB/s in full blocks) the rate no longer grows by addition. */
const ADDITION_FLOOR: Nanos = 131072
/** From this interval on the additive step is too large for its cubic approximation. */
const CUBIC_CEILING: Nanos = 16777216
/** The additive step of the rate is 1 / ADDITION per square nanosecond. */
const ADDITION = 2 ** 51
/** At or below this interval the rate is never doubled. */
const DOUBLING_FLOOR: Nanos = 65535
/** An adjustment after a longer pause starts from one block a second again. */
const IDLE: Nanos = 10 * SECOND
/** For so long after an edge the rate is doubled only slowly. */
const EDGE_MEMORY: Nanos = 60 * SECOND

export class Chicago {
	/** Interval between two block transmissions, new or repeated: the inverse of the rate. */
	nanosPerBlock: Nanos = SECOND
	/** Of the round-trip time: 0 before the first sample (and after samples of 0). */
	rttAverage: Nanos = 0
	rttDeviation: Nanos = 0
	/** Age at which the oldest unacknowledged transmission is repeated. */
	rttTimeout: Nanos = SECOND
	/** Slow marks at the top and the bottom of what the round-trip time does. */
	rttHighWater: Nanos = 0
	rttLowWater: Nanos = 0
	/** The average was above high water + 5 ms, or below low water, since the last adjustment. */
	seenRecentHigh = false
	seenRecentLow = false
	/** The same of the period before the last adjustment. */
	seenOlderHigh = false
	seenOlderLow = false
	/** True from a top of the congestion cycle to its next bottom: one edge for each cycle. */
	phase = false
	lastSpeedAdjustment: Nanos
	lastEdge: Nanos = LONG_AGO
	lastDoubling: Nanos = LONG_AGO
	lastPanic: Nanos = LONG_AGO
	/** The last transmission of any block; acknowledgments alone do not count. */
	lastBlockTime: Nanos = LONG_AGO
	readonly #random: Random

	constructor(random: Random, now: Nanos) {
		this.#random = random
		this.lastSpeedAdjustment = now
	}

	/** A block was transmitted, new or again. */
	onBlock(now: Nanos): void {
		this.lastBlockTime = now
	}

	/** The oldest block is about to be transmitted again. Call it before onBlock. */
	onRetransmit(now: Nanos): void {
		if (now <= this.lastPanic + 4 * this.rttTimeout) return
		this.nanosPerBlock *= 2
		this.lastPanic = now
		this.lastEdge = now
	}

	/** An acknowledgment named a message that was sent rtt ago; each message gives one sample. */
	onSample(rtt: Nanos, now: Nanos): void {
		if (this.rttAverage === 0) {
			this.nanosPerBlock = rtt
			this.rttAverage = rtt
			this.rttDeviation = Math.trunc(rtt / 2)
			this.rttHighWater = rtt
			this.rttLowWater = rtt
		}
		this.#estimate(rtt)
		this.#adjust(now)
		this.#double(now)
	}

	/** When the next block may be transmitted, if there is one. */
	blockDue(): Nanos {
		return this.lastBlockTime + this.nanosPerBlock
	}

	/**
	 * When the block that was transmitted at earliestBlockTime, the oldest, is due again; NEVER is
	 * "none is outstanding". The reference sends by this same rule but wakes for it only when the
	 * timeout ends after the block interval, and otherwise sleeps up to 60 s (9.2 #1): CurveProtect
	 * wakes at the later of the two, and so do we.
	 */
	retransmitDue(earliestBlockTime: Nanos): Nanos {
		if (earliestBlockTime === NEVER) return NEVER
		return Math.max(earliestBlockTime + this.rttTimeout, this.blockDue())
	}

	/** Jacobson's estimate, the timeout, and the water marks. */
	#estimate(rtt: Nanos): void {
		const error = rtt - this.rttAverage
		this.rttAverage += Math.trunc(error / 8)
		this.rttDeviation += Math.trunc((Math.abs(error) - this.rttDeviation) / 4)
		// Eight block intervals of slack: the peer may delay its acknowledgments.
		this.rttTimeout = this.rttAverage + 4 * this.rttDeviation + 8 * this.nanosPerBlock

		this.rttHighWater += Math.trunc((rtt - this.rttHighWater) / 1024)
		const above = rtt - this.rttLowWater
		this.rttLowWater += Math.trunc(above / (above > 0 ? 8192 : 256))

		if (this.rttAverage > this.rttHighWater + 5 * MILLISECOND) this.seenRecentHigh = true
		else if (this.rttAverage < this.rttLowWater) this.seenRecentLow = true
	}

	/** Every 16 block intervals: the additive step, and a step back at the top of a cycle. */
	#adjust(now: Nanos): void {
		if (now < this.lastSpeedAdjustment + 16 * this.nanosPerBlock) return
		if (now - this.lastSpeedAdjustment > IDLE) {
			this.nanosPerBlock = SECOND + this.#below(SECOND / 8)
		}
		this.lastSpeedAdjustment = now
		this.#increase()

		if (!this.phase) {
			if (this.seenOlderHigh) {
				this.phase = true
				this.lastEdge = now
				this.nanosPerBlock += this.#below(Math.trunc(this.nanosPerBlock / 4))
			}
		} else if (this.seenOlderLow) {
			this.phase = false
		}
		this.seenOlderHigh = this.seenRecentHigh
		this.seenOlderLow = this.seenRecentLow
		this.seenRecentHigh = false
		this.seenRecentLow = false
	}

	/** N becomes N / (1 + N² / ADDITION): the same step of the rate whatever the round-trip time. */
	#increase(): void {
		const interval = this.nanosPerBlock
		if (interval < ADDITION_FLOOR) return
		if (interval < CUBIC_CEILING) {
			const unit = Math.trunc(interval / ADDITION_FLOOR)
			this.nanosPerBlock = interval - unit * unit * unit
		} else {
			this.nanosPerBlock = Math.trunc(interval / (1 + (interval * interval) / ADDITION))
		}
	}

	#double(now: Nanos): void {
		const wait = now - this.lastEdge < EDGE_MEMORY
			? 4 * this.nanosPerBlock + 64 * this.rttTimeout + 5 * SECOND
			: 4 * this.nanosPerBlock + 2 * this.rttTimeout
		if (now < this.lastDoubling + wait || this.nanosPerBlock <= DOUBLING_FLOOR) return
		this.nanosPerBlock = Math.trunc(this.nanosPerBlock / 2)
		this.lastDoubling = now
		if (this.lastEdge !== LONG_AGO) this.lastEdge = now
	}

	/** The reference's random integer below n, and 0 without a draw where there is no choice. */
	#below(n: number): number {
		return n <= 1 ? 0 : randomBelow(this.#random, n)
	}
}
