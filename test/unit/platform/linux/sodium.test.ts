// libsodium against the portable Box: the same bytes for every length, offset and key, or neither.

import test from 'ava'
import type { Bytes } from '../../../../src/base/bytes.ts'
import type { Box } from '../../../../src/crypto/box.ts'
import { makeTweetnacl } from '../../../../src/crypto/tweetnacl.ts'
import { allocate } from '../../../../src/platform/linux/arena.ts'
import { openSodium } from '../../../../src/platform/linux/sodium.ts'
import { nodeAgree } from '../../../../src/platform/x25519.ts'
import { makeGenerator } from '../../../support/generator.ts'
import { LOW_ORDER } from '../../../support/low-order.ts'
import { bytes } from '../../../support/vectors.ts'

const SEED = 51_0001
const portable = makeTweetnacl(nodeAgree())

function sodium(): Box | undefined {
	try {
		return openSodium()
	} catch {
		return undefined
	}
}

const fast = sodium()
// A machine without libsodium skips by name; it does not pass.
const check = fast === undefined ? test.skip : test
const box = fast!

/** The three kinds of memory: the arena, the garbage-collected heap (small), the C heap. */
function memory(kind: number, n: number): Bytes {
	return kind === 0 ? allocate(n) : new Uint8Array(n)
}

check(`tweetnacl's boxes, lengths 0–1,200, any offset, both ways (seed ${SEED})`, (t) => {
	const generator = makeGenerator(SEED)
	const same = (a: Bytes, b: Bytes): boolean => Buffer.compare(a, b.subarray(0, a.length)) === 0
	const arena = allocate(1600)
	const heap = new Uint8Array(1600)
	const expected = new Uint8Array(1600)
	const key = new Uint8Array(32)
	const nonce = new Uint8Array(24)
	for (let n = 0; n <= 1200; n++) {
		for (const p of [arena, heap, memory(1, Math.min(1600, n + 96))]) {
			const at = 32 + generator.below(Math.min(300, p.length - n - 32 + 1))
			generator.fill(key, 0, 32)
			generator.fill(nonce, 0, 24)
			generator.fill(p, 0, p.length)
			expected.set(p)
			box.seal(p, at, n, nonce, key)
			portable.seal(expected, at, n, nonce, key)
			if (!same(p, expected)) return t.fail(`seal ${n} at ${at}`)
			const bit = generator.below(8 * (n + 16))
			p[at - 16 + (bit >> 3)]! ^= 1 << (bit & 7)
			const bent = p.slice()
			if (box.open(p, at, n, nonce, key)) return t.fail(`bit ${bit} of ${n} not noticed`)
			if (!same(p, bent)) return t.fail(`a failed open of ${n} bytes changed some`)
			p[at - 16 + (bit >> 3)]! ^= 1 << (bit & 7)
			if (!box.open(p, at, n, nonce, key)) return t.fail(`open ${n} at ${at}`)
			portable.open(expected, at, n, nonce, key)
			if (!same(p, expected)) return t.fail(`open ${n} at ${at}`)
		}
	}
	t.pass()
})

check(`2,000 key agreements give what tweetnacl gives (seed ${SEED + 1})`, (t) => {
	const generator = makeGenerator(SEED + 1)
	const secret = new Uint8Array(32)
	const theirs = new Uint8Array(80)
	const [a, b] = [new Uint8Array(32), new Uint8Array(32)]
	for (let round = 0; round < 2000; round++) {
		generator.fill(secret, 0, 32)
		generator.fill(theirs, 0, 80)
		// Non-canonical encodings too: bit 255 set, values at and above 2^255 - 19.
		if (round % 4 === 0) theirs.fill(0xff, 1, 80)
		const at = generator.below(48)
		const right = box.beforenm(a, theirs, at, secret)
		t.is(portable.beforenm(b, theirs, at, secret), right)
		t.deepEqual(a, b)
		box.publicOf(a, secret)
		portable.publicOf(b, secret)
		t.deepEqual(a, b)
	}
})

check('a low-order key gives no agreement and leaves the shared key as it was', (t) => {
	for (const hex of LOW_ORDER) {
		for (const high of [0, 0x80]) {
			const theirs = bytes(hex)
			theirs[31]! |= high
			const shared = new Uint8Array(32).fill(0xa5)
			t.false(box.beforenm(shared, theirs, 0, new Uint8Array(32).fill(7)), hex)
			t.deepEqual(shared, new Uint8Array(32).fill(0xa5))
		}
	}
})

check('a key pair comes from the randomness that is handed in', (t) => {
	const [publicKey, secretKey, again] = [new Uint8Array(32), new Uint8Array(32), new Uint8Array(32)]
	box.keypair(publicKey, secretKey, makeGenerator(7))
	const expected = new Uint8Array(32)
	makeGenerator(7).fill(expected, 0, 32)
	t.deepEqual(secretKey, expected)
	portable.publicOf(again, secretKey)
	t.deepEqual(publicKey, again)
})

check('equal sees every bit, purge leaves nothing', (t) => {
	for (const kind of [0, 1]) {
		const a = memory(kind, 64)
		const b = memory(1, 64)
		makeGenerator(8).fill(a, 0, 64)
		b.set(a.subarray(16, 48), 5)
		t.true(box.equal(a, 16, b, 5, 32))
		for (let bit = 0; bit < 256; bit++) {
			b[5 + (bit >> 3)]! ^= 1 << (bit & 7)
			t.false(box.equal(a, 16, b, 5, 32))
			b[5 + (bit >> 3)]! ^= 1 << (bit & 7)
		}
		box.purge(a)
		t.deepEqual(a, new Uint8Array(64))
	}
})

check('a range outside its array is a bug of ours, never foreign memory', (t) => {
	const p = new Uint8Array(100)
	const [nonce, key] = [new Uint8Array(24), new Uint8Array(32)]
	for (const [at, n] of [[15, 10], [16, 85], [101, 0], [16, -1], [NaN, 1], [16, NaN]] as const) {
		t.throws(() => box.seal(p, at, n, nonce, key), { message: /bug/ })
		t.throws(() => box.open(p, at, n, nonce, key), { message: /bug/ })
	}
	t.throws(() => box.seal(p, 16, 10, new Uint8Array(23), key), { message: /bug/ })
	t.throws(() => box.beforenm(key, p, 69, key), { message: /bug/ })
	t.throws(() => box.equal(p, 90, p, 0, 16), { message: /bug/ })
})
