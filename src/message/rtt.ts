// What is known of the path's round-trip time, and the timeouts that follow. spec: RFC 6298, RFC
// 9002

import { MILLISECOND, SECOND, ZERO, type Nanos } from '../base/time.ts'

/** Before anything is known of the path. */
const TIMEOUT_UNKNOWN: Nanos = SECOND
/** A handshake's round trip had no queue of data before it: its timeout is generous. */
const TIMEOUT_SEEDED_MIN: Nanos = 0.3 * SECOND
const TIMEOUT_MIN: Nanos = 0.2 * SECOND
/** However often nothing came back: a path that returns is noticed within this time. */
const TIMEOUT_MAX: Nanos = 6 * SECOND
/** A peer of our make answers at once or within a millisecond or two; timers are as coarse. */
const PROBE_SLACK: Nanos = 5 * MILLISECOND
const PROBE_MIN: Nanos = 10 * MILLISECOND

export class RoundTrip {
	/** 0: no sample yet. */
	latest: Nanos = ZERO
	smoothed: Nanos = ZERO
	deviation: Nanos = ZERO
	/** The least ever seen on this path. */
	least: Nanos = Infinity
	/** smoothed is a guess from the handshake. */
	#seeded = false

	seed(rtt: Nanos): void {
		if (this.latest !== 0) return
		this.smoothed = rtt
		this.deviation = rtt / 2
		this.#seeded = true
	}

	sample(rtt: Nanos): void {
		if (this.latest === 0) {
			this.smoothed = rtt
			this.deviation = rtt / 2
			this.#seeded = false
		} else {
			this.deviation += (Math.abs(rtt - this.smoothed) - this.deviation) / 4
			this.smoothed += (rtt - this.smoothed) / 8
		}
		this.latest = Math.max(1, rtt)
		if (rtt < this.least) this.least = rtt
	}

	forget(): void {
		this.latest = 0
		this.smoothed = 0
		this.deviation = 0
		this.least = Infinity
		this.#seeded = false
	}

	/** How long to wait for an answer after so many waits in vain. */
	timeout(waits: number): Nanos {
		let timeout = TIMEOUT_UNKNOWN
		if (this.#seeded) timeout = Math.max(2 * this.smoothed, TIMEOUT_SEEDED_MIN)
		else if (this.latest !== 0) timeout = Math.max(this.#usual(), TIMEOUT_MIN)
		return Math.min(timeout * 2 ** Math.min(waits, 16), Math.max(TIMEOUT_MAX, timeout))
	}

	/** When the tail of what was sent is probed, before it is worth a timeout. */
	probe(): Nanos {
		if (this.latest === 0) return this.timeout(0)
		const usual = Math.max(2 * this.smoothed, this.#usual())
		return Math.min(Math.max(usual + PROBE_SLACK, PROBE_MIN), this.timeout(0))
	}

	#usual(): Nanos {
		return this.smoothed + 4 * this.deviation
	}
}
