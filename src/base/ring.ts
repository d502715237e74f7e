// A window over a byte stream, addressed by stream position, on pieces borrowed from a pool. It
// knows nothing of what is valid: its owner does. Between front and front + capacity all is
// storable.

import type { Bytes } from './bytes.ts'
import { NONE, type PiecePool } from './pieces.ts'
import { Shelf } from './shelf.ts'

export class Ring {
	/** Positions from front to front + capacity can be stored. */
	readonly capacity: number
	/** The first position that is kept. */
	front = 0
	readonly #pool: PiecePool
	readonly #shelf: Shelf
	readonly #pieceBytes: number
	/** One beyond the highest position ever stored. */
	#end = 0

	constructor(pool: PiecePool, capacity: number) {
		this.capacity = capacity
		this.#pool = pool
		this.#pieceBytes = pool.pieceBytes
		this.#shelf = new Shelf(pool)
	}

	/** The memory that window addresses. */
	get bytes(): Bytes {
		return this.#pool.bytes
	}

	get piecesHeld(): number {
		return this.#shelf.held
	}

	/**
	 * Stores p[at, at + n) at position. Returns how many bytes, from the first on, found memory:
	 * fewer than n when the pool is dry. All of it lies within the capacity.
	 */
	store(position: number, p: Bytes, at: number, n: number): number {
		let done = 0
		while (done < n) {
			const index = Math.floor((position + done) / this.#pieceBytes)
			const inPiece = position + done - index * this.#pieceBytes
			const piece = this.#shelf.borrow(index)
			if (piece === NONE) break
			const count = Math.min(n - done, this.#pieceBytes - inPiece)
			this.#pool.copyIn(piece * this.#pieceBytes + inPiece, p, at + done, count)
			done += count
		}
		if (done > 0 && position + done > this.#end) this.#end = position + done
		return done
	}

	/** Copies what was stored at position to p[at, at + n). */
	load(position: number, p: Bytes, at: number, n: number): void {
		let done = 0
		while (done < n) {
			const index = Math.floor((position + done) / this.#pieceBytes)
			const inPiece = position + done - index * this.#pieceBytes
			const count = Math.min(n - done, this.#pieceBytes - inPiece)
			const address = this.#shelf.at(index) * this.#pieceBytes + inPiece
			this.#pool.copyOut(address, p, at + done, count)
			done += count
		}
	}

	/** Where position lies in bytes; it was stored. */
	address(position: number): number {
		const index = Math.floor(position / this.#pieceBytes)
		return this.#shelf.at(index) * this.#pieceBytes + position - index * this.#pieceBytes
	}

	/** From position to the end of its piece: what lies in one stretch of bytes. */
	stretch(position: number): number {
		return this.#pieceBytes - (position % this.#pieceBytes)
	}

	/** How many bytes from position on could be stored now, if all were given at once. */
	room(position: number): number {
		const left = this.front + this.capacity - position
		const index = Math.floor(position / this.#pieceBytes)
		const here = this.#shelf.at(index) === NONE ? 0 : (index + 1) * this.#pieceBytes - position
		const more = this.#shelf.borrowable(here === 0 ? index : index + 1) * this.#pieceBytes
		return Math.max(0, Math.min(left, here + more))
	}

	/** Forgets what lies before position. When nothing is left, nothing stays borrowed. */
	advance(position: number): void {
		this.front = position
		this.#shelf.advance(Math.floor(position / this.#pieceBytes))
		if (position >= this.#end) this.#shelf.clear()
	}

	release(): void {
		this.#shelf.release()
	}
}
