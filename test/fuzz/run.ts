// Runs one target over damaged inputs, as many as it is told; every input follows from the seed.

import { toHex } from '../../src/base/hex.ts'
import { Mutator } from '../sim/fault.ts'
import { Rng } from '../sim/rng.ts'
import { ROOM, type Target } from './targets.ts'

/** One target on its way: its inputs so far, and what became of them. */
export class Run {
	inputs = 0
	readonly outcomes: Map<string, number> = new Map()
	readonly target: Target
	readonly #seed: number
	readonly #take: (p: Uint8Array, n: number) => string
	readonly #mutator: Mutator
	readonly #p = new Uint8Array(ROOM)
	/** The input as it was: a target may work in place. */
	readonly #kept = new Uint8Array(ROOM)

	constructor(target: Target, seed: number) {
		const rng = new Rng(seed)
		this.target = target
		this.#seed = seed
		this.#take = target.start(rng.fork())
		this.#mutator = new Mutator(rng, target.corpus, ROOM)
	}

	/** Throws with seed, number and bytes of the input that broke the target. */
	go(count: number): void {
		for (let i = 0; i < count; i++) {
			const n = this.#mutator.next(this.#p)
			this.#kept.set(this.#p)
			this.inputs++
			const outcome = this.#try(n)
			this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
		}
	}

	#try(n: number): string {
		try {
			return this.#take(this.#p, n)
		} catch (cause) {
			const where = `${this.target.name}, seed ${this.#seed}, input ${this.inputs}`
			throw new Error(`${where}: ${String(cause)}\n${toHex(this.#kept, 0, n)}`, { cause })
		}
	}
}

/** `magic 12, length 30`, the most frequent first. */
export function describe(outcomes: ReadonlyMap<string, number>): string {
	return [...outcomes].toSorted((a, b) => b[1] - a[1])
		.map(([outcome, count]) => `${outcome} ${count}`).join(', ')
}
