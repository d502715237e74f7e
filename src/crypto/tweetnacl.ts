// The portable Box: tweetnacl, in place. Its secretbox wants 32 zero bytes before the plaintext,
// which would lie over header and nonce: those bytes are kept aside while its stream runs over
// them.

import nacl from 'tweetnacl'
import { copy, fill, type Bytes } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import { BOX_OVERHEAD, KEY_BYTES, type Box } from './box.ts'
import { lowlevel } from './lowlevel.ts'

/**
 * X25519: our secret, their public key → the agreement; undefined when the library refuses the key.
 */
export type Agree = (secret: Bytes, theirs: Bytes) => Bytes | undefined

const BASE_POINT = new Uint8Array(KEY_BYTES)
BASE_POINT[0] = 9
const SIGMA = new Uint8Array([...'expand 32-byte k'].map((c) => c.charCodeAt(0)))
const ZEROS = new Uint8Array(KEY_BYTES)

/** agree: the platform's faster X25519 when it has one. */
export function makeTweetnacl(agree: Agree = nacl.scalarMult): Box {
	const aside = new Uint8Array(KEY_BYTES)
	const authKey = new Uint8Array(KEY_BYTES)
	const theirKey = new Uint8Array(KEY_BYTES)

	/** Runs the stream over p[at, at + n) from its 33rd byte on, leaving all else as it was. */
	function xor(p: Bytes, at: number, n: number, nonce: Bytes, key: Bytes): void {
		copy(aside, 0, p, at - KEY_BYTES, KEY_BYTES)
		fill(p, at - KEY_BYTES, KEY_BYTES, 0)
		lowlevel.crypto_stream_xor(p, at - KEY_BYTES, p, at - KEY_BYTES, n + KEY_BYTES, nonce, key)
		copy(p, at - KEY_BYTES, aside, 0, KEY_BYTES)
		aside.fill(0)
	}

	const box: Box = {
		name: 'tweetnacl',

		keypair(publicKey: Bytes, secretKey: Bytes, random: Random): void {
			random.fill(secretKey, 0, KEY_BYTES)
			box.publicOf(publicKey, secretKey)
		},

		publicOf(publicKey: Bytes, secretKey: Bytes): void {
			publicKey.set(agree(secretKey, BASE_POINT) ?? nacl.scalarMult.base(secretKey))
		},

		beforenm(shared: Bytes, theirs: Bytes, at: number, ourSecret: Bytes): boolean {
			copy(theirKey, 0, theirs, at, KEY_BYTES)
			const agreement = agree(ourSecret, theirKey)
			if (agreement === undefined || box.equal(agreement, 0, ZEROS, 0, KEY_BYTES)) return false
			lowlevel.crypto_core_hsalsa20(shared, ZEROS, agreement, SIGMA)
			agreement.fill(0)
			return true
		},

		seal(p: Bytes, at: number, n: number, nonce: Bytes, key: Bytes): void {
			lowlevel.crypto_stream(authKey, 0, KEY_BYTES, nonce, key)
			xor(p, at, n, nonce, key)
			lowlevel.crypto_onetimeauth(p, at - BOX_OVERHEAD, p, at, n, authKey)
			authKey.fill(0)
		},

		open(p: Bytes, at: number, n: number, nonce: Bytes, key: Bytes): boolean {
			lowlevel.crypto_stream(authKey, 0, KEY_BYTES, nonce, key)
			const tag = at - BOX_OVERHEAD
			const right = lowlevel.crypto_onetimeauth_verify(p, tag, p, at, n, authKey) === 0
			authKey.fill(0)
			if (right) xor(p, at, n, nonce, key)
			return right
		},

		equal(a: Bytes, aAt: number, b: Bytes, bAt: number, n: number): boolean {
			let different = 0
			for (let i = 0; i < n; i += 16) different |= lowlevel.crypto_verify_16(a, aAt + i, b, bAt + i)
			return different === 0
		},

		purge(secret: Bytes): void {
			secret.fill(0)
		},
	}
	return box
}
