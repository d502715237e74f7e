// What is out and not yet acknowledged: samples of the round-trip time, what came through, what
// must be lost, and when silence has lasted too long. It moves no data. spec: RFC 8985, RFC 9002

import { NONE, type PiecePool } from '../base/pieces.ts'
import { BEFORE, NEVER, type Nanos } from '../base/time.ts'
import { Blocks } from './blocks.ts'
import type { Controller } from './congestion/controller.ts'
import { messageBytes } from './format.ts'
import { RoundTrip } from './rtt.ts'

/** A block is lost when so many later transmissions arrived; doubled when that proves wrong. */
const LATER_MIN = 3
const LATER_MAX = 384
/** Or when one that left so much of a round trip later arrived; doubled likewise. */
const PATIENCE_MIN = 1 / 8
const PATIENCE_MAX = 1
/** After so many waits in vain the path was broken, not merely full. */
const PERSISTENT_WAITS = 3
/** Blocks sent after a wait in vain, whatever the window says. */
export const PROBES = 2
/** Steps through the outstanding blocks in search of an acknowledging ID. */
const SEARCH_MAX = 256
/** An answer within this share of the least round trip was meant for an earlier transmission. */
const TOO_SOON = 0.8

/** Message IDs count modulo 2^32: whether a was given out after b. */
export function isLater(a: number, b: number): boolean {
	return ((a - b) | 0) > 0
}

export class Flight {
	readonly rtt = new RoundTrip()
	readonly blocks: Blocks
	/** Message bytes outstanding and not given up. */
	bytes = 0
	/** The ID of the latest message that had one. */
	lastId = 0
	/** Transmissions to make regardless of window and pace. */
	probes = 0
	retransmissions = 0
	samples = 0
	/** The window was the limit up to this ID. */
	limitedId = 0
	readonly #control: Controller
	/** Waits in vain since something was last acknowledged. */
	#waits = 0
	/** When the oldest outstanding block counts as lost because of its age. */
	#lossAt: Nanos = NEVER
	/** The newest transmission that arrived. */
	#newestId = 0
	#later = LATER_MIN
	#patience = PATIENCE_MIN
	/** Blocks given up since this moment and not yet known to have arrived all the same. */
	#episodeAt: Nanos = BEFORE
	#episodeLost = 0
	/** What the message in hand acknowledged; ID 0: nothing that tells of a transmission. */
	#ackedAny = false
	#ackedBytes = 0
	#ackedSentAt: Nanos = BEFORE
	#ackedId = 0

	constructor(records: PiecePool, control: Controller) {
		this.blocks = new Blocks(records)
		this.#control = control
	}

	/** IDs are never used again within 2^32 messages; 0 is none. */
	takeId(): number {
		this.lastId = this.lastId === 0xffffffff ? 1 : this.lastId + 1
		return this.lastId
	}

	sendNew(position: number, wire: number, now: Nanos): number {
		const r = this.blocks.append(position, wire, this.takeId(), now)
		this.bytes += messageBytes(this.blocks.bytes(r))
		return r
	}

	sendAgain(r: number, now: Nanos): void {
		if (this.blocks.isLost(r)) this.bytes += messageBytes(this.blocks.bytes(r))
		this.blocks.repeat(r, this.takeId(), now)
		this.retransmissions++
		this.#control.onRetransmit(now)
	}

	/** The message in hand names this ID. */
	acknowledgeId(id: number, now: Nanos): void {
		const r = this.#find(id)
		if (r !== NONE) this.sample(id, this.blocks.sentAt(r), now)
	}

	/** The message with this ID, sent at sentAt, has just been answered. */
	sample(id: number, sentAt: Nanos, now: Nanos): void {
		const rtt = now - sentAt
		this.rtt.sample(rtt)
		this.samples++
		this.#control.onSample(rtt, this.rtt.smoothed, now)
		this.#arrived(id, sentAt)
	}

	/** Positions from start up to stop are acknowledged; all of them were sent. */
	acknowledge(start: number, stop: number, now: Nanos): void {
		const { blocks } = this
		let number = start === 0 ? blocks.first : blocks.firstFrom(start)
		for (;;) {
			number = blocks.skipAcked(number)
			if (number === blocks.end) return
			const r = blocks.record(number)
			if (blocks.stop(r) > stop) return
			this.#acknowledgeBlock(r, now)
			number++
		}
	}

