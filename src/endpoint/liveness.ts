// Whether the peer still answers: after some silence it is asked, after long silence it is given
// up. A stream that moves nothing can have a limit of its own.

import { NEVER, type Nanos } from '../base/time.ts'

export interface LivenessLimits {
	keepalive: Nanos
	deadPeer: Nanos
	idle: Nanos
}

export type Verdict = 'ping' | 'lost' | 'idle'

/** While nobody answers, the question is repeated this often within one keepalive. */
const PINGS_PER_KEEPALIVE = 4

export class Liveness {
	readonly #limits: LivenessLimits
	/** When the last verified packet came, and when stream bytes last moved. */
	#heardAt: Nanos
	#movedAt: Nanos
	#pingAt: Nanos
	#movedBytes = 0

	constructor(limits: LivenessLimits, now: Nanos) {
		this.#limits = limits
		this.#heardAt = now
		this.#movedAt = now
		this.#pingAt = now + limits.keepalive
	}

	/** A verified packet came. movedBytes: what the layer has moved so far. */
	heard(movedBytes: number, now: Nanos): void {
		this.#heardAt = now
		this.#pingAt = now + this.#limits.keepalive
		if (movedBytes !== this.#movedBytes) {
			this.#movedBytes = movedBytes
			this.#movedAt = now
		}
	}

	wakeAt(): Nanos {
		const { deadPeer, idle } = this.#limits
		return Math.min(this.#pingAt, this.#heardAt + deadPeer, this.#movedAt + idle)
	}

	wake(now: Nanos): Verdict | undefined {
		if (now >= this.#heardAt + this.#limits.deadPeer) return 'lost'
		if (now >= this.#movedAt + this.#limits.idle) return 'idle'
		if (now < this.#pingAt) return undefined
		const { keepalive } = this.#limits
		this.#pingAt = keepalive === NEVER ? NEVER : now + keepalive / PINGS_PER_KEEPALIVE
		return 'ping'
	}
}
