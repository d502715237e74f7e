// The incoming stream: puts blocks in order, keeps what arrives early, knows the end. It never says
// more than it holds, and takes nothing that it cannot keep. spec: protocol.md 4.5, 4.6

import type { Bytes } from '../base/bytes.ts'
import type { PiecePool } from '../base/pieces.ts'
import { Ring } from '../base/ring.ts'
import { FAILURE, SUCCESS } from './format.ts'
import { Ranges } from './ranges.ts'

/** What became of a block. A refused one is not acknowledged; every other is. */
export const REFUSED = 0
export const EMPTY = 1
export const DUPLICATE = 2
export const IN_ORDER = 3
/** In order, and data that had arrived early followed it, or the end did. */
export const CLOSED_GAP = 4
export const EARLY = 5
export type Verdict = 0 | 1 | 2 | 3 | 4 | 5

const UNKNOWN = -1

export class Receiver {
	/** All bytes before this position arrived. */
	received = 0
	/** The end of the last whole block before received: below it only when memory was short. */
	boundary = 0
	/** The stream's length; UNKNOWN before its end was seen. */
	total = UNKNOWN
	readonly early: Ranges
	readonly #ring: Ring
	/** SUCCESS, FAILURE or both, as it came. */
	#ending = 0
	#discarding = false

	constructor(pieces: PiecePool, capacity: number) {
		this.#ring = new Ring(pieces, capacity)
		this.early = new Ranges(pieces)
	}

	/** True once the end is known and everything before it arrived. */
	get complete(): boolean {
		return this.received === this.total
	}

	get failed(): boolean {
		return (this.#ending & FAILURE) !== 0
	}

	/** What range 1 says: it covers the end marker as soon as that is true. */
	get range1End(): number {
		return this.complete ? this.total + 1 : this.boundary
	}

	/** How far beyond range 1 the peer may send. */
	get window(): number {
		if (this.#discarding) return this.#ring.capacity
		return this.#ring.room(this.received) + this.received - this.boundary
	}

	/** A window of this size is as good as any. */
	get capacity(): number {
		return this.#ring.capacity
	}

	get readable(): number {
		return this.received - this.#ring.front
	}

	/** The readable bytes that lie in one stretch begin at bytes[address]. */
	get bytes(): Bytes {
		return this.#ring.bytes
	}

	get address(): number {
		return this.readable === 0 ? 0 : this.#ring.address(this.#ring.front)
	}

	get stretch(): number {
		return Math.min(this.readable, this.#ring.stretch(this.#ring.front))
	}

	read(to: Bytes, at: number, n: number): number {
		const count = Math.min(n, this.readable)
		this.#ring.load(this.#ring.front, to, at, count)
		this.consume(count)
		return count
	}

	consume(n: number): void {
		if (n > 0) this.#ring.advance(this.#ring.front + n)
	}

	discard(): void {
		this.#discarding = true
		this.consume(this.readable)
	}

	/** Takes the block p[at, at + d) of this position, which ends the stream when flags say so. */
	accept(p: Bytes, at: number, d: number, position: number, flags: number): Verdict {
		const stop = position + d
		if (!(stop <= this.#ring.front + this.#ring.capacity)) return REFUSED
		if (this.total !== UNKNOWN && stop > this.total) return REFUSED
		if (flags === 0) return d === 0 ? EMPTY : this.#store(p, at, d, position)
		// A peer that changes its mind about the end is not believed.
		if (this.total !== UNKNOWN && stop !== this.total) return REFUSED
		if (stop < this.received || stop < this.early.end) return REFUSED
		const verdict = d === 0 ? EMPTY : this.#store(p, at, d, position)
		if (verdict === REFUSED) return REFUSED
		if (this.total !== UNKNOWN) return verdict === EMPTY ? DUPLICATE : verdict
		this.total = stop
		this.#ending = flags & (SUCCESS | FAILURE)
		return this.complete ? CLOSED_GAP : EARLY
	}

	release(): void {
		this.early.clear()
		this.#ring.release()
	}

	#store(p: Bytes, at: number, d: number, position: number): Verdict {
		const stop = position + d
		if (stop <= this.received) {
			// What memory had cut is whole again when the peer cuts its blocks anew.
			if (position <= this.boundary && stop > this.boundary) this.boundary = stop
			return DUPLICATE
		}
		if (this.early.covers(position, stop)) return DUPLICATE
		if (position > this.received) {
			if (!this.#keep(p, at, d, position) || !this.early.add(position, stop)) return REFUSED
			return EARLY
		}
		const known = this.received - position
		const fresh = d - known
		const kept = this.#discarding ? fresh : this.#ring.store(this.received, p, at + known, fresh)
		this.received += kept
		if (kept < fresh) return REFUSED
		const before = this.early.count
		if (before > 0) this.received = this.early.join(this.received)
		this.boundary = this.received
		if (this.#discarding) this.consume(this.readable)
		return before > 0 && this.early.count < before ? CLOSED_GAP : IN_ORDER
	}

	#keep(p: Bytes, at: number, d: number, position: number): boolean {
		return this.#discarding || this.#ring.store(position, p, at, d) === d
	}
}
