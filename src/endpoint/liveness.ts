// Whether the peer still answers: after some silence it is asked, after long silence it is given
// up. A stream that moves nothing can have a limit of its own.

import { NEVER, type Nanos } from '../base/time.ts'
import { PEER_LEFT } from '../limits.ts'

export interface LivenessLimits {
	keepalive: Nanos
	deadPeer: Nanos
	idle: Nanos
}

/** done: a peer that had nothing left to do does not answer. */
export type Verdict = 'ping' | 'lost' | 'idle' | 'done'

/** While nobody answers, the question is repeated this often within one keepalive. */
const PINGS_PER_KEEPALIVE = 4

export class Liveness {
	readonly #limits: LivenessLimits
	readonly #alert: Nanos
	/** When the last verified packet came, and when stream bytes last moved. */
	#heardAt: Nanos
	#movedAt: Nanos
	#pingAt: Nanos
	/** Asked since then. */
	#pings = 0
	#movedBytes = 0

	/** alert: silence right after stream bytes is asked about so soon; NEVER: like any other. */
	constructor(limits: LivenessLimits, alert: Nanos, now: Nanos) {
		this.#limits = limits
		this.#alert = alert
		this.#heardAt = now
		this.#movedAt = now
		this.#pingAt = now + limits.keepalive
	}

	/** A verified packet came. movedBytes: what the layer has moved so far. */
	heard(movedBytes: number, now: Nanos): void {
		const moved = movedBytes !== this.#movedBytes
		this.#heardAt = now
		this.#pings = 0
		this.#pingAt = now + Math.min(this.#limits.keepalive, moved ? this.#alert : NEVER)
		if (!moved) return
		this.#movedBytes = movedBytes
		this.#movedAt = now
	}

	wakeAt(mayHaveLeft: boolean): Nanos {
		const { deadPeer, idle } = this.#limits
		return Math.min(
			this.#pingAt, this.#heardAt + deadPeer, this.#movedAt + idle, this.#leftAt(mayHaveLeft))
	}

	wake(mayHaveLeft: boolean, now: Nanos): Verdict | undefined {
		if (now >= this.#leftAt(mayHaveLeft)) return 'done'
		if (now >= this.#heardAt + this.#limits.deadPeer) return 'lost'
		if (now >= this.#movedAt + this.#limits.idle) return 'idle'
		if (now < this.#pingAt) return undefined
		const calm = this.#limits.keepalive / PINGS_PER_KEEPALIVE
		this.#pingAt = now + Math.min(calm, this.#alert * 2 ** ++this.#pings)
		return 'ping'
	}

	/** It was asked at the keepalive, and again. */
	#leftAt(mayHaveLeft: boolean): Nanos {
		return mayHaveLeft ? this.#heardAt + this.#limits.keepalive + PEER_LEFT : NEVER
	}
}
