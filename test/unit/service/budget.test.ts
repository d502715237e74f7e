import test from 'ava'
import { HOST_LIMITS, budgetOf, type Term } from '../../../src/service/budget.ts'

const sumOf = (terms: readonly Term[]): number =>
	terms.reduce((total, { count, bytes }) => total + count * bytes, 0)

test('the sum grows with the limits', (t) => {
	const more = budgetOf({ ...HOST_LIMITS, pieces: HOST_LIMITS.pieces + 1 }, 1)
	t.is(sumOf(more) - sumOf(budgetOf(HOST_LIMITS, 1)), 16_384)
	const another = budgetOf(HOST_LIMITS, 2)
	t.true(sumOf(another) > sumOf(budgetOf(HOST_LIMITS, 1)))
})
