// How many Hellos may be answered now. With nobody to disturb: as many as come. Beside established
// traffic: a share of the processor, by what an answer was measured to cost on this machine.

import { SECOND, type Nanos } from '../base/time.ts'

/**
 * The share of one core that answers may take while connections move data: with what a flood's
 * packets cost to receive, less than a fifth.
 */
const SHARE = 0.1
/** Answers in a row, at most. */
const BURST = 16
/**
 * Traffic within this time counts as present. A transfer that a flood has made pause must not look
 * like one that has ended, or the flood would get the whole processor and keep it.
 */
const RECENT: Nanos = 2 * SECOND

export class HelloBudget {
	readonly #perNano: number
	#tokens = BURST
	#filledAt: Nanos = 0
	#trafficAt: Nanos = -RECENT

	/** answerCost: the measured time of one answer. */
	constructor(answerCost: Nanos) {
		this.#perNano = SHARE / answerCost
	}

	/** Established connections moved data. */
	traffic(now: Nanos): void {
		this.#trafficAt = now
	}

	/** Whether one more Hello may be answered; if so it is counted. */
	take(now: Nanos): boolean {
		this.#tokens = Math.min(BURST, this.#tokens + (now - this.#filledAt) * this.#perNano)
		this.#filledAt = now
		if (now - this.#trafficAt >= RECENT) return true
		if (this.#tokens < 1) return false
		this.#tokens--
		return true
	}

	/** When take will say yes again, if Hellos wait; never now, whatever rounding does. */
	nextAt(now: Nanos): Nanos {
		return now + Math.ceil(Math.max(0, 1 - this.#tokens) / this.#perNano) + 1
	}
}

/** Until the platform has measured: two key agreements of a small board. */
export const ANSWER_COST: Nanos = SECOND / 2000