	/** All that the message in hand says was heard: draws the conclusions. */
	settle(now: Nanos): void {
		if (!this.#ackedAny) {
			// The peer lives: after long silence it is worth asking again soon.
			if (this.#waits > 1) this.#waits = 1
			return
		}
		const limited = this.#ackedId === 0 || !isLater(this.#ackedId, this.limitedId)
		const persistent = this.#waits >= PERSISTENT_WAITS
		this.#waits = 0
		this.probes = 0
		this.blocks.shift()
		if (this.#control.timeout === 0) this.#detect(now)
		if (persistent) this.#control.onPersistent(now)
		if (this.#ackedBytes > 0) {
			this.#control.onAcked(this.#ackedBytes, this.#ackedSentAt, limited, now)
		}
		this.#ackedAny = false
		this.#ackedBytes = 0
		this.#ackedSentAt = -1
		this.#ackedId = 0
	}

	/** Gives up all that is out, for no fault of the path's. */
	forgetPath(): void {
		while (this.blocks.sentHead !== NONE) this.#lose(this.blocks.sentHead)
		this.rtt.forget()
		this.#waits = 0
		this.probes = 0
		this.#lossAt = NEVER
		this.#episodeLost = 0
	}

	wakeAt(): Nanos {
		if (this.blocks.sentHead === NONE) return NEVER
		const own = this.#control.timeout
		if (own > 0) return this.blocks.sentAt(this.blocks.sentHead) + own
		return Math.min(this.#lossAt, this.#probeAt())
	}

	wake(now: Nanos): void {
		if (now < this.wakeAt() || this.probes > 0) return
		if (this.#control.timeout > 0) this.#lose(this.blocks.sentHead)
		else if (now >= this.#lossAt) this.#detect(now)
		else {
			this.#waits++
			this.probes = PROBES
		}
	}

	release(): void {
		this.blocks.release()
	}

	/** Silence after the latest transmission: first the tail is probed, then time doubles. */
	#probeAt(): Nanos {
		const wait = this.#waits === 0 ? this.rtt.probe() : this.rtt.timeout(this.#waits - 1)
		return this.blocks.sentAt(this.blocks.sentTail) + wait
	}

	/** The outstanding block whose latest transmission had this ID. */
	#find(id: number): number {
		const { blocks } = this
		let r = blocks.sentHead
		if (r === NONE || isLater(blocks.id(r), id) || isLater(id, this.lastId)) return NONE
		for (let i = 0; i < SEARCH_MAX && r !== NONE; i++) {
			const found = blocks.id(r)
			if (found === id) return r
			if (isLater(found, id)) return NONE
			r = blocks.next(r)
		}
		return NONE
	}

	#arrived(id: number, sentAt: Nanos): void {
		this.#ackedAny = true
		if (this.#ackedId === 0 || isLater(id, this.#ackedId)) {
			this.#ackedId = id
			this.#ackedSentAt = sentAt
		}
		if (this.#newestId === 0 || isLater(id, this.#newestId)) this.#newestId = id
	}

	#acknowledgeBlock(r: number, now: Nanos): void {
		const { blocks } = this
		const size = messageBytes(blocks.bytes(r))
		const sentAt = blocks.sentAt(r)
		const tooSoon = blocks.isRepeated(r) && now - sentAt < TOO_SOON * this.rtt.least
		if (blocks.isLost(r)) this.#wasNotLost(now)
		else {
			this.bytes -= size
			if (tooSoon && !blocks.isProbed(r)) this.#wasNotLost(now)
		}
		// Which transmission of a repeated block arrived is not known; too soon, it was not the last.
		if (!tooSoon) this.#arrived(blocks.id(r), sentAt)
		this.#ackedAny = true
		this.#ackedBytes += size
		blocks.acknowledge(r)
	}

	/** Gives up what later arrivals have overtaken. */
	#detect(now: Nanos): void {
		const { blocks } = this
		const age = Math.max(this.rtt.smoothed, this.rtt.latest) * (1 + this.#patience)
		this.#lossAt = NEVER
		let lost = 0
		let lostSentAt = -1
		for (let r = blocks.sentHead; r !== NONE; r = blocks.sentHead) {
			const id = blocks.id(r)
			if (!isLater(this.#newestId, id)) break
			const sentAt = blocks.sentAt(r)
			if (((this.#newestId - id) | 0) < this.#later && now < sentAt + age) {
				this.#lossAt = sentAt + age
				break
			}
			lost += messageBytes(blocks.bytes(r))
			lostSentAt = sentAt
			if (sentAt > this.#episodeAt) {
				this.#episodeAt = now
				this.#episodeLost = 0
			}
			this.#episodeLost++
			this.#lose(r)
		}
		if (lost > 0) this.#control.onLost(lost, lostSentAt, now)
	}

	#lose(r: number): void {
		this.bytes -= messageBytes(this.blocks.bytes(r))
		this.blocks.lose(r)
	}

	/** A block that was given up had arrived: the path reorders more than was thought. */
	#wasNotLost(now: Nanos): void {
		if (this.#episodeLost === 0) return
		this.#later = Math.min(2 * this.#later, LATER_MAX)
		this.#patience = Math.min(2 * this.#patience, PATIENCE_MAX)
		this.#episodeLost--
		if (this.#episodeLost === 0) this.#control.onSpurious(now)
	}
}
