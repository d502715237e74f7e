// A small seeded generator for models and fuzzing (xorshift128): the same seed, the same cases.

import type { Random } from '../../src/base/random.ts'

export interface Generator extends Random {
	/** A uniform integer in [0, bound), bound at most 2^32. */
	below(bound: number): number
}

export function makeGenerator(seed: number): Generator {
	let x = (seed | 0) ^ 0x9e3779b9
	let y = 362436069
	let z = 521288629
	let w = 88675123
	const next = (): number => {
		const t = x ^ (x << 11)
		x = y
		y = z
		z = w
		w = w ^ (w >>> 19) ^ t ^ (t >>> 8)
		return w >>> 0
	}
	for (let i = 0; i < 20; i++) next()
	return {
		below: (bound) => Math.floor((next() / 0x100000000) * bound),
		fill: (p, at, n) => {
			for (let i = 0; i < n; i++) p[at + i] = next() >>> 24
		},
	}
}
