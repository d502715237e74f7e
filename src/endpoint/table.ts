// Connections by C', the client's short-term key: one look-up for each packet. Open addressing
// under a keyed hash, since strangers choose the keys; fixed memory, at most half full.

import { copy, same, type Bytes } from '../base/bytes.ts'
import { halfSipHash13 } from '../base/hash.ts'
import { toHex } from '../base/hex.ts'
import type { Random } from '../base/random.ts'

const KEY_BYTES = 32
const EMPTY = -1
const NONE = -1

export class ConnectionTable {
	size = 0
	readonly #mask: number
	/** The row that stands in a bucket, or EMPTY. */
	readonly #buckets: Int32Array
	/** Row r's key is at 32 r. */
	readonly #keys: Bytes
	readonly #seed = new Int32Array(2)
	/** Found last: packets come in trains. NONE: it is gone. */
	#last = NONE

	constructor(rows: number, random: Random) {
		let buckets = 2
		while (buckets < 2 * rows) buckets *= 2
		this.#mask = buckets - 1
		this.#buckets = new Int32Array(buckets).fill(EMPTY)
		this.#keys = new Uint8Array(rows * KEY_BYTES)
		random.fill(new Uint8Array(this.#seed.buffer), 0, 8)
	}

	/** The row whose key stands at p[at], or -1. */
	find(p: Bytes, at: number): number {
		const last = this.#last
		if (last !== NONE && same(this.#keys, last * KEY_BYTES, p, at, KEY_BYTES)) return last
		for (let bucket = this.#hash(p, at); ; bucket = (bucket + 1) & this.#mask) {
			const row = this.#buckets[bucket]!
			if (row === EMPTY) return row
			if (!same(this.#keys, row * KEY_BYTES, p, at, KEY_BYTES)) continue
			this.#last = row
			return row
		}
	}

	/** The key of a row that is in the table, as text. */
	keyOf(row: number): string {
		return toHex(this.#keys, row * KEY_BYTES, KEY_BYTES)
	}

	/** Enters a row that is not in the table under a key that is not in it either. */
	insert(row: number, p: Bytes, at: number): void {
		copy(this.#keys, row * KEY_BYTES, p, at, KEY_BYTES)
		let bucket = this.#hash(p, at)
		while (this.#buckets[bucket] !== EMPTY) bucket = (bucket + 1) & this.#mask
		this.#buckets[bucket] = row
		this.size++
	}

	/** Takes a row out and moves back whom its absence would hide. */
	remove(row: number): void {
		if (this.#last === row) this.#last = NONE
		let hole = this.#hash(this.#keys, row * KEY_BYTES)
		while (this.#buckets[hole] !== row) hole = (hole + 1) & this.#mask
		for (let bucket = (hole + 1) & this.#mask; this.#buckets[bucket] !== EMPTY;
			bucket = (bucket + 1) & this.#mask) {
			const home = this.#hash(this.#keys, this.#buckets[bucket]! * KEY_BYTES)
			if (((bucket - home) & this.#mask) < ((bucket - hole) & this.#mask)) continue
			this.#buckets[hole] = this.#buckets[bucket]!
			hole = bucket
		}
		this.#buckets[hole] = EMPTY
		this.#keys.fill(0, row * KEY_BYTES, (row + 1) * KEY_BYTES)
		this.size--
	}

	#hash(p: Bytes, at: number): number {
		const hash = halfSipHash13(p, at, KEY_BYTES / 4, this.#seed[0]!, this.#seed[1]!)
		return hash & this.#mask
	}
}
