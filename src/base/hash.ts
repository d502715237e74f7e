// HalfSipHash-1-3: a short keyed hash for tables whose keys strangers choose (connections, routes,
// flows). It keeps them from aiming at one bucket; it authenticates nothing.

import type { Bytes } from './bytes.ts'
import { readU32 } from './bytes.ts'

/**
 * The hash of `words` 32-bit little-endian words at p[at] under the key (k0, k1). The result is a
 * signed 32-bit integer, so that it is never boxed: mask it to the table's size.
 */
export function halfSipHash13(p: Bytes, at: number, words: number, k0: number, k1: number): number {
	let v0 = k0 | 0
	let v1 = k1 | 0
	let v2 = 0x6c796765 ^ k0
	let v3 = 0x74656462 ^ k1
	// One round a word, then one for the length, then three to finish.
	for (let i = 0; i < words + 4; i++) {
		const word = i < words ? readU32(p, at + 4 * i) | 0 : i === words ? words << 26 : 0
		v3 ^= word
		v0 = (v0 + v1) | 0
		v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
		v0 = (v0 << 16) | (v0 >>> 16)
		v2 = (v2 + v3) | 0
		v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
		v0 = (v0 + v3) | 0
		v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
		v2 = (v2 + v1) | 0
		v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
		v2 = (v2 << 16) | (v2 >>> 16)
		v0 ^= word
		if (i === words) v2 ^= 0xff
	}
	return v1 ^ v3
}
