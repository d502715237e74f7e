import test from 'ava'
import { makeEntropy } from '../../../src/platform/entropy.ts'

test('bytes come in the source\'s order, from pages, each once, and are wiped', (t) => {
	const pages: Uint8Array[] = []
	let next = 0
	const random = makeEntropy((pool) => {
		pages.push(pool)
		for (let i = 0; i < pool.length; i++) pool[i] = next++ % 251
	})
	const taken = new Uint8Array(10_000)
	for (let at = 0; at < taken.length;) {
		const n = Math.min(1 + (at % 700), taken.length - at)
		random.fill(taken, at, n)
		at += n
	}
	t.deepEqual([...taken], Array.from({ length: taken.length }, (_, i) => i % 251))
	t.is(pages.length, 3)
	t.true(pages[0]!.subarray(0, 10_000 - 8192).every((byte) => byte === 0))
	t.true(pages[0]!.subarray(10_000 - 8192).some((byte) => byte !== 0))
})

test('only the asked range is written', (t) => {
	const p = new Uint8Array(64)
	makeEntropy().fill(p, 16, 32)
	t.deepEqual([...p.subarray(0, 16), ...p.subarray(48)], Array(32).fill(0))
	t.true(p.subarray(16, 48).some((byte) => byte !== 0))
})
