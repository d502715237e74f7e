import test from 'ava'
import { MILLISECOND, type Nanos } from '../../../src/base/time.ts'
import { HelloBudget } from '../../../src/endpoint/hello-budget.ts'

const COST: Nanos = 123_457
/** Of one core, beside traffic; and answers in a row, without and beside traffic. */
const SHARE = 0.1
const BURST_ALONE = 16
const BURST = 2

test('without traffic Hellos may have the whole processor, a burst at a time', (t) => {
	const budget = new HelloBudget(COST)
	for (let i = 0; i < BURST_ALONE; i++) t.true(budget.take(0, true))
	t.false(budget.take(0, true))
	let now: Nanos = 0
	for (let i = 1; i <= 1000; i++) {
		now = budget.nextAt(now, true)
		t.true(budget.take(now, true))
	}
	t.true(now <= 1001 * COST, `${now}`)
})

test('beside traffic, when more come than can be answered, they take a share of a core', (t) => {
	const budget = new HelloBudget(COST)
	const duration = 1000 * MILLISECOND
	let taken = 0
	for (let now = 0; now < duration; now += COST) {
		budget.traffic(now)
		if (budget.take(now, true)) taken++
	}
	const most = SHARE * duration / COST + BURST
	t.true(taken <= most && taken >= most - 2, `${taken} of ${most}`)
})

test('beside traffic the few that wait may have what it leaves, never many in a row', (t) => {
	const budget = new HelloBudget(COST)
	let taken = 0
	for (let now: Nanos = 0; now < 1000 * MILLISECOND; now += 10 * COST) {
		budget.traffic(now)
		let row = 0
		while (budget.take(now, false)) row++
		t.true(row <= BURST)
		taken += row
		t.true(budget.nextAt(now, false) <= now + COST + 1)
	}
	t.true(taken > 1.9 * 1000 * MILLISECOND / (10 * COST), `${taken}`)
})

test('traffic that pauses for a second is still there', (t) => {
	const budget = new HelloBudget(COST)
	budget.traffic(0)
	let taken = 0
	for (let now = 0; now < 1000 * MILLISECOND; now += COST) if (budget.take(now, true)) taken++
	t.true(taken <= SHARE * 1000 * MILLISECOND / COST + BURST, `${taken}`)
	for (let i = 0; i < BURST_ALONE; i++) t.true(budget.take(5000 * MILLISECOND, true))
	t.true(budget.nextAt(5000 * MILLISECOND, true) <= 5000 * MILLISECOND + COST + 1)
})

test('beside traffic never many in a row, however long nobody came', (t) => {
	const budget = new HelloBudget(COST)
	for (let now: Nanos = 0; now < 3000 * MILLISECOND; now += 500 * MILLISECOND) {
		budget.traffic(now)
		for (let i = 0; i < BURST; i++) t.true(budget.take(now, true))
		t.false(budget.take(now, true))
	}
})

test('when it says that it is time again, it is: time goes on and the Hello is answered', (t) => {
	for (let cost = 50_000; cost < 2_000_000; cost += 9_973) {
		const budget = new HelloBudget(cost)
		let now: Nanos = 1e16 / 7
		for (let i = 0; i < 200; i++) {
			budget.traffic(now)
			if (budget.take(now, true)) continue
			// Asked at some moment in between, so that a part of an answer is there.
			now += cost * (1 + i % 7) / 3
			budget.traffic(now)
			if (budget.take(now, true)) continue
			const next = budget.nextAt(now, true)
			budget.traffic(next)
			if (next > now && budget.take(next, true)) now = next
			else return t.fail(`cost ${cost}, answer ${i}: not at ${next}, asked at ${now}`)
		}
	}
	t.pass()
})
