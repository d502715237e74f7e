// The process's one source of randomness: the kernel's, through node:crypto, in pages so that a
// packet does not pay for a system call. What was handed out is wiped from the page.

import { randomFillSync } from 'node:crypto'
import type { Bytes } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'

const POOL_BYTES = 4096

/** source fills the whole array; a test brings its own. */
export function makeEntropy(source: (pool: Bytes) => void = randomFillSync): Random {
	const pool = new Uint8Array(POOL_BYTES)
	let used = POOL_BYTES

	return {
		fill(p: Bytes, at: number, n: number): void {
			for (let i = at; i < at + n; i++) {
				if (used === POOL_BYTES) {
					source(pool)
					used = 0
				}
				p[i] = pool[used]!
				pool[used++] = 0
			}
		},
	}
}
