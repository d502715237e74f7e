// Randomness is handed in; the core has no source of its own. Tests pass a seeded one.

import type { Bytes } from './bytes.ts'

export interface Random {
	/** Fills p[at, at + n) with bytes that nobody can predict. */
	fill(p: Bytes, at: number, n: number): void
}

const scratch = new Uint8Array(8)

/** A uniform integer in [0, bound), bound at most 2^53. */
export function randomBelow(random: Random, bound: number): number {
	random.fill(scratch, 0, 7)
	let value = scratch[0]! & 31
	for (let i = 1; i < 7; i++) value = value * 256 + scratch[i]!
	return Math.floor((value / 0x20000000000000) * bound)
}
