// The nonce window against a set that remembers everything.

import test from 'ava'
import { NonceWindow } from '../../../src/handshake/nonce-window.ts'
import { NONCE_WINDOW } from '../../../src/limits.ts'
import type { Drop } from '../../../src/wire/drop.ts'
import { makeGenerator } from '../../support/generator.ts'

const SEED = 77
const STARTS = [0n, 1n, 2n ** 32n - 40n, 2n ** 53n - 7n, 2n ** 63n, 2n ** 64n - 200_000_000_000n]

function nonce(value: bigint): Uint8Array {
	const p = new Uint8Array(8)
	new DataView(p.buffer).setBigUint64(0, value, true)
	return p
}

function model(): (value: bigint) => Drop | undefined {
	const seen = new Set<bigint>()
	let highest = -1n
	return (value) => {
		if (seen.has(value) && value > highest - BigInt(NONCE_WINDOW)) return 'replay'
		if (highest >= 0n && value <= highest - BigInt(NONCE_WINDOW)) return 'nonce'
		seen.add(value)
		if (value > highest) highest = value
		return undefined
	}
}

test('whatever comes in whatever order is accepted once, but nothing too old', (t) => {
	const generator = makeGenerator(SEED)
	const steps = [1, 2, 31, 32, 33, 64, 100, 2047, 2048, 2049, 5000, 2 ** 31]
	for (const start of STARTS) {
		const window = new NonceWindow()
		const expected = model()
		let front = start
		for (let round = 0; round < 3000; round++) {
			const step = BigInt(steps[generator.below(generator.below(8) === 0 ? steps.length : 4)]!)
			const forward = generator.below(3) > 0
			const value = forward ? front + step : front - step * BigInt(generator.below(40))
			if (value < 0n) continue
			const p = nonce(value)
			const verdict = window.check(p, 0)
			t.is(verdict, expected(value), `seed ${SEED}, start ${start}, nonce ${value}`)
			if (verdict === undefined) t.is(window.accept(p, 0), value > front || round === 0)
			if (value > front || round === 0) front = value
		}
	}
})

test('what came in order is remembered as far back as the window, before and after a gap', (t) => {
	for (const start of STARTS) {
		for (const count of [1n, 2n, 31n, 64n, 2047n, 2048n, 2049n, 5000n]) {
			const window = new NonceWindow()
			const expected = model()
			const isRight = (value: bigint): boolean => window.check(nonce(value), 0) === expected(value)
			const last = start + count - 1n
			for (let value = start; value <= last; value++) {
				if (!isRight(value) || !window.accept(nonce(value), 0)) return t.fail(`${value}`)
			}
			// Before the first, the model would take what check alone does not remember.
			const oldest = last - BigInt(NONCE_WINDOW) - 5n
			const from = start > oldest ? start : oldest
			for (let value = from; value <= last; value++) {
				if (!isRight(value)) return t.fail(`${value} of ${start} to ${last}`)
			}
			t.true(isRight(last + 3n) && window.accept(nonce(last + 3n), 0))
			for (let value = from; value <= last; value++) {
				if (!isRight(value)) return t.fail(`${value} of ${start} to ${last}, after a gap`)
			}
			t.true(isRight(last + 1n) && !window.accept(nonce(last + 1n), 0))
			t.true(isRight(last + 1n))
			t.is(window.check(nonce(last + 2n), 0), undefined)
		}
	}
	t.pass()
})

test('what is late before the first is taken once', (t) => {
	const window = new NonceWindow()
	window.accept(nonce(5000n), 0)
	t.is(window.check(nonce(4999n), 0), undefined)
	t.false(window.accept(nonce(4999n), 0))
	t.is(window.check(nonce(4999n), 0), 'replay')
	t.is(window.check(nonce(5000n), 0), 'replay')
	t.is(window.check(nonce(4998n), 0), undefined)
	t.is(window.check(nonce(5000n - BigInt(NONCE_WINDOW)), 0), 'nonce')
})

test('a burst of losses longer than the window is not final', (t) => {
	const window = new NonceWindow()
	window.accept(nonce(99n), 0)
	t.is(window.check(nonce(100_000n), 0), undefined)
	window.accept(nonce(100_000n), 0)
	t.is(window.check(nonce(100_001n), 0), undefined)
	t.is(window.check(nonce(99_999n), 0), undefined)
	t.is(window.check(nonce(99n), 0), 'nonce')
})
