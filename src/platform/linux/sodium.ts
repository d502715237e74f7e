// Box on the system's libsodium, in place. Packets go in as addresses, keys and nonces as the
// arrays that they are. Checked by known answers before it is used; a library that gives a wrong
// one is not used at all.

import { assert } from '../../base/assert.ts'
import type { Bytes } from '../../base/bytes.ts'
import { fromHex, toHex } from '../../base/hex.ts'
import type { Random } from '../../base/random.ts'
import { BOX_OVERHEAD, KEY_BYTES, NONCE_BYTES, type Box } from '../../crypto/box.ts'
import { Trouble } from '../trouble.ts'
import { pointer } from './arena.ts'
import { libc, type Library } from './libc.ts'

const SONAMES = ['libsodium.so.23', 'libsodium.so.26', 'libsodium.so']

/** A recorded connection's Hello (scenario A): c', S, C', the key of both, nonce, box of zeros. */
const KNOWN = {
	secret: 'ee5fe6f70bcaff67d3afe34b859721ee95c6753d7ea530eedb2754ae629e29c5',
	theirs: 'e84f07f7e3d2a40c6151558b6acfbcf86dc38a5a7117a65a22a3c54eca5e462a',
	public: '2280ddb27c919afed0d3308adf3147f84dfd974fc4e07e90403b34eb96de441a',
	shared: '2b2707f739b4ab90c15b908a8dbc0563c540d71df026d9dbb91f26f63b41ca29',
	nonce: '437572766543502d636c69656e742d481019a7f41c560000',
	box: 'e9bccb7cfb4c3818d0fb8a52668d78b2facfafa76b4caedf40fcb18d5df363de28c4fd83349839cb27fd575c9c19'
		+ 'e4261a354051a02d76661ebfe75a9c59cc011a9cfe8bc1c9f5fa751e48c0c865fb72',
}

/** Throws Trouble that says what is missing and how to get it. */
export function openSodium(): Box {
	const [library, name] = load()
	if (library.func('int sodium_init()')() < 0) throw new Trouble('use', name, 'sodium_init failed')
	const box = makeBox(library, name)
	if (!answersRight(box)) throw new Trouble('use', name, 'a wrong answer to a known question')
	return box
}

function load(): [Library, string] {
	const c = libc()
	for (const name of SONAMES) {
		try {
			return [c.load(name), name]
		} catch {
			// The next name, then Trouble.
		}
	}
	throw new Trouble('load', 'libsodium', 'not installed (apt install libsodium23)')
}

function makeBox(library: Library, name: string): Box {
	const scalarmultBase = library.func('int crypto_scalarmult_base(void *, void *)')
	const beforenm = library.func('int crypto_box_beforenm(void *, uintptr_t, void *)')
	const seal = library.func(
		'int crypto_secretbox_detached(uintptr_t, uintptr_t, uintptr_t, uint64, void *, void *)')
	const open = library.func(
		'int crypto_secretbox_open_detached(uintptr_t, uintptr_t, uintptr_t, uint64, void *, void *)')
	const memcmp = library.func('int sodium_memcmp(uintptr_t, uintptr_t, size_t)')
	const memzero = library.func('void sodium_memzero(void *, size_t)')

	const box: Box = {
		name,

		keypair(publicKey: Bytes, secretKey: Bytes, random: Random): void {
			random.fill(secretKey, 0, KEY_BYTES)
			box.publicOf(publicKey, secretKey)
		},

		publicOf(publicKey: Bytes, secretKey: Bytes): void {
			checkRange(publicKey, 0, KEY_BYTES)
			checkRange(secretKey, 0, KEY_BYTES)
			scalarmultBase(publicKey, secretKey)
		},

		beforenm(shared: Bytes, theirs: Bytes, at: number, ourSecret: Bytes): boolean {
			checkRange(shared, 0, KEY_BYTES)
			checkRange(theirs, at, KEY_BYTES)
			checkRange(ourSecret, 0, KEY_BYTES)
			return beforenm(shared, pointer(theirs, at), ourSecret) === 0
		},

		seal(p: Bytes, at: number, n: number, nonce: Bytes, key: Bytes): void {
			checkBox(p, at, n, nonce, key)
			const text = pointer(p, at)
			seal(text, text - BOX_OVERHEAD, text, n, nonce, key)
		},

		open(p: Bytes, at: number, n: number, nonce: Bytes, key: Bytes): boolean {
			checkBox(p, at, n, nonce, key)
			const text = pointer(p, at)
			return open(text, text, text - BOX_OVERHEAD, n, nonce, key) === 0
		},

		equal(a: Bytes, aAt: number, b: Bytes, bAt: number, n: number): boolean {
			checkRange(a, aAt, n)
			checkRange(b, bAt, n)
			return memcmp(pointer(a, aAt), pointer(b, bAt), n) === 0
		},

		purge(secret: Bytes): void {
			memzero(secret, secret.length)
		},
	}
	return box
}

/** C checks nothing: what is an exception or a wrong byte in JavaScript would be foreign memory. */
function checkRange(p: Bytes, at: number, n: number): void {
	assert(at >= 0 && n >= 0 && at + n <= p.length, 'a range lies inside its array')
}

function checkBox(p: Bytes, at: number, n: number, nonce: Bytes, key: Bytes): void {
	checkRange(p, at, n)
	checkRange(p, at - BOX_OVERHEAD, BOX_OVERHEAD)
	assert(nonce.length === NONCE_BYTES, 'a nonce has its length')
	assert(key.length === KEY_BYTES, 'a key has its length')
}

function answersRight(box: Box): boolean {
	const bytes = (hex: string): Bytes => fromHex(hex, hex.length / 2)!
	const secret = bytes(KNOWN.secret)
	const nonce = bytes(KNOWN.nonce)
	const key = new Uint8Array(KEY_BYTES)
	box.publicOf(key, secret)
	if (toHex(key) !== KNOWN.public) return false
	if (!box.beforenm(key, bytes(KNOWN.theirs), 0, secret)) return false
	if (toHex(key) !== KNOWN.shared) return false
	const p = new Uint8Array(BOX_OVERHEAD + 64)
	box.seal(p, BOX_OVERHEAD, 64, nonce, key)
	if (toHex(p) !== KNOWN.box) return false
	p[BOX_OVERHEAD]! ^= 1
	const bent = toHex(p)
	if (box.open(p, BOX_OVERHEAD, 64, nonce, key) || toHex(p) !== bent) return false
	p[BOX_OVERHEAD]! ^= 1
	if (!box.open(p, BOX_OVERHEAD, 64, nonce, key)) return false
	const zeros = new Uint8Array(64)
	if (!box.equal(p, BOX_OVERHEAD, zeros, 0, 64) || box.equal(p, 0, zeros, 0, 64)) return false
	return !box.beforenm(key, zeros, 0, secret) && toHex(key) === KNOWN.shared
}
