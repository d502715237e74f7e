import test from 'ava'
import { PiecePool } from '../../../src/base/pieces.ts'
import { Ranges } from '../../../src/message/ranges.ts'
import { makeGenerator } from '../../support/generator.ts'

const SPACE = 600

/** The ranges of a set of positions, as text. */
function spell(positions: boolean[]): string {
	const found: string[] = []
	for (let i = 0; i < positions.length; i++) {
		if (!positions[i] || positions[i - 1]) continue
		let stop = i
		while (positions[stop]) stop++
		found.push(`${i}-${stop}`)
	}
	return found.join(' ')
}

function say(ranges: Ranges): string {
	const found: string[] = []
	for (let i = 0; i < ranges.count; i++) found.push(`${ranges.start(i)}-${ranges.stop(i)}`)
	return found.join(' ')
}

for (let seed = 1; seed <= 50; seed++) {
	test(`ranges are those of a plain set of positions, seed ${seed}`, (t) => {
		const random = makeGenerator(seed)
		// Pieces of four ranges, so that they lie on many.
		const pool = new PiecePool(64, 100)
		const ranges = new Ranges(pool)
		const model: boolean[] = new Array(SPACE).fill(false)
		let front = 0
		for (let i = 0; i < 200 && front < SPACE - 60; i++) {
			const start = front + 1 + random.below(SPACE - front - 60)
			const stop = start + 1 + random.below(random.below(4) === 0 ? 50 : 5)
			t.is(ranges.covers(start, stop), model.slice(start, stop).every(Boolean), `case ${i}`)
			t.true(ranges.add(start, stop))
			for (let k = start; k < stop; k++) model[k] = true
			if (random.below(8) === 0) {
				front += random.below(20)
				const reached = ranges.join(front)
				while (model[front]) front++
				for (let k = 0; k < front; k++) model[k] = false
				front = Math.max(front, reached)
				t.is(reached, front)
			}
			t.is(say(ranges), spell(model), `case ${i}`)
		}
		ranges.join(SPACE)
		t.is(ranges.count, 0)
		t.is(pool.used, 0, 'no piece is kept without ranges')
	})
}

test('without memory nothing is added, and nothing is forgotten', (t) => {
	const pool = new PiecePool(64, 1)
	const ranges = new Ranges(pool)
	for (let i = 0; i < 4; i++) t.true(ranges.add(10 * i, 10 * i + 1))
	t.false(ranges.add(100, 101))
	t.true(ranges.add(1, 2), 'growing needs no memory')
	t.is(say(ranges), '0-2 10-11 20-21 30-31')
	ranges.clear()
	t.is(pool.used, 0)
})
