import test from 'ava'
import { HOST_LIMITS, budgetJson, budgetOf, budgetText } from '../../../src/service/budget.ts'

test('the plan of a host', (t) => {
	t.snapshot(budgetText(budgetOf(HOST_LIMITS, 1)))
})

test('the sum is that of the terms, and grows with the limits', (t) => {
	const terms = budgetOf(HOST_LIMITS, 1)
	const sum = terms.reduce((total, { count, bytes }) => total + count * bytes, 0)
	t.like(budgetJson(terms), { budgetBytes: sum })
	const more = budgetOf({ ...HOST_LIMITS, pieces: HOST_LIMITS.pieces + 1 }, 1)
	const added = more.reduce((total, { count, bytes }) => total + count * bytes, 0) - sum
	t.is(added, 16_384)
})
