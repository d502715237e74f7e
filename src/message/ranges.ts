// What arrived out of order: disjoint ranges of stream positions in ascending order, on one borrowed
// piece while there are any. When the piece is full, or none is to be had, nothing more is taken.

import { NONE, type PiecePool } from '../base/pieces.ts'

export class Ranges {
	count = 0
	readonly #pool: PiecePool
	readonly #doubles: Float64Array
	readonly #max: number
	#piece = NONE
	/** Index of the first range's start in #doubles; each range is start and stop. */
	#at = 0

	constructor(pool: PiecePool) {
		this.#pool = pool
		this.#doubles = pool.doubles
		this.#max = pool.pieceBytes / 16
	}

	start(i: number): number {
		return this.#doubles[this.#at + 2 * i]!
	}

	stop(i: number): number {
		return this.#doubles[this.#at + 2 * i + 1]!
	}

	/** One beyond the highest position, 0 without any. */
	get end(): number {
		return this.count === 0 ? 0 : this.stop(this.count - 1)
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

	covers(start: number, stop: number): boolean {
		if (this.count === 0 || start >= this.end) return false
		const i = this.#from(stop)
		return i < this.count && this.start(i) <= start
	}

	/** False, and nothing changed, when there is no memory for one more range. */
	add(start: number, stop: number): boolean {
		if (this.count > 0 && start === this.end) {
			this.#doubles[this.#at + 2 * this.count - 1] = stop
			return true
		}
		const from = this.count === 0 || start > this.end ? this.count : this.#from(start)
		let to = from
		while (to < this.count && this.start(to) <= stop) to++
		if (from === to) return this.#insert(from, start, stop)
		const first = Math.min(start, this.start(from))
		const last = Math.max(stop, this.stop(to - 1))
		this.#doubles[this.#at + 2 * from] = first
		this.#doubles[this.#at + 2 * from + 1] = last
		this.#remove(from + 1, to)
		return true
	}

	/** The contiguous end is at position now: what joins it is taken out, and moves it. */
	join(position: number): number {
		let end = position
		let joined = 0
		while (joined < this.count && this.start(joined) <= end) {
			end = Math.max(end, this.stop(joined))
			joined++
		}
		this.count -= joined
		this.#at += 2 * joined
		if (this.count === 0) this.clear()
		return end
	}

	clear(): void {
		this.count = 0
		if (this.#piece === NONE) return
		this.#pool.give(this.#piece, false)
		this.#piece = NONE
	}

	#insert(i: number, start: number, stop: number): boolean {
		if (this.#piece === NONE) {
			this.#piece = this.#pool.take(false)
			if (this.#piece === NONE) return false
			this.#at = this.#base
		}
		if (this.count === this.#max) return false
		if (this.#at + 2 * this.count === this.#base + 2 * this.#max) {
			this.#doubles.copyWithin(this.#base, this.#at, this.#at + 2 * this.count)
			this.#at = this.#base
		}
		const at = this.#at + 2 * i
		for (let k = this.#at + 2 * this.count - 1; k >= at; k--) {
			this.#doubles[k + 2] = this.#doubles[k]!
		}
		this.#doubles[at] = start
		this.#doubles[at + 1] = stop
		this.count++
		return true
	}

	#remove(from: number, to: number): void {
		const n = to - from
		if (n <= 0) return
		const end = this.#at + 2 * this.count
		for (let k = this.#at + 2 * to; k < end; k++) this.#doubles[k - 2 * n] = this.#doubles[k]!
		this.count -= n
	}

	get #base(): number {
		return (this.#piece * this.#pool.pieceBytes) / 8
	}
}
