// Which host gets a Hello when: the first at once, each next one a little later, all of them again
// at the reference's growing intervals until one of them has answered. spec: protocol.md 2.3, 2.4;
// RFC 8305

import type { Bytes } from '../base/bytes.ts'
import { randomBelow, type Random } from '../base/random.ts'
import { NEVER, SECOND, type Nanos } from '../base/time.ts'
import { RACE_DELAY } from '../limits.ts'

export interface Host {
	/** IPv4, first octet highest, and UDP port. */
	readonly address: number
	readonly port: number
	readonly extension: Bytes
}

/** The wait after a host's n-th Hello is FIRST_WAIT · GROWTH^n and up to as much again. */
const FIRST_WAIT: Nanos = SECOND
const GROWTH = 1.5
/** Later waits do not grow any more. */
const GROWTH_STEPS = 7

export class Race {
	readonly #random: Random
	/** When each host's next Hello is due, when its last was sent, and how many it has had. */
	readonly #dueAt: Nanos[]
	readonly #sentAt: Nanos[]
	readonly #sent: number[]

	/** last: the host that goes behind all others, because it failed; -1: none. */
	constructor(hosts: number, last: number, random: Random, now: Nanos) {
		this.#random = random
		const turnOf = (host: number): number => {
			if (host === last) return hosts - 1
			return last >= 0 && host > last ? host - 1 : host
		}
		this.#dueAt = Array.from({ length: hosts }, (_, host) => now + turnOf(host) * RACE_DELAY)
		this.#sentAt = new Array<Nanos>(hosts).fill(-Infinity)
		this.#sent = new Array<number>(hosts).fill(0)
	}

	wakeAt(): Nanos {
		let at = NEVER
		for (const due of this.#dueAt) at = Math.min(at, due)
		return at
	}

	/** The host whose Hello is due, which counts as sent from here on; -1 for none. */
	next(now: Nanos): number {
		let first = 0
		for (let i = 1; i < this.#dueAt.length; i++) {
			if (this.#dueAt[i]! < this.#dueAt[first]!) first = i
		}
		if (now < this.#dueAt[first]!) return -1
		const wait = FIRST_WAIT * GROWTH ** Math.min(this.#sent[first]!++, GROWTH_STEPS)
		this.#dueAt[first] = now + wait + randomBelow(this.#random, wait)
		this.#sentAt[first] = now
		return first
	}

	/** Answers may have gone to where we were: who was asked is asked again, at most so often. */
	moved(now: Nanos): void {
		for (let i = 0; i < this.#dueAt.length; i++) {
			if (this.#sent[i] === 0) continue
			this.#sent[i] = 1
			this.#dueAt[i] = Math.min(this.#dueAt[i]!, Math.max(now, this.#sentAt[i]! + RACE_DELAY))
		}
	}

	/** The network says that this host cannot be reached: whoever is next need not wait. */
	unreachable(host: number, now: Nanos): void {
		if (this.#sent[host] === 0) return
		let next = -1
		for (let i = 0; i < this.#dueAt.length; i++) {
			if (this.#sent[i] === 0 && (next < 0 || this.#dueAt[i]! < this.#dueAt[next]!)) next = i
		}
		if (next >= 0) this.#dueAt[next] = Math.min(this.#dueAt[next]!, now)
	}
}
