// The 24-byte nonces: a text that names the use, then what the packet carries. One array a use and
// session, the text written once, 8 or 16 bytes renewed for each packet. spec: protocol.md 0.2, 1.7

import type { Bytes } from '../base/bytes.ts'
import { copy, readU32, writeU32 } from '../base/bytes.ts'
import { randomBelow, type Random } from '../base/random.ts'
import { NONCE_BYTES } from './box.ts'

export const CLIENT_HELLO = 'CurveCP-client-H'
export const CLIENT_INITIATE = 'CurveCP-client-I'
export const CLIENT_MESSAGE = 'CurveCP-client-M'
export const SERVER_MESSAGE = 'CurveCP-server-M'
export const COOKIE = 'CurveCPK'
export const MINUTE = 'minute-k'
export const VOUCH = 'CurveCPV'

/** Where the 8-byte counter and the 16 random bytes stand in a nonce. */
const COUNTER = 16
const LONG = 8
const LONG_BYTES = 16

/** A nonce with its text in place and zeros behind it. */
export function makeNonce(prefix: string): Bytes {
	const nonce = new Uint8Array(NONCE_BYTES)
	for (let i = 0; i < prefix.length; i++) nonce[i] = prefix.charCodeAt(i)
	return nonce
}

/** Takes the 8-byte counter that a packet carries at p[at]. */
export function takeCounter(nonce: Bytes, p: Bytes, at: number): void {
	copy(nonce, COUNTER, p, at, 8)
}

/** Takes the 16 bytes that a packet carries at p[at]. */
export function takeLong(nonce: Bytes, p: Bytes, at: number): void {
	copy(nonce, LONG, p, at, LONG_BYTES)
}

/** Fresh 16 bytes into nonce and packet: as safe as counted ones, and nothing to keep on a disk. */
export function freshLong(nonce: Bytes, p: Bytes, at: number, random: Random): void {
	random.fill(nonce, LONG, LONG_BYTES)
	copy(p, at, nonce, LONG, LONG_BYTES)
}

/** The strictly increasing u64 of one sender, as two halves. */
export class NonceCounter {
	#low: number
	#high: number

	/** Starts at a uniform random integer below 2^48, as the reference does. */
	constructor(random: Random) {
		const start = randomBelow(random, 2 ** 48)
		this.#low = start >>> 0
		this.#high = Math.floor(start / 2 ** 32)
	}

	/** Steps, then writes the new value to packet and nonce. 2^63 steps are out of reach: no wrap. */
	next(nonce: Bytes, p: Bytes, at: number): void {
		this.#low = (this.#low + 1) >>> 0
		if (this.#low === 0) this.#high = (this.#high + 1) >>> 0
		writeU32(p, at, this.#low)
		writeU32(p, at + 4, this.#high)
		takeCounter(nonce, p, at)
	}
}

export { readU32 as nonceLow }

/** The high half of the u64 nonce at p[at]. */
export function nonceHigh(p: Bytes, at: number): number {
	return readU32(p, at + 4)
}
