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
	let value = 0
	for (let i = 0; i < 7; i++) value = value * (i === 0 ? 1 : 256) + (i === 0 ? scratch[i]! & 31 : scratch[i]!)
	return Math.floor((value / 0x20000000000000) * bound)
}
