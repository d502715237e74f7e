import test from 'ava'
import { PiecePool } from '../../../src/base/pieces.ts'
import { FAILURE, SUCCESS } from '../../../src/message/format.ts'
import {
	CLOSED_GAP, DUPLICATE, EARLY, EMPTY, IN_ORDER, Receiver, REFUSED,
} from '../../../src/message/receiver.ts'
import { makeGenerator } from '../../support/generator.ts'
import { streamByte } from './pair.ts'

const PIECE = 64
const block = new Uint8Array(200)

function fillBlock(position: number, n: number): void {
	for (let i = 0; i < n; i++) block[i] = streamByte(position + i)
}

function makeReceiver(pieces = 32, capacity = PIECE * 8): { pool: PiecePool, receiver: Receiver } {
	const pool = new PiecePool(PIECE, pieces)
	return { pool, receiver: new Receiver(pool, capacity) }
}

function give(receiver: Receiver, position: number, n: number, flags = 0): number {
	fillBlock(position, n)
	return receiver.accept(block, 0, n, position, flags)
}

for (let seed = 1; seed <= 60; seed++) {
	test(`any blocks in any order give the stream, and only what arrived, seed ${seed}`, (t) => {
		const random = makeGenerator(seed)
		// In half of the cases the pool is far too small.
		const roomy = seed % 2 === 0
		const { pool, receiver } = makeReceiver(roomy ? 40 : 3)
		const total = 2000 + random.below(500)
		const have = new Set<number>()
		let read = 0
		let highest = 0
		const out = new Uint8Array(256)
		for (let i = 0; i < 6000 && receiver.received < total; i++) {
			const near = random.below(4) > 0
			const from = near ? receiver.received - random.below(60) : read + random.below(600)
			const position = Math.max(0, Math.min(from, total - 1))
			const n = Math.min(1 + random.below(120), total - position)
			const verdict = give(receiver, position, n)
			if (position + n > read + PIECE * 8) t.is(verdict, REFUSED, 'beyond the window')
			// Without memory the beginning of a refused block may have been kept.
			if (verdict !== REFUSED || !roomy) {
				for (let k = position; k < position + n; k++) have.add(k)
				highest = Math.max(highest, position + n)
			}
			let first = read
			while (have.has(first)) first++
			t.true(receiver.received <= first, `case ${i}: claims what never came`)
			t.true(receiver.boundary <= receiver.received)
			if (roomy) t.is(receiver.boundary, first, `case ${i}: all that is there is acknowledged`)
			if (random.below(3) === 0) {
				const count = receiver.read(out, 0, random.below(200))
				for (let k = 0; k < count; k++) t.is(out[k], streamByte(read + k))
				read += count
			}
		}
		t.is(receiver.received, total)
		t.is(receiver.boundary, total)
		t.true(read <= highest)
		while (receiver.readable > 0) {
			const count = receiver.read(out, 0, out.length)
			for (let k = 0; k < count; k++) t.is(out[k], streamByte(read + k))
			read += count
		}
		t.is(read, total)
		t.is(pool.used, 0, 'a drained receiver borrows nothing')
	})
}

test('the verdict on each kind of block', (t) => {
	const { receiver } = makeReceiver()
	t.is(give(receiver, 0, 10), IN_ORDER)
	t.is(give(receiver, 0, 10), DUPLICATE)
	t.is(give(receiver, 20, 10), EARLY)
	t.is(give(receiver, 22, 5), DUPLICATE)
	t.is(give(receiver, 10, 10), CLOSED_GAP)
	t.is(receiver.received, 30)
	t.is(give(receiver, 30, 0), EMPTY)
	t.is(give(receiver, 400, 0), EMPTY)
	t.is(give(receiver, 500, 100), REFUSED)
	t.is(give(receiver, Infinity, 10), REFUSED)
	t.is(give(receiver, 2 ** 53, 10), REFUSED)
})

test('the end is acknowledged when everything before it has arrived, not earlier', (t) => {
	const { receiver } = makeReceiver()
	t.is(give(receiver, 10, 5, SUCCESS), EARLY)
	t.is(receiver.range1End, 0)
	t.false(receiver.complete)
	t.is(give(receiver, 0, 10), CLOSED_GAP)
	t.is(receiver.range1End, 16)
	t.true(receiver.complete)
	t.false(receiver.failed)
	t.is(give(receiver, 15, 0, SUCCESS), DUPLICATE)
})

test('an empty stream ends at its first block', (t) => {
	const { receiver } = makeReceiver()
	t.is(give(receiver, 0, 0, FAILURE), CLOSED_GAP)
	t.is(receiver.range1End, 1)
	t.true(receiver.failed)
})

test('a peer that changes its mind about the end is not believed', (t) => {
	const { receiver } = makeReceiver()
	give(receiver, 0, 10)
	give(receiver, 20, 10)
	t.is(give(receiver, 5, 5, SUCCESS), REFUSED, 'an end before what has arrived')
	t.is(give(receiver, 30, 10, SUCCESS), EARLY)
	t.is(give(receiver, 30, 20, SUCCESS), REFUSED, 'a later end')
	t.is(give(receiver, 30, 5, SUCCESS), REFUSED, 'an earlier end')
	t.is(give(receiver, 35, 10), REFUSED, 'data beyond the end')
	t.is(give(receiver, 40, 0, FAILURE), DUPLICATE)
	t.false(receiver.failed, 'the first word counts')
})

test('a block that only half fits into memory is taken when it comes again', (t) => {
	const pool = new PiecePool(PIECE, 2)
	const hog = new Receiver(pool, PIECE * 8)
	const receiver = new Receiver(pool, PIECE * 8)
	give(hog, 0, 50)
	t.is(give(receiver, 0, 40), IN_ORDER)
	t.is(give(receiver, 40, 40), REFUSED)
	t.is(receiver.range1End, 40, 'range ends lie on block boundaries')
	t.is(receiver.received, 64)
	receiver.consume(receiver.readable)
	t.is(give(receiver, 40, 40), IN_ORDER)
	t.is(receiver.range1End, 80)
	receiver.consume(receiver.stretch)
	t.is(receiver.readable, 0)
	t.is(pool.used, 1)
})

test('who discards takes everything, in any order, and needs no memory for it', (t) => {
	const { pool, receiver } = makeReceiver(3)
	give(receiver, 0, 50)
	receiver.discard()
	t.is(pool.used, 0)
	let position = 50
	for (let i = 0; i < 100; i++) {
		t.is(give(receiver, position + 50, 50), EARLY)
		t.is(give(receiver, position, 50), CLOSED_GAP)
		position += 100
	}
	t.is(give(receiver, position, 0, SUCCESS), CLOSED_GAP)
	t.is(receiver.readable, 0)
	t.true(receiver.complete)
	t.is(pool.used, 0)
})
