// The box: the only cryptography that the core knows, as an interface. Implementations wrap audited
// libraries; they work in place, at offsets, on memory that the caller owns. spec: protocol.md 0.2

import type { Bytes } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'

export const KEY_BYTES = 32
export const NONCE_BYTES = 24
export const BOX_OVERHEAD = 16

export interface Box {
	readonly name: string

	/** Fills a fresh secret key and its public key. */
	keypair(publicKey: Bytes, secretKey: Bytes, random: Random): void

	/** The public key of a secret key. */
	publicOf(publicKey: Bytes, secretKey: Bytes): void

	/**
	 * The shared key of their public key, at theirs[at, at + 32), and our secret key. False, and
	 * shared untouched, when the agreement fails or is all zero (low-order points).
	 */
	beforenm(shared: Bytes, theirs: Bytes, at: number, ourSecret: Bytes): boolean

	/** Encrypts p[at, at + n) where it stands and writes the tag to the 16 bytes before it. */
	seal(p: Bytes, at: number, n: number, nonce: Bytes, key: Bytes): void

	/**
	 * Opens ciphertext p[at, at + n) with its tag in the 16 bytes before it, in place. False on a
	 * wrong tag, and then not a byte has changed.
	 */
	open(p: Bytes, at: number, n: number, nonce: Bytes, key: Bytes): boolean

	/** Constant-time comparison of secrets. */
	equal(a: Bytes, aAt: number, b: Bytes, bAt: number, n: number): boolean

	/** Overwrites a secret. */
	purge(secret: Bytes): void
}
