// A timer heap of fixed capacity: which of the rows 0 … capacity - 1 wakes next. Every row has at
// most one time; setting it moves it. Nothing is allocated after construction.

import { NEVER, type Nanos } from './time.ts'

export class TimerHeap {
	/** Rows in heap order; only the first #size count. */
	readonly #rows: Int32Array
	/** A row's place in #rows, -1 when it has no time. */
	readonly #place: Int32Array
	readonly #at: Float64Array
	#size = 0

	constructor(capacity: number) {
		this.#rows = new Int32Array(capacity)
		this.#place = new Int32Array(capacity).fill(-1)
		this.#at = new Float64Array(capacity)
	}

	/** The earliest time; NEVER when no row has one. */
	nextAt(): Nanos {
		return this.#size === 0 ? NEVER : this.#at[this.#rows[0]!]!
	}

	/** The row of the earliest time, -1 when there is none. */
	next(): number {
		return this.#size === 0 ? -1 : this.#rows[0]!
	}

	/** Gives a row its time; NEVER takes it out. */
	set(row: number, at: Nanos): void {
		const place = this.#place[row]!
		if (at === NEVER) {
			if (place >= 0) this.#remove(place)
			return
		}
		if (place < 0) {
			this.#at[row] = at
			this.#up(this.#size++, row)
		} else if (at !== this.#at[row]) {
			const earlier = at < this.#at[row]!
			this.#at[row] = at
			if (earlier) this.#up(place, row)
			else this.#down(place, row)
		}
	}

	#remove(place: number): void {
		this.#place[this.#rows[place]!] = -1
		const last = this.#rows[--this.#size]!
		if (place === this.#size) return
		this.#up(place, last)
		this.#down(this.#place[last]!, last)
	}

	#up(place: number, row: number): void {
		const at = this.#at[row]!
		while (place > 0) {
			const parent = (place - 1) >> 1
			if (this.#at[this.#rows[parent]!]! <= at) break
			this.#put(place, this.#rows[parent]!)
			place = parent
		}
		this.#put(place, row)
	}

	#down(place: number, row: number): void {
		const at = this.#at[row]!
		for (;;) {
			let child = 2 * place + 1
			if (child >= this.#size) break
			if (child + 1 < this.#size
				&& this.#at[this.#rows[child + 1]!]! < this.#at[this.#rows[child]!]!) child++
			if (this.#at[this.#rows[child]!]! >= at) break
			this.#put(place, this.#rows[child]!)
			place = child
		}
		this.#put(place, row)
	}

	#put(place: number, row: number): void {
		this.#rows[place] = row
		this.#place[row] = place
	}
}
