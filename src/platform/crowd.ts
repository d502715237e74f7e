// Whether an interface receives so much that one source could exceed its rate. While all of them
// together do not, nobody does, and no packet pays for being counted.

import { receivedPackets } from './network.ts'

const EVERY_MS = 1000
/** Between two looks a source may have come and gone: this much of its rate is already a crowd. */
const ARM = 0.5
const DISARM = 0.25
/** Looks in a row that must find quiet. */
const QUIET_LOOKS = 5

export class Crowd {
	isThere = false
	readonly #ifname: string
	readonly #most: number
	readonly #changed: () => Promise<void>
	#timer: NodeJS.Timeout | undefined
	#packets = 0
	#at = 0
	#quiet = 0

	/**
	 * most: packets a second that one may send. changed: isThere is another now; where that fails,
	 * the next look tries again.
	 */
	constructor(ifname: string, most: number, changed: () => Promise<void>) {
		this.#ifname = ifname
		this.#most = most
		this.#changed = changed
	}

	start(): void {
		if (this.#most === Infinity) return
		this.#at = performance.now()
		this.#packets = receivedPackets(this.#ifname) ?? 0
		this.#timer = setInterval(() => this.#look(), EVERY_MS)
		this.#timer.unref()
	}

	stop(): void {
		clearInterval(this.#timer)
	}

	#look(): void {
		const packets = receivedPackets(this.#ifname)
		const now = performance.now()
		if (packets === undefined || now === this.#at) return
		const rate = ((packets - this.#packets) * 1000) / (now - this.#at)
		this.#packets = packets
		this.#at = now
		this.#quiet = rate < this.#most * DISARM ? this.#quiet + 1 : 0
		const there = this.isThere ? this.#quiet < QUIET_LOOKS : rate >= this.#most * ARM
		if (there === this.isThere) return
		this.isThere = there
		this.#changed().catch(() => { this.isThere = !there })
	}
}
