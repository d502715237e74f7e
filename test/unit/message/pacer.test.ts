import test from 'ava'
import { MICROSECOND, MILLISECOND } from '../../../src/base/time.ts'
import type { Controller } from '../../../src/message/congestion/controller.ts'
import { BLOCK_MAX, messageBytes } from '../../../src/message/format.ts'
import { Pacer } from '../../../src/message/pacer.ts'

const FULL = messageBytes(BLOCK_MAX)

function control(interval: number, burst: number): Controller & { interval: number } {
	return {
		window: Infinity, interval, burst, timeout: 0,
		onSample: () => {}, onAcked: () => {}, onLost: () => {}, onRetransmit: () => {},
		onPersistent: () => {}, onSpurious: () => {}, onNewPath: () => {},
	}
}

/** Sends as much as may leave at each wake; how many full messages each had, without the first. */
function trains(pacer: Pacer, wakes: number): { sizes: number[], nanos: number } {
	const sizes: number[] = []
	let now = 1000 * MILLISECOND
	const started = now
	for (let i = 0; i <= wakes; i++) {
		let n = 0
		while (pacer.at <= now) {
			pacer.sent(FULL, now)
			n++
		}
		sizes.push(n)
		now = pacer.at
	}
	return { sizes: sizes.slice(1), nanos: now - started }
}

test('a fast flow leaves in trains of a quarter of a millisecond, at its pace', (t) => {
	const { sizes, nanos } = trains(new Pacer(control(10 * MICROSECOND, 200)), 40)
	t.deepEqual(sizes, Array.from({ length: 40 }, () => 25))
	t.true(nanos <= 41 * 250 * MICROSECOND)
})

test('a train is one system call at most', (t) => {
	const { sizes } = trains(new Pacer(control(MICROSECOND, 2000)), 10)
	t.deepEqual(sizes, Array.from({ length: 10 }, () => 64))
})

test('a slow flow leaves message by message', (t) => {
	const { sizes } = trains(new Pacer(control(200 * MICROSECOND, 10)), 10)
	t.deepEqual(sizes, Array.from({ length: 10 }, () => 1))
})

test('no train is longer than a burst, nor than what the peer can take', (t) => {
	t.deepEqual(trains(new Pacer(control(10 * MICROSECOND, 1)), 3).sizes, [1, 1, 1])
	const pacer = new Pacer(control(10 * MICROSECOND, 200))
	pacer.burstMax = 4
	t.deepEqual(trains(pacer, 3).sizes, [4, 4, 4])
})

test('what comes in between does not break a train up', (t) => {
	const now = 1000 * MILLISECOND
	const pacer = new Pacer(control(10 * MICROSECOND, 20))
	while (pacer.at <= now) pacer.sent(FULL, now)
	t.is(pacer.at, now + 10 * MICROSECOND * 20)
	t.true(pacer.at > now + 10 * MICROSECOND)
})

test('a shorter interval shortens the wait at once', (t) => {
	const now = 1000 * MILLISECOND
	const rule = control(10 * MICROSECOND, 20)
	const pacer = new Pacer(rule)
	while (pacer.at <= now) pacer.sent(FULL, now)
	const before = pacer.at - now
	rule.interval = 5 * MICROSECOND
	t.true(pacer.at - now < before)
})
