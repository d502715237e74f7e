import test from 'ava'
import { halfSipHash13 } from '../../../src/base/hash.ts'

// lib/test_siphash.c of Linux: key 00 01 … 07, input 00 01 02 … of 0, 4, 8 … bytes.
const KEY0 = 0x03020100
const KEY1 = 0x07060504
const VECTORS = [0x5814c896, 0x7e059ea6, 0x577999b1, 0x6b28096c, 0x8b31d501]

const input = new Uint8Array(64)
for (let i = 0; i < input.length; i++) input[i] = i

test('agrees with the vectors of the Linux kernel', (t) => {
	for (let words = 0; words < VECTORS.length; words++) {
		t.is(halfSipHash13(input, 0, words, KEY0, KEY1) >>> 0, VECTORS[words]!, `${words} words`)
	}
})

test('reads at the offset that it is given', (t) => {
	const shifted = new Uint8Array(64)
	shifted.set(input.subarray(0, 16), 3)
	t.is(halfSipHash13(shifted, 3, 4, KEY0, KEY1), halfSipHash13(input, 0, 4, KEY0, KEY1))
})

test('every bit of input and key changes the hash, about half of its bits', (t) => {
	const base = halfSipHash13(input, 0, 4, KEY0, KEY1)
	let flipped = 0
	for (let bit = 0; bit < 128; bit++) {
		const other = input.slice()
		other[bit >> 3]! ^= 1 << (bit & 7)
		const hash = halfSipHash13(other, 0, 4, KEY0, KEY1)
		t.not(hash, base)
		for (let i = 0; i < 32; i++) flipped += ((hash ^ base) >>> i) & 1
	}
	t.true(flipped > 128 * 14 && flipped < 128 * 18, `${flipped} bits`)
	for (let bit = 0; bit < 32; bit++) {
		t.not(halfSipHash13(input, 0, 4, KEY0 ^ (1 << bit), KEY1), base)
		t.not(halfSipHash13(input, 0, 4, KEY0, KEY1 ^ (1 << bit)), base)
	}
})

test('spreads a million sequential keys over 65,536 buckets as chance does', (t) => {
	const counts = new Uint32Array(65536)
	const key = new Uint8Array(16)
	for (let i = 0; i < 1_000_000; i++) {
		key[0] = i
		key[1] = i >> 8
		key[2] = i >> 16
		counts[halfSipHash13(key, 0, 4, 0x1234567, 0x89abcdef) & 65535]!++
	}
	const mean = 1_000_000 / 65536
	let chi = 0
	for (const n of counts) chi += (n - mean) ** 2 / mean
	// 65,535 degrees of freedom: standard deviation 362; six of them either way.
	t.true(Math.abs(chi - 65535) < 6 * 362, `chi-square ${chi}`)
})
