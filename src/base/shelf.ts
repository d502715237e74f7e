// The pieces that one borrower holds, found by an index that only grows: a sliding window over an
// endless row of pieces. The piece at the front may be the one that the pool has promised it.

import { NONE, type PiecePool } from './pieces.ts'

const EMPTY = new Int32Array(0)
const TABLE_MIN = 8
/** Small tables that nobody uses now: who holds nothing needs none, and nobody makes one twice. */
const spareTables: Int32Array[] = []
const SPARE_MAX = 256

export class Shelf {
	readonly pool: PiecePool
	/** Indices below were given back. */
	front = 0
	/** Pieces held now. */
	held = 0
	/** Piece + 1 of index i at i modulo its length, a power of two; 0: none. */
	#table: Int32Array = EMPTY
	/** One above the largest index that holds a piece; front when none does. */
	#end = 0
	/** Whether the piece at the front is promised by the pool. */
	readonly #promised: boolean
	/** The index whose piece is the promised one; NONE: not in use. */
	#guaranteed = NONE

	constructor(pool: PiecePool, promised = true) {
		this.pool = pool
		this.#promised = promised
		if (promised) pool.join()
	}

	/** The piece at index, or NONE. The index is at or above front. */
	at(index: number): number {
		return index < this.#end ? this.#table[index & (this.#table.length - 1)]! - 1 : NONE
	}

	/** The piece at index, borrowed now if need be; NONE when the pool has none for us. */
	borrow(index: number): number {
		const known = this.at(index)
		if (known !== NONE) return known
		const guaranteed = this.#ownAt(index)
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
		return this.pool.spare + (this.#ownAt(index) && this.at(index) === NONE ? 1 : 0)
	}

	/** Gives back what lies below index, which becomes the front. */
	advance(index: number): void {
		const stop = Math.min(index, this.#end)
		for (let i = this.front; i < stop; i++) this.#give(i)
		this.front = index
		if (this.#end < index) this.#end = index
		if (this.held > 0) return
		this.#end = index
		this.#dropTable()
	}

	/** Gives everything back; the front stays. */
	clear(): void {
		for (let i = this.front; i < this.#end; i++) this.#give(i)
		this.#end = this.front
		this.#dropTable()
	}

	release(): void {
		this.clear()
		if (this.#promised) this.pool.leave()
	}

	#ownAt(index: number): boolean {
		return this.#promised && index === this.front && this.#guaranteed === NONE
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
		const spare = length === TABLE_MIN ? spareTables.pop() : undefined
		const table = spare ?? new Int32Array(length)
		for (let i = this.front; i < this.#end; i++) {
			table[i & (length - 1)] = this.#table[i & (this.#table.length - 1)]!
		}
		this.#dropTable()
		this.#table = table
	}

	#dropTable(): void {
		const table = this.#table
		this.#table = EMPTY
		if (table.length !== TABLE_MIN || spareTables.length === SPARE_MAX) return
		table.fill(0)
		spareTables.push(table)
	}
}
