import fc from 'fast-check'
import test from 'ava'
import { fromBase32, fromKeyLabel, toBase32, toKeyLabel } from '../../../src/base/base32.ts'
import { bytes, recorded } from '../../support/vectors.ts'

/** The definition, a digit at a time over one long integer. */
function slowly(p: Uint8Array): string {
	let value = p.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
	let text = ''
	for (let i = 0; i < Math.ceil(p.length * 8 / 5); i++, value >>= 5n) {
		text += '0123456789bcdfghjklmnpqrstuvwxyz'[Number(value & 31n)]!
	}
	return text
}

test('the recorded vectors, both ways', (t) => {
	t.true(recorded.dnscurveBase32.vectors.length >= 5)
	for (const vector of recorded.dnscurveBase32.vectors) {
		const raw = bytes(vector['hex']!)
		t.is(toBase32(raw), (vector['base32'] ?? vector['base32Full52'])!)
		t.deepEqual(fromBase32(toBase32(raw), raw.length), raw)
		const label = vector['curveProtectLabel']
		if (label === undefined) continue
		t.is(toKeyLabel(raw), label)
		for (const form of [label, label.toUpperCase(), label.replace('uz7', 'uz5')]) {
			t.deepEqual(fromKeyLabel(form), raw)
		}
	}
})

test('any bytes: as the definition says, and back', (t) => {
	fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (p) => {
		t.is(toBase32(p), slowly(p))
		t.deepEqual(fromBase32(toBase32(p), p.length), p)
	}))
	t.pass()
})

test('what is no such text is refused', (t) => {
	const label = toKeyLabel(new Uint8Array(32).fill(7))!
	t.is(fromKeyLabel(label.slice(1)), undefined)
	t.is(fromKeyLabel(`${label}0`), undefined)
	t.is(fromKeyLabel(`uz6${label.slice(3)}`), undefined)
	t.is(fromKeyLabel(label.replace(/.$/, 'a')), undefined)
	t.is(toKeyLabel(new Uint8Array(32).fill(255)), undefined)
	t.is(fromBase32('zz', 1), undefined)
	t.is(fromBase32('4321', 3), undefined)
	t.is(fromBase32('4321', 1), undefined)
})
