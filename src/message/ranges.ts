// What arrived out of order: disjoint ranges of stream positions in ascending order, on borrowed
// pieces while there are any. When there are too many, or no piece is to be had, none is added.

import { NONE, type PiecePool } from '../base/pieces.ts'
import { Shelf } from '../base/shelf.ts'

/** A peer that leaves more gaps than this sends again what it filled beyond. */
const RANGES_MAX = 8192

export class Ranges {
	/** Ranges are numbered on and on; those from first up to end are held. */
	#first = 0
	#end = 0
	readonly #pool: PiecePool
	/** Made for the first range: most streams come in order. */
	#shelf: Shelf | undefined

	constructor(pool: PiecePool) {
		this.#pool = pool
	}

	get count(): number {
		return this.#end - this.#first
	}

	/** One beyond the highest position, 0 without any. */
	get end(): number {
		return this.count === 0 ? 0 : this.stop(this.count - 1)
	}

	start(i: number): number {
		return this.#pool.doubles[this.#at(this.#first + i)]!
	}

	stop(i: number): number {
		return this.#pool.doubles[this.#at(this.#first + i) + 1]!
	}

	covers(start: number, stop: number): boolean {
		if (this.count === 0 || start >= this.end) return false
		const i = this.#from(stop)
		return i < this.count && this.start(i) <= start
	}

	/** False, and nothing changed, when there is no room for one more range. */
	add(start: number, stop: number): boolean {
		const { count } = this
		if (count > 0 && start === this.end) {
			this.#set(count - 1, this.start(count - 1), stop)
			return true
		}
		const from = count === 0 || start > this.end ? count : this.#from(start)
		let to = from
		while (to < count && this.start(to) <= stop) to++
		if (from === to) return this.#insert(from, start, stop)
		this.#set(from, Math.min(start, this.start(from)), Math.max(stop, this.stop(to - 1)))
		this.#remove(from + 1, to)
		return true
	}

	/** The contiguous end is at position now: what joins it is taken out, and moves it. */
	join(position: number): number {
		let end = position
		while (this.count > 0 && this.start(0) <= end) {
			end = Math.max(end, this.stop(0))
			this.#first++
		}
		if (this.count === 0) this.clear()
		else this.#shelf?.advance(Math.floor(this.#first / this.#inPiece))
		return end
	}

	clear(): void {
		this.#first = this.#end
		this.#shelf?.advance(Math.floor(this.#end / this.#inPiece))
		this.#shelf?.clear()
	}

	get #inPiece(): number {
		return this.#pool.pieceBytes / 16
	}

	/** The first range that ends at or after position; count when none does. */
	#from(position: number): number {
		let low = 0
		let high = this.count
		while (low < high) {
			const middle = (low + high) >> 1
			if (this.stop(middle) < position) low = middle + 1
			else high = middle
		}
		return low
	}

	#insert(i: number, start: number, stop: number): boolean {
		if (this.count === RANGES_MAX) return false
		this.#shelf ??= new Shelf(this.#pool, false)
		if (this.#shelf.borrow(Math.floor(this.#end / this.#inPiece)) === NONE) return false
		this.#end++
		for (let k = this.count - 1; k > i; k--) this.#set(k, this.start(k - 1), this.stop(k - 1))
		this.#set(i, start, stop)
		return true
	}

	#remove(from: number, to: number): void {
		if (to <= from) return
		const gone = to - from
		for (let k = to; k < this.count; k++) this.#set(k - gone, this.start(k), this.stop(k))
		this.#end -= gone
	}

	#set(i: number, start: number, stop: number): void {
		const at = this.#at(this.#first + i)
		this.#pool.doubles[at] = start
		this.#pool.doubles[at + 1] = stop
	}

	/** Where the range of this number lies: two doubles. */
	#at(number: number): number {
		const index = Math.floor(number / this.#inPiece)
		return 2 * (this.#shelf!.at(index) * this.#inPiece + number - index * this.#inPiece)
	}
}
