import test from 'ava'
import { NONE, PiecePool } from '../../../src/base/pieces.ts'
import { Ring } from '../../../src/base/ring.ts'
import { Shelf } from '../../../src/base/shelf.ts'
import { makeGenerator, type Generator } from '../../support/generator.ts'

const PIECE = 64

/** A ring beside a plain map from position to byte. */
class Model {
	readonly ring: Ring
	readonly bytes = new Map<number, number>()
	front = 0
	readonly #capacity: number

	constructor(pool: PiecePool, capacity: number) {
		this.ring = new Ring(pool, capacity)
		this.#capacity = capacity
	}

	/** Stores random bytes somewhere in the window; true when all found memory. */
	store(random: Generator, at = this.front + random.below(this.#capacity)): boolean {
		const n = Math.min(1 + random.below(3 * PIECE), this.front + this.#capacity - at)
		const p = new Uint8Array(n + 8)
		random.fill(p, 0, p.length)
		const room = this.ring.room(at)
		const stored = this.ring.store(at, p, 5, n)
		for (let i = 0; i < stored; i++) this.bytes.set(at + i, p[5 + i]!)
		return stored === n && (stored <= room || this.ring.piecesHeld > 1)
	}

	advance(n: number): void {
		for (let i = 0; i < n; i++) this.bytes.delete(this.front + i)
		this.front += n
		this.ring.advance(this.front)
	}

	/** The first position whose byte is not as it was stored; -1: all are. */
	wrong(): number {
		const one = new Uint8Array(1)
		for (const [position, byte] of this.bytes) {
			this.ring.load(position, one, 0, 1)
			if (one[0] !== byte || this.ring.bytes[this.ring.address(position)] !== byte) return position
		}
		return -1
	}
}

for (let seed = 1; seed <= 40; seed++) {
	test(`rings on a shared pool keep what was stored, like a map, seed ${seed}`, (t) => {
		const random = makeGenerator(seed)
		const pool = new PiecePool(PIECE, 4 + random.below(20))
		const models = Array.from({ length: 3 }, () => new Model(pool, PIECE * (1 + random.below(8))))
		for (let i = 0; i < 250; i++) {
			const model = models[random.below(models.length)]!
			if (random.below(3) > 0) model.store(random)
			else model.advance(random.below(2 * PIECE))
		}
		t.deepEqual(models.map((model) => model.wrong()), [-1, -1, -1])
		for (const model of models) {
			model.advance(PIECE * 10)
			t.is(model.ring.piecesHeld, 0, 'a drained ring holds nothing')
		}
		t.is(pool.used, 0)
		for (const model of models) model.ring.release()
		t.is(pool.spare, pool.count)
	})
}

test('every ring gets its piece, however greedy the others are', (t) => {
	const pool = new PiecePool(PIECE, 8)
	const greedy = new Ring(pool, PIECE * 100)
	const modest = [1, 2, 3].map(() => new Ring(pool, PIECE * 4))
	const p = new Uint8Array(PIECE * 100)
	t.is(greedy.store(0, p, 0, p.length), PIECE * 5)
	t.is(greedy.room(PIECE * 5), 0)
	for (const ring of modest) {
		t.is(ring.room(0), PIECE)
		t.is(ring.store(0, p, 0, PIECE * 2), PIECE)
	}
	t.is(pool.used, 8)
	modest[0]!.advance(PIECE)
	t.is(greedy.store(PIECE * 5, p, 0, PIECE), 0, 'what was given back is promised again')
	modest[0]!.release()
	t.is(greedy.store(PIECE * 5, p, 0, PIECE), PIECE, 'but not when its owner has gone')
})

test('the promised piece is for the front: what is early does not block what is next', (t) => {
	const pool = new PiecePool(PIECE, 2)
	const ring = new Ring(pool, PIECE * 8)
	const other = new Ring(pool, PIECE * 8)
	const p = new Uint8Array(PIECE)
	t.is(ring.store(PIECE * 3, p, 0, PIECE), 0)
	t.is(ring.store(0, p, 0, PIECE), PIECE)
	t.is(ring.store(PIECE, p, 0, PIECE), 0)
	ring.advance(PIECE)
	t.is(ring.store(PIECE, p, 0, PIECE), PIECE)
	other.release()
})

test('positions beyond 2^32 and up to 2^53 are stored like others', (t) => {
	const pool = new PiecePool(PIECE, 4)
	const ring = new Ring(pool, PIECE * 2)
	for (const position of [2 ** 32 - 10, 2 ** 40 + 3, 2 ** 53 - 200]) {
		ring.advance(position)
		t.is(ring.store(position, Uint8Array.of(1, 2, 3), 0, 3), 3)
		const out = new Uint8Array(3)
		ring.load(position, out, 0, 3)
		t.deepEqual([...out], [1, 2, 3])
	}
})

test('whole blocks are copied as exactly as single bytes', (t) => {
	const pool = new PiecePool(4096, 4)
	const ring = new Ring(pool, 8192)
	const random = makeGenerator(5)
	const p = new Uint8Array(1200)
	const out = new Uint8Array(1200)
	for (const at of [0, 48, 64, 100]) {
		for (const position of [0, 1024, 1000, 3072, 3500]) {
			random.fill(p, 0, p.length)
			ring.store(position, p, at, 1024)
			out.fill(0)
			ring.load(position, out, 70, 1024)
			t.deepEqual(out.subarray(70, 70 + 1024), p.subarray(at, at + 1024))
			t.true(out.subarray(0, 70).every((byte) => byte === 0))
			t.true(out.subarray(70 + 1024).every((byte) => byte === 0))
		}
	}
})

test('a shelf keeps few or many pieces in a row', (t) => {
	const pool = new PiecePool(PIECE, 200)
	const shelf = new Shelf(pool)
	const pieces = new Set<number>()
	for (let i = 0; i < 150; i++) pieces.add(shelf.borrow(i))
	t.is(pieces.size, 150)
	t.false(pieces.has(NONE))
	shelf.advance(140)
	t.is(shelf.held, 10)
	t.true(pieces.has(shelf.at(145)))
	t.is(shelf.at(190), NONE)
	shelf.clear()
	t.is(pool.used, 0)
	t.is(shelf.borrow(140) === NONE, false)
	shelf.release()
	t.is(pool.used, 0)
})
