// Sealed extensions: a local address that only gateways with the key can read, different for every
// client. SIV: the tag authenticates the plaintext and is the nonce of its encryption, so that a
// repeated salt tells nothing but equality. Two HSalsa20 calls each way. spec: gateway.md 3

import { copy, fill, type Bytes } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import { lowlevel } from '../crypto/lowlevel.ts'

// A sealed extension:
//  0 : 1 : epoch (bits 7–5), type 16 (bits 4–0)
//  1 : 8 : tag
//  9 : 7 : encrypted:
//          0 : 1 : index of the fence entry
//          1 : 3 : host number in its prefix, big-endian
//          4 : 3 : salt
// 16

export const TYPE_SEALED = 16
export const EPOCHS = 8
export const SEAL_KEY_BYTES = 32
const TAG = 1
const TAG_BYTES = 8
const SECRET = 9
const SECRET_BYTES = 7
const SALT = 4
const SALT_BYTES = 3

// What the sixteen input bytes of each of the two calls end with keeps the calls apart.
const FOR_TAG = ascii('seal-tag')
const FOR_SECRET = ascii('seal-xor')
const SIGMA = ascii('expand 32-byte k')

export interface SealKeys {
	/** By epoch, 0 to 7; undefined: extensions of that epoch are refused. */
	readonly keys: readonly (Bytes | undefined)[]
	/** The epoch that new extensions are made with. */
	readonly current: number
}

export class Sealer {
	readonly #keys: readonly (Bytes | undefined)[]
	readonly #current: number
	readonly #input: Bytes = new Uint8Array(16)
	readonly #output: Bytes = new Uint8Array(32)
	readonly #ours: Bytes = new Uint8Array(16)
	readonly #theirs: Bytes = new Uint8Array(16)
	/** Plaintext of the extension opened last. */
	readonly #plain: Bytes = new Uint8Array(SECRET_BYTES)

	constructor(keys: SealKeys) {
		this.#keys = keys.keys
		this.#current = keys.current
	}

	/** Makes an extension at to[at]; false when the current epoch has no key. */
	seal(to: Bytes, at: number, entry: number, host: number, random: Random): boolean {
		const key = this.#keys[this.#current]
		if (key === undefined) return false
		const plain = this.#plain
		plain[0] = entry
		plain[1] = host >>> 16
		plain[2] = host >>> 8
		plain[3] = host
		random.fill(plain, SALT, SALT_BYTES)
		to[at] = (this.#current << 5) | TYPE_SEALED
		this.#tag(to[at]!, key)
		copy(to, at + TAG, this.#output, 0, TAG_BYTES)
		this.#stream(to, at + TAG, key)
		for (let i = 0; i < SECRET_BYTES; i++) to[at + SECRET + i] = plain[i]! ^ this.#output[i]!
		plain.fill(0)
		return true
	}

	/** Opens the sealed extension at p[at]: true, then entry and host tell where it leads. */
	open(p: Bytes, at: number): boolean {
		const key = this.#keys[p[at]! >> 5]
		if (key === undefined) return false
		this.#stream(p, at + TAG, key)
		for (let i = 0; i < SECRET_BYTES; i++) this.#plain[i] = p[at + SECRET + i]! ^ this.#output[i]!
		this.#tag(p[at]!, key)
		copy(this.#ours, 0, this.#output, 0, TAG_BYTES)
		copy(this.#theirs, 0, p, at + TAG, TAG_BYTES)
		return lowlevel.crypto_verify_16(this.#ours, 0, this.#theirs, 0) === 0
	}

	get entry(): number {
		return this.#plain[0]!
	}

	get host(): number {
		return (this.#plain[1]! << 16) | (this.#plain[2]! << 8) | this.#plain[3]!
	}

	#tag(first: number, key: Bytes): void {
		this.#input[0] = first
		copy(this.#input, 1, this.#plain, 0, SECRET_BYTES)
		copy(this.#input, 8, FOR_TAG, 0, 8)
		lowlevel.crypto_core_hsalsa20(this.#output, this.#input, key, SIGMA)
	}

	#stream(p: Bytes, at: number, key: Bytes): void {
		copy(this.#input, 0, p, at, TAG_BYTES)
		copy(this.#input, 8, FOR_SECRET, 0, 8)
		lowlevel.crypto_core_hsalsa20(this.#output, this.#input, key, SIGMA)
	}

	/** Forgets what the last extension said. */
	purge(): void {
		fill(this.#plain, 0, SECRET_BYTES, 0)
		fill(this.#output, 0, this.#output.length, 0)
	}
}

function ascii(text: string): Bytes {
	return Uint8Array.from(text, (c) => c.charCodeAt(0))
}

export function isSealed(p: Bytes, at: number): boolean {
	return (p[at]! & 31) === TYPE_SEALED
}

export function epochOf(p: Bytes, at: number): number {
	return p[at]! >> 5
}

