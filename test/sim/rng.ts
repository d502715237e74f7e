// A seeded generator (sfc32) for all that a test leaves to chance: the same seed gives the same
// run on every machine. Not for secrets. A fork does not depend on what its parent draws later.

import type { Bytes } from '../../src/base/bytes.ts'
import type { Random } from '../../src/base/random.ts'

export class Rng implements Random {
	#a: number
	#b: number
	#c: number
	#counter = 1

	constructor(seed: number, stream = 0) {
		this.#a = seed >>> 0
		this.#b = Math.floor(seed / 0x100000000) >>> 0
		this.#c = stream >>> 0
		for (let i = 0; i < 15; i++) this.next()
	}

	/** A uniform integer of 32 bits. */
	next(): number {
		const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0
		this.#counter = (this.#counter + 1) | 0
		this.#a = this.#b ^ (this.#b >>> 9)
		this.#b = (this.#c + (this.#c << 3)) | 0
		this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
		return sum >>> 0
	}

	/** In [0, 1). */
	unit(): number {
		return this.next() / 0x100000000
	}

	/** A uniform integer in [0, bound), bound at most 2^32; 0 for a bound of 0. */
	below(bound: number): number {
		return Math.floor((this.next() / 0x100000000) * bound)
	}

	/** An integer in [low, high]. */
	between(low: number, high: number): number {
		return low + this.below(high - low + 1)
	}

	/** True with this probability; 0 and 1 draw nothing, so that unused faults leave no trace. */
	chance(probability: number): boolean {
		if (probability <= 0) return false
		return probability >= 1 || this.unit() < probability
	}

	pick<T>(items: readonly T[]): T {
		const item = items[this.below(items.length)]
		if (item === undefined) throw new Error('nothing to pick from')
		return item
	}

	fill(p: Bytes, at: number, n: number): void {
		for (let i = at; i < at + n; i++) p[i] = this.next() >>> 24
	}

	fork(): Rng {
		return new Rng(this.next(), this.next())
	}
}

/** SEED of the environment, else the test's own; written to the log either way. */
export function chooseSeed(log: (line: string) => void, usual: number): number {
	const seed = Number(process.env['SEED'] ?? usual)
	if (!Number.isSafeInteger(seed) || seed < 0) throw new Error('SEED is not a whole number')
	log(`seed ${seed}`)
	return seed
}
