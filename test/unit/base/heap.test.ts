// The timer heap and the row queue against naive models, seeded.

import test from 'ava'
import { TimerHeap } from '../../../src/base/heap.ts'
import { RowQueue } from '../../../src/base/row-queue.ts'
import { NEVER } from '../../../src/base/time.ts'
import { makeGenerator } from '../../support/generator.ts'

const SEED = 4242

test(`the heap's next time is the least of all that were set (seed ${SEED})`, (t) => {
	const generator = makeGenerator(SEED)
	const rows = 50
	const heap = new TimerHeap(rows)
	const model = new Map<number, number>()
	for (let round = 0; round < 20_000; round++) {
		const row = generator.below(rows)
		const at = generator.below(4) === 0 ? NEVER : generator.below(1000)
		heap.set(row, at)
		if (at === NEVER) model.delete(row)
		else model.set(row, at)
		const least = Math.min(NEVER, ...model.values())
		if (heap.nextAt() !== least) return t.fail(`round ${round}: ${heap.nextAt()}, not ${least}`)
		const next = heap.next()
		if (next === -1 ? model.size > 0 : model.get(next) !== least) return t.fail(`round ${round}`)
	}
	return t.pass()
})

test(`the row queue is a queue in which each row stands once (seed ${SEED})`, (t) => {
	const generator = makeGenerator(SEED)
	const queue = new RowQueue(20)
	const model: number[] = []
	for (let round = 0; round < 20_000; round++) {
		if (generator.below(2) === 0) {
			const row = generator.below(20)
			queue.push(row)
			if (!model.includes(row)) model.push(row)
		} else {
			t.is(queue.first(), model[0] ?? -1)
			t.is(queue.shift(), model.shift() ?? -1)
		}
	}
})
