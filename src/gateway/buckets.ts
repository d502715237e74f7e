// Token buckets in a fixed table. Keys share a bucket when their keyed hashes meet: memory stays
// what it is under any number of sources, and nobody can choose whose bucket he empties.

import { writeU32, type Bytes } from '../base/bytes.ts'
import { halfSipHash13 } from '../base/hash.ts'
import { SECOND, type Nanos } from '../base/time.ts'

export interface Rate {
	/** Packets a second in the long run; Infinity: no limit. */
	readonly perSecond: number
	/** Packets at once after a silence. */
	readonly burst: number
}

export class Buckets {
	readonly #rate: Rate
	/** Packets that each bucket still has, and beside it when that was. */
	readonly #buckets: Float64Array
	readonly #mask: number
	readonly #k0: number
	readonly #k1: number
	readonly #key: Bytes = new Uint8Array(4)

	/** count: a power of two. */
	constructor(count: number, rate: Rate, k0: number, k1: number) {
		this.#rate = rate
		this.#buckets = new Float64Array(2 * count)
		for (let i = 0; i < count; i++) this.#buckets[2 * i] = rate.burst
		this.#mask = count - 1
		this.#k0 = k0
		this.#k1 = k1
	}

	/** Takes one token for the key; false when its bucket is empty. */
	take(key: number, now: Nanos): boolean {
		if (this.#rate.perSecond === Infinity) return true
		writeU32(this.#key, 0, key)
		const i = 2 * (halfSipHash13(this.#key, 0, 1, this.#k0, this.#k1) & this.#mask)
		const gained = ((now - this.#buckets[i + 1]!) / SECOND) * this.#rate.perSecond
		const tokens = Math.min(this.#rate.burst, this.#buckets[i]! + gained)
		this.#buckets[i] = tokens < 1 ? tokens : tokens - 1
		this.#buckets[i + 1] = now
		return tokens >= 1
	}
}
