// Damages valid input, for fuzzing: flips, cuts, splices, repeats and random bytes over a corpus.
// The same generator state gives the same input, so that a seed and a count name every one.

import type { Bytes } from '../../src/base/bytes.ts'
import { bytes, recorded } from '../support/vectors.ts'
import type { Rng } from './rng.ts'

/** What lengths, counters and positions do not expect. */
const EDGES = [0, 1, 15, 16, 47, 48, 63, 64, 127, 128, 192, 240, 254, 255]

/** Every packet recorded from the reference, both directions or one of them. */
export function referencePackets(dir?: 'C->S' | 'S->C'): Bytes[] {
	return recorded.scenarios
		.flatMap(({ packets }) => packets)
		.filter((packet) => dir === undefined || packet.dir === dir)
		.map(({ hex }) => bytes(hex))
}

/** The messages inside those packets: input for what stands behind the boxes. */
export function referenceMessages(): Bytes[] {
	return recorded.scenarios
		.flatMap(({ packets }) => packets)
		.flatMap(({ message }) => (message === undefined ? [] : [bytes(message.hex)]))
}

export class Mutator {
	readonly #rng: Rng
	readonly #corpus: readonly Bytes[]
	/** What an operation moves about. */
	readonly #scratch: Bytes

	/** Inputs are at most room bytes long. */
	constructor(rng: Rng, corpus: readonly Bytes[], room: number) {
		if (corpus.length === 0) throw new Error('an empty corpus')
		if (corpus.some((p) => p.length > room)) throw new Error('the corpus does not fit')
		this.#rng = rng
		this.#corpus = corpus
		this.#scratch = new Uint8Array(room)
	}

	/** Writes the next input to out[0, n) and returns n: untouched one time in sixteen. */
	next(out: Bytes): number {
		const rng = this.#rng
		const base = rng.pick(this.#corpus)
		out.set(base)
		let n = base.length
		if (rng.chance(1 / 16)) return n
		// Mostly one fault: several at once rarely get behind the first check.
		const faults = rng.chance(0.7) ? 1 : rng.between(2, 4)
		for (let i = 0; i < faults; i++) n = this.mutate(out, n)
		return n
	}

	/** One fault in p[0, n); returns the new length. */
	mutate(p: Bytes, n: number): number {
		const rng = this.#rng
		switch (n === 0 ? 6 : rng.below(9)) {
			case 0:
			case 1: return this.#flip(p, n)
			case 2: return this.#overwrite(p, n)
			case 3: return this.#cut(n)
			case 4: return this.#remove(p, n)
			case 5: return this.#repeat(p, n)
			case 6: return this.#extend(p, n)
			case 7: return this.#splice(p, n)
			default: return this.#randomize(p, n)
		}
	}

	#flip(p: Bytes, n: number): number {
		const bit = this.#rng.below(8 * n)
		p[bit >> 3] = p[bit >> 3]! ^ (1 << (bit & 7))
		return n
	}

	/** One to eight bytes of the kind that fields of numbers do not like. */
	#overwrite(p: Bytes, n: number): number {
		const rng = this.#rng
		const at = rng.below(n)
		const count = Math.min(n - at, 1 << rng.below(4))
		p.fill(rng.pick(EDGES), at, at + count)
		return n
	}

	/** Half of the cuts keep a multiple of 16, which is what a first check looks for. */
	#cut(n: number): number {
		const rest = this.#rng.below(n)
		return this.#rng.chance(0.5) ? rest & ~15 : rest
	}

	#remove(p: Bytes, n: number): number {
		const at = this.#rng.below(n)
		const count = this.#rng.between(1, n - at)
		p.copyWithin(at, at + count, n)
		return n - count
	}

	/** A piece once more, right behind itself. */
	#repeat(p: Bytes, n: number): number {
		const at = this.#rng.below(n)
		const count = Math.min(this.#rng.between(1, n - at), this.#scratch.length - n)
		p.copyWithin(at + count, at, n)
		return n + count
	}

	#extend(p: Bytes, n: number): number {
		const room = this.#scratch.length - n
		let count = this.#rng.between(0, Math.min(room, 256))
		if (this.#rng.chance(0.5)) count = Math.min(room, 16 * Math.ceil(count / 16))
		this.#rng.fill(p, n, count)
		return n + count
	}

	/** The head of this and the tail of another, at the same offset. */
	#splice(p: Bytes, n: number): number {
		const other = this.#rng.pick(this.#corpus)
		const at = this.#rng.below(Math.min(n, other.length))
		p.set(other.subarray(at), at)
		return other.length
	}

	#randomize(p: Bytes, n: number): number {
		const at = this.#rng.below(n)
		const count = this.#rng.between(1, Math.min(n - at, 32))
		this.#rng.fill(p, at, count)
		return n
	}
}
