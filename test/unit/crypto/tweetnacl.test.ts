// The portable Box against tweetnacl's own high-level functions, the recorded keys, and keys that
// allow no agreement.

import test from 'ava'
import nacl from 'tweetnacl'
import type { Box } from '../../../src/crypto/box.ts'
import { makeTweetnacl } from '../../../src/crypto/tweetnacl.ts'
import { nodeAgree } from '../../../src/platform/x25519.ts'
import { makeGenerator } from '../../support/generator.ts'
import { LOW_ORDER } from '../../support/low-order.ts'
import { bytes, recorded } from '../../support/vectors.ts'

const SEED = 20261122
const node = nodeAgree()!
const boxes: [string, Box][] = [
	['tweetnacl', makeTweetnacl()], ['node:crypto', makeTweetnacl(node)],
]

for (const [name, box] of boxes) {
	test(`${name}: the three shared keys of each recorded connection, from both sides`, (t) => {
		const shared = new Uint8Array(32)
		for (const s of recorded.scenarios) {
			const pairs = [
				[s.clientShortTermPk, s.serverLongTermSk, s.shared.clientShort_serverLong],
				[s.serverLongTermPk, s.clientShortTermSk, s.shared.clientShort_serverLong],
				[s.clientShortTermPk, s.serverShortTermSk, s.shared.clientShort_serverShort],
				[s.serverShortTermPk, s.clientShortTermSk, s.shared.clientShort_serverShort],
				[s.clientLongTermPk, s.serverLongTermSk, s.shared.clientLong_serverLong],
			] as const
			for (const [theirs, ours, expected] of pairs) {
				t.true(box.beforenm(shared, bytes(theirs), 0, bytes(ours)))
				t.deepEqual(shared, bytes(expected))
			}
			box.publicOf(shared, bytes(s.serverLongTermSk))
			t.deepEqual(shared, bytes(s.serverLongTermPk))
		}
	})

	test(`${name}: a low-order public key gives no agreement, no exception, and no change`, (t) => {
		for (const theirs of LOW_ORDER) {
			const shared = new Uint8Array(32).fill(0xa5)
			t.false(box.beforenm(shared, bytes(theirs), 0, new Uint8Array(32).fill(7)), theirs)
			t.deepEqual(shared, new Uint8Array(32).fill(0xa5))
		}
	})
}

test('seal and open in place equal secretbox at any offset and touch nothing beside', (t) => {
	const generator = makeGenerator(SEED)
	const [, box] = boxes[0]!
	for (let round = 0; round < 300; round++) {
		const n = generator.below(1200)
		const at = 32 + generator.below(200)
		const key = new Uint8Array(32)
		const nonce = new Uint8Array(24)
		const p = new Uint8Array(at + n + 40)
		generator.fill(key, 0, 32)
		generator.fill(nonce, 0, 24)
		generator.fill(p, 0, p.length)
		const before = p.slice()
		box.seal(p, at, n, nonce, key)
		const expected = nacl.secretbox(before.subarray(at, at + n), nonce, key)
		t.deepEqual(p.subarray(at - 16, at + n), expected, `seed ${SEED}`)
		t.deepEqual(p.subarray(0, at - 16), before.subarray(0, at - 16))
		t.deepEqual(p.subarray(at + n), before.subarray(at + n))
		const sealed = p.slice()
		const bit = generator.below(8 * (n + 16))
		p[at - 16 + (bit >> 3)]! ^= 1 << (bit & 7)
		const spoilt = p.slice()
		t.false(box.open(p, at, n, nonce, key))
		t.deepEqual(p, spoilt, 'a refused box is as it was')
		p.set(sealed)
		t.true(box.open(p, at, n, nonce, key))
		t.deepEqual(p.subarray(at), before.subarray(at))
	}
})

test('equal sees every byte', (t) => {
	const [, box] = boxes[0]!
	const a = new Uint8Array(64).fill(3)
	t.true(box.equal(a, 0, a.slice(), 0, 64))
	for (let i = 0; i < 64; i++) {
		const b = a.slice()
		b[i] = 4
		t.false(box.equal(a, 0, b, 0, 64))
	}
})
