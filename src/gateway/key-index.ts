// Key → row number in memory that is made once: open addressing under a keyed hash, at most half
// full. A row keeps its number while it lives, so its owner may hold columns of facts against it.

import { assert } from '../base/assert.ts'
import { copy, same, type Bytes } from '../base/bytes.ts'
import { halfSipHash13 } from '../base/hash.ts'

/** Keys that may be expected at once. */
export const EXPECTED_MAX = 64

export class KeyIndex {
	readonly capacity: number
	/** Rows in use. */
	count = 0
	/** Size of a key; a multiple of four. */
	readonly keyBytes: number
	/** From one row to the next; what follows its key in a row is its owner's. */
	readonly rowBytes: number
	/** Each row begins with its key. */
	readonly keys: Bytes
	/** Row number + 1 at its hash place; 0: empty. */
	readonly #places: Int32Array
	readonly #mask: number
	/** Rows given back, last in first out. */
	readonly #free: Int32Array
	#freeCount = 0
	readonly #k0: number
	readonly #k1: number
	/** Hash places of expected keys, then their rows. */
	readonly #expected = new Int32Array(EXPECTED_MAX)
	/** Of no use to anybody, but reads without a use would not be made. */
	fetched = 0

	constructor(
		capacity: number, keyBytes: number, k0: number, k1: number, rowBytes = keyBytes,
	) {
		assert(capacity >= 1 && capacity <= 1 << 24, 'between 1 and 16 million rows')
		assert(keyBytes % 4 === 0, 'keys are whole words')
		this.capacity = capacity
		this.keyBytes = keyBytes
		this.rowBytes = rowBytes
		this.keys = new Uint8Array(capacity * rowBytes)
		let places = 2
		while (places < 2 * capacity) places *= 2
		this.#places = new Int32Array(places)
		this.#mask = places - 1
		this.#free = new Int32Array(capacity)
		this.#k0 = k0
		this.#k1 = k1
	}

	/** Every row in use is below this. */
	get rows(): number {
		return this.count + this.#freeCount
	}

	/** The row of the key at p[at], or -1. */
	find(p: Bytes, at: number): number {
		return this.#places[this.#placeOf(p, at)]! - 1
	}

	/** The key at p[at] will be looked for soon, as number i of at most EXPECTED_MAX. */
	expect(i: number, p: Bytes, at: number): void {
		this.#expected[i] = this.#home(p, at)
	}

	/**
	 * Reads what find will read for the first n expected keys, one step for all after the other: in
	 * a large index each read is far from the processor, and together they take as long as one.
	 */
	fetch(n: number): void {
		const expected = this.#expected
		for (let i = 0; i < n; i++) expected[i] = this.#places[expected[i]!]! - 1
		let read = 0
		for (let i = 0; i < n; i++) if (expected[i]! >= 0) read ^= this.#firstOf(expected[i]!)
		this.fetched = read
	}

	#firstOf(row: number): number {
		return this.keys[row * this.rowBytes]!
	}

	/** The row of the key at p[at], a new one if need be; -1 when that does not fit. */
	insert(p: Bytes, at: number): number {
		const place = this.#placeOf(p, at)
		const old = this.#places[place]! - 1
		if (old >= 0 || this.count === this.capacity) return old
		const row = this.#freeCount > 0 ? this.#free[--this.#freeCount]! : this.count
		this.#places[place] = row + 1
		copy(this.keys, row * this.rowBytes, p, at, this.keyBytes)
		this.count++
		return row
	}

	/** Gives the row of a key back and says which it was; -1 when the key was not there. */
	remove(p: Bytes, at: number): number {
		let hole = this.#placeOf(p, at)
		const row = this.#places[hole]! - 1
		if (row < 0) return -1
		this.#free[this.#freeCount++] = row
		this.count--
		// Those behind the hole move up, unless that would put one before its own hash place.
		let place = (hole + 1) & this.#mask
		while (this.#places[place] !== 0) {
			const home = this.#home(this.keys, (this.#places[place]! - 1) * this.rowBytes)
			if (((place - home) & this.#mask) >= ((place - hole) & this.#mask)) {
				this.#places[hole] = this.#places[place]!
				hole = place
			}
			place = (place + 1) & this.#mask
		}
		this.#places[hole] = 0
		return row
	}

	#home(p: Bytes, at: number): number {
		return halfSipHash13(p, at, this.keyBytes >> 2, this.#k0, this.#k1) & this.#mask
	}

	/** Where the key stands, or the empty place where it would go. */
	#placeOf(p: Bytes, at: number): number {
		const n = this.keyBytes
		let place = this.#home(p, at)
		for (;;) {
			const row = this.#places[place]! - 1
			if (row < 0 || same(this.keys, row * this.rowBytes, p, at, n)) return place
			place = (place + 1) & this.#mask
		}
	}
}
