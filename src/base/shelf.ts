// The pieces that one borrower holds, found by an index that only grows: a sliding window over an
// endless row of pieces. The piece at the front may be the borrower's guaranteed one.

import { NONE, type PiecePool } from './pieces.ts'

const EMPTY = new Int32Array(0)
const TABLE_MIN = 8
/** A table above this is not kept when nothing is borrowed. */
const TABLE_KEPT = 64

export class Shelf {
	readonly pool: PiecePool
	/** Indices below were given back. */
	front = 0
	/** Pieces held now. */
	held = 0
	/** Piece + 1 of index i at i modulo its length, a power of two; 0: none. */
	#table = EMPTY
	/** One above the largest index that holds a piece; front when none does. */
	#end = 0
	/** The index whose piece is the guaranteed one; NONE: not in use. */
	#guaranteed = NONE

	constructor(pool: PiecePool) {
		this.pool = pool
		pool.join()
	}

	/** The piece at index, or NONE. The index is at or above front. */
	at(index: number): number {
		return index < this.#end ? this.#table[index & (this.#table.length - 1)]! - 1 : NONE
	}

	/** The piece at index, borrowed now if need be; NONE when the pool has none for us. */
	borrow(index: number): number {
		const known = this.at(index)
		if (known !== NONE) return known
		const guaranteed = index === this.front && this.#guaranteed === NONE
		const piece = this.pool.take(guaranteed)
		if (piece === NONE) return NONE
		if (guaranteed) this.#guaranteed = index
		if (index - this.front >= this.#table.length) this.#grow(index - this.front + 1)
		this.#table[index & (this.#table.length - 1)] = piece + 1
		if (index >= this.#end) this.#end = index + 1
		this.held++
		return piece
	}

	/** How many more pieces this borrower could get at once, from index on. */
	borrowable(index: number): number {
		const own = index === this.front && this.#guaranteed === NONE && this.at(index) === NONE ? 1 : 0
		return this.pool.spare + own
	}

	/** Gives back what lies below index, which becomes the front. */
	advance(index: number): void {
		const stop = Math.min(index, this.#end)
		for (let i = this.front; i < stop; i++) this.#give(i)
		this.front = index
		if (this.#end < index) this.#end = index
		if (this.held === 0 && this.#table.length > TABLE_KEPT) this.#table = EMPTY
	}

	/** Gives everything back; the front stays. */
	clear(): void {
		for (let i = this.front; i < this.#end; i++) this.#give(i)
		this.#end = this.front
		if (this.#table.length > TABLE_KEPT) this.#table = EMPTY
	}

	release(): void {
		this.clear()
		this.pool.leave()
	}

	#give(index: number): void {
		const at = index & (this.#table.length - 1)
		const piece = this.#table[at]! - 1
		if (piece === NONE) return
		this.#table[at] = 0
		this.held--
		this.pool.give(piece, index === this.#guaranteed)
		if (index === this.#guaranteed) this.#guaranteed = NONE
	}

	#grow(needed: number): void {
		let length = Math.max(TABLE_MIN, this.#table.length)
		while (length < needed) length *= 2
		const table = new Int32Array(length)
		for (let i = this.front; i < this.#end; i++) {
			table[i & (length - 1)] = this.#table[i & (this.#table.length - 1)]!
		}
		this.#table = table
	}
}
