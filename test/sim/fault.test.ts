// The mutator: bounded, repeatable, and not too gentle.

import test from 'ava'
import { Mutator, referenceMessages, referencePackets } from './fault.ts'
import { chooseSeed, Rng } from './rng.ts'

const ROOM = 1500

test('every input fits, all sorts of lengths occur, and the corpus stays as it was', (t) => {
	const seed = chooseSeed((line) => t.log(line), 1)
	const corpus = referencePackets()
	const before = corpus.map((p) => p.slice())
	const mutator = new Mutator(new Rng(seed), corpus, ROOM)
	const out = new Uint8Array(ROOM)
	const lengths = new Set<number>()
	let whole = 0
	for (let i = 0; i < 20_000; i++) {
		const n = mutator.next(out)
		t.true(n >= 0 && n <= ROOM)
		lengths.add(n)
		if (n % 16 === 0) whole++
	}
	t.deepEqual(corpus, before)
	t.true(lengths.size > 500, `${lengths.size} lengths`)
	t.true(lengths.has(0))
	t.true(whole > 10_000, 'most inputs pass the first check')
})

test('the same seed gives the same inputs', (t) => {
	const inputs = (seed: number): string[] => {
		const mutator = new Mutator(new Rng(seed), referencePackets('C->S'), ROOM)
		const out = new Uint8Array(ROOM)
		return Array.from({ length: 200 }, () => out.slice(0, mutator.next(out)).join())
	}
	t.deepEqual(inputs(7), inputs(7))
	t.notDeepEqual(inputs(7), inputs(8))
})

test('some inputs are valid, most are not, and single bits are flipped', (t) => {
	const corpus = referenceMessages()
	t.true(corpus.length > 10)
	const originals = new Set(corpus.map((p) => p.join()))
	const mutator = new Mutator(new Rng(3), corpus, ROOM)
	const out = new Uint8Array(ROOM)
	let valid = 0
	let oneBit = 0
	for (let i = 0; i < 5000; i++) {
		const p = out.slice(0, mutator.next(out))
		if (originals.has(p.join())) valid++
		else if (corpus.some((q) => q.length === p.length && differingBits(p, q) === 1)) oneBit++
	}
	t.true(valid > 150 && valid < 1000, `${valid}`)
	t.true(oneBit > 250, `${oneBit}`)
})

function differingBits(p: Uint8Array, q: Uint8Array): number {
	let bits = 0
	for (let i = 0; i < p.length && bits < 2; i++) {
		for (let x = p[i]! ^ q[i]!; x !== 0; x &= x - 1) bits++
	}
	return bits
}
