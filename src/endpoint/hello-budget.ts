// How many Hellos may be answered now: a share of the processor, by what an answer was measured to
// cost on this machine. All of it with nobody to disturb, or as long as only few wait; but never
// many in a row: looking at a Hello costs a fiftieth of answering it, and a client at which nobody
// looks never gets in.

import { SECOND, type Nanos } from '../base/time.ts'

/**
 * The share of one core that answers may take while connections move data and more come than can be
 * answered: with what a flood's packets cost to receive, less than a fifth.
 */
const SHARE = 0.1
/** Answers in a row, at most: packets that come meanwhile must find room in the socket. */
const BURST_ALONE = 16
const BURST = 2
/**
 * Traffic within this time counts as present. A transfer that a flood has made pause must not look
 * like one that has ended, or the flood would get the whole processor and keep it.
 */
const RECENT: Nanos = 2 * SECOND

export class HelloBudget {
	readonly #answerCost: Nanos
	#tokens = BURST_ALONE
	#filledAt: Nanos = 0
	#trafficAt: Nanos = -RECENT

	/** answerCost: the measured time of one answer. */
	constructor(answerCost: Nanos) {
		this.#answerCost = answerCost
	}

	/** Established connections moved data. */
	traffic(now: Nanos): void {
		this.#trafficAt = now
	}

	/** Whether one more Hello may be answered; if so it is counted. crowded: many wait. */
	take(now: Nanos, crowded: boolean): boolean {
		const burst = this.#isAlone(now) ? BURST_ALONE : BURST
		const fresh = (now - this.#filledAt) / this.#interval(now, crowded)
		this.#tokens = Math.min(burst, this.#tokens + fresh)
		this.#filledAt = now
		if (this.#tokens < 1) return false
		this.#tokens--
		return true
	}

	/** When take will say yes again, if Hellos wait; never now, whatever rounding does. */
	nextAt(now: Nanos, crowded: boolean): Nanos {
		return now + Math.ceil(Math.max(0, 1 - this.#tokens) * this.#interval(now, crowded)) + 1
	}

	#interval(now: Nanos, crowded: boolean): Nanos {
		return crowded && !this.#isAlone(now) ? this.#answerCost / SHARE : this.#answerCost
	}

	#isAlone(now: Nanos): boolean {
		return now - this.#trafficAt >= RECENT
	}
}

/** Until the platform has measured: two key agreements of a small board. */
export const ANSWER_COST: Nanos = SECOND / 2000
