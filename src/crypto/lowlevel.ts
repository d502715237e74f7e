// The functions of tweetnacl that work on the caller's memory; its own types leave them out.

import nacl from 'tweetnacl'
import type { Bytes } from '../base/bytes.ts'

interface Lowlevel {
	crypto_stream(c: Bytes, at: number, n: number, nonce: Bytes, key: Bytes): number
	crypto_stream_xor(
		c: Bytes, cAt: number, m: Bytes, mAt: number, n: number, nonce: Bytes, key: Bytes,
	): number
	crypto_onetimeauth(out: Bytes, outAt: number, m: Bytes, at: number, n: number, key: Bytes): number
	/** 0 when the 16 bytes at h[hAt] are the authenticator, -1 otherwise. */
	crypto_onetimeauth_verify(
		h: Bytes, hAt: number, m: Bytes, at: number, n: number, key: Bytes,
	): number
	crypto_verify_16(a: Bytes, aAt: number, b: Bytes, bAt: number): number
	crypto_core_hsalsa20(out: Bytes, input: Bytes, key: Bytes, constant: Bytes): void
}

export const lowlevel: Lowlevel = (nacl as typeof nacl & { lowlevel: Lowlevel }).lowlevel
