// The order and the times of Hellos.

import test from 'ava'
import { Race } from '../../../src/endpoint/race.ts'
import { SECOND } from '../../../src/base/time.ts'
import { RACE_DELAY } from '../../../src/limits.ts'
import { makeGenerator } from '../../support/generator.ts'
import { recorded } from '../../support/vectors.ts'

test('one host gets its Hellos after the reference\'s waits', (t) => {
	const race = new Race(1, -1, makeGenerator(1), 0)
	let now = 0
	for (const base of recorded.helloWaitBaseNanoseconds) {
		t.is(race.next(now), 0)
		t.is(race.next(now), -1)
		const wait = race.wakeAt() - now
		t.true(wait >= base && wait < 2 * base, `${wait} for ${base}`)
		now += wait
	}
})

test('eight hosts are tried in the given order, a race delay apart, and none is given up', (t) => {
	const race = new Race(8, -1, makeGenerator(2), 0)
	const first: number[] = []
	const counts = new Map<number, number>()
	for (let now = race.wakeAt(); now < 30 * SECOND; now = race.wakeAt()) {
		const host = race.next(now)
		if (!counts.has(host)) {
			t.is(now, first.length * RACE_DELAY)
			first.push(host)
		}
		counts.set(host, (counts.get(host) ?? 0) + 1)
	}
	t.deepEqual(first, [0, 1, 2, 3, 4, 5, 6, 7])
	for (const count of counts.values()) t.true(count >= 3)
})

test('an unreachable host brings the next one forward and loses nothing itself', (t) => {
	const race = new Race(3, -1, makeGenerator(3), 0)
	race.unreachable(1, 0)
	t.is(race.next(0), 0)
	t.is(race.next(0), -1, 'word of a host that was not asked is no news')
	race.unreachable(0, 1)
	t.is(race.next(1), 1)
	t.is(race.next(1), -1)
	race.unreachable(1, 2)
	t.is(race.next(2), 2)
	t.true(race.wakeAt() < 2 * SECOND)
})

test('after a move who was asked is asked again, four times a second at most', (t) => {
	const race = new Race(3, -1, makeGenerator(4), 0)
	t.is(race.next(0), 0)
	let asked = 0
	for (let now = 0; now < 2 * SECOND; now += SECOND / 100) {
		race.moved(now)
		for (let host = race.next(now); host >= 0; host = race.next(now)) asked++
	}
	// 0 at every race delay, 1 and 2 from their first turn on: none was put off.
	t.true(asked >= 18 && asked <= 24, `${asked}`)
})

test('a host that failed has the last turn, the others keep their order', (t) => {
	const race = new Race(4, 1, makeGenerator(5), 0)
	const order: number[] = []
	for (let i = 0; i < 4; i++) order.push(race.next(i * RACE_DELAY))
	t.deepEqual(order, [0, 2, 3, 1])
})
