// CUBIC (RFC 9438) after HyStart++ (RFC 9406), in bytes, paced. One reduction for each round trip
// with loss, undone when the loss turns out to have been none. Two constants are not the RFC's:
// there every flow returns to its own old window first, so that unequal flows stay unequal for
// minutes. Here all release more than they lost and then grow alike; a steeper curve makes up for
// what that costs.

import { BEFORE, MILLISECOND, SECOND, ZERO, type Nanos } from '../../base/time.ts'
import { BLOCK_MAX, messageBytes } from '../format.ts'
import type { Controller } from './controller.ts'
import { HyStart } from './hystart.ts'
import { QueueSense } from './queue-sense.ts'

const FULL = messageBytes(BLOCK_MAX)
const INITIAL_WINDOW = 10 * FULL
const WINDOW_MIN = 2 * FULL
/** What is left of the window after a loss. */
const BETA = 0.7
/** Where the curve is flat: this share of the window that was too much (RFC: 1, or 0.85). */
const PLATEAU = 0.75
/** Full messages per cubed second (RFC: 0.4). */
const CUBIC_C = 1
/** Growth per round trip that is as fast as Reno's, given BETA. */
const RENO_ALPHA = (3 * (1 - BETA)) / (1 + BETA)
/** The pace is a little faster than the window per round trip, so that the window is the limit. */
const START_GAIN = 2
const GAIN = 1.2
/** What timers of one millisecond need to keep the pace. */
const BURST_TIME: Nanos = 2 * MILLISECOND
const BURST_MIN = 10

export class Cubic implements Controller {
	window = ZERO
	interval: Nanos = ZERO
	burst = BURST_MIN
	readonly timeout = 0
	readonly #start = new HyStart()
	readonly #queue = new QueueSense()
	/** Slow start below it. */
	#threshold = Infinity
	/** The window at which the curve is flat. */
	#most = ZERO
	/**
	 * The present stretch of growth began then, with this window; -1: with the next acknowledgment.
	 */
	#epochAt: Nanos = BEFORE
	#epochWindow = ZERO
	/** When the curve is there, in seconds from #epochAt. */
	#k = ZERO
	/** What Reno would have. */
	#reno = ZERO
	/** When growth was last possible: time without is not counted. */
	#grownAt: Nanos = ZERO
	/** Blocks sent before it were out at the last reduction. */
	#reducedAt: Nanos = BEFORE
	/** As it was before the last reduction. */
	#undoWindow = ZERO
	#undoThreshold = ZERO
	#undoMost = ZERO
	#smoothed: Nanos = ZERO

	constructor() {
		this.window = INITIAL_WINDOW
	}

	get slowStart(): boolean {
		return this.window < this.#threshold
	}

	onSample(rtt: Nanos, smoothed: Nanos, now: Nanos): void {
		this.#smoothed = smoothed
		this.#queue.onSample(rtt, now)
		if (this.slowStart) this.#start.onSample(rtt, now)
		this.#pace()
	}

	onAcked(bytes: number, sentAt: Nanos, limited: boolean, now: Nanos): void {
		this.#queue.onAcked(bytes / FULL)
		if (sentAt <= this.#reducedAt) return
		if (this.slowStart) {
			if (this.#start.onRound(sentAt, now)) this.#threshold = this.window
			else if (limited) this.window += this.#start.growth(bytes)
		} else {
			this.#grow(bytes, limited, now)
		}
		this.#pace()
	}

	onLost(bytes: number, sentAt: Nanos, now: Nanos): void {
		this.#queue.onLost(bytes / FULL)
		if (sentAt <= this.#reducedAt) return
		const left = this.#queue.left(BETA)
		if (left === 1) return
		this.#undoWindow = this.window
		this.#undoThreshold = this.#threshold
		this.#undoMost = this.#most
		this.#reducedAt = now
		this.#queue.reduced(this.window / FULL)
		this.#most = this.window * Math.max(PLATEAU, left)
		this.window = Math.max(this.window * left, WINDOW_MIN)
		this.#threshold = this.window
		this.#epochAt = -1
		this.#pace()
	}

	onRetransmit(): void {}

	onPersistent(): void {
		this.window = WINDOW_MIN
		this.#reducedAt = -1
		this.#epochAt = -1
		this.#start.restart()
		this.#pace()
	}

	onSpurious(): void {
		if (this.window >= this.#undoWindow) return
		this.window = this.#undoWindow
		this.#threshold = this.#undoThreshold
		this.#most = this.#undoMost
		this.#epochAt = -1
		this.#pace()
	}

	onNewPath(): void {
		this.window = INITIAL_WINDOW
		this.#threshold = Infinity
		this.#most = 0
		this.#epochAt = -1
		this.#reducedAt = -1
		this.interval = 0
		this.#smoothed = 0
		this.#start.restart()
		this.#queue.restart()
	}

	#grow(bytes: number, limited: boolean, now: Nanos): void {
		if (this.#epochAt < 0) this.#begin(now)
		if (!limited) {
			this.#epochAt += now - this.#grownAt
			this.#grownAt = now
			return
		}
		this.#grownAt = now
		this.#reno += (RENO_ALPHA * FULL * bytes) / this.window
		const t = (now - this.#epochAt + this.#smoothed) / SECOND - this.#k
		const curve = CUBIC_C * t * t * t * FULL + this.#most
		const target = Math.min(Math.max(curve, this.window), 1.5 * this.window)
		const step = ((target - this.window) * bytes) / this.window
		this.window = Math.max(this.window + step, this.#reno)
	}

	#begin(now: Nanos): void {
		this.#epochAt = now
		this.#grownAt = now
		this.#epochWindow = this.window
		this.#reno = this.window
		if (this.#most < this.window) this.#most = this.window
		this.#k = Math.cbrt((this.#most - this.#epochWindow) / FULL / CUBIC_C)
	}

	#pace(): void {
		if (this.#smoothed === 0) return
		const gain = this.slowStart ? START_GAIN : GAIN
		this.interval = (this.#smoothed * FULL) / (gain * this.window)
		this.burst = Math.max(BURST_MIN, Math.ceil(BURST_TIME / this.interval))
	}
}
