import test from 'ava'
import { MILLISECOND, SECOND } from '../../../../src/base/time.ts'
import { Cubic } from '../../../../src/message/congestion/cubic.ts'
import { makeGenerator } from '../../../support/generator.ts'

const FULL = 1072
const RTT = 100 * MILLISECOND

/** A path on which every window is acknowledged one round trip later, with this delay on top. */
class Path {
	now = 0
	readonly cubic = new Cubic()

	/** One round trip: a window is sent, then acknowledged block by block. */
	round(queue = 0, limited = true, lost = 0): void {
		const sentAt = this.now
		this.now += RTT + queue
		const blocks = Math.floor(this.cubic.window / FULL)
		for (let i = 0; i < blocks; i++) {
			if (Math.floor(i * lost) < Math.floor((i + 1) * lost)) {
				this.cubic.onLost(FULL, sentAt, this.now)
				continue
			}
			this.cubic.onSample(RTT + queue, RTT + queue, this.now)
			this.cubic.onAcked(FULL, sentAt, limited, this.now)
		}
	}

	lose(blocks = 1): void {
		this.cubic.onLost(blocks * FULL, this.now - RTT / 2, this.now)
	}

	get blocks(): number {
		return this.cubic.window / FULL
	}
}

test('it begins with ten blocks and doubles each round trip', (t) => {
	const path = new Path()
	const windows: number[] = []
	for (let i = 0; i < 4; i++) {
		windows.push(path.blocks)
		path.round()
	}
	t.deepEqual(windows, [10, 20, 40, 80])
	t.true(path.cubic.slowStart)
})

test('what is not limited by the window does not grow it', (t) => {
	const path = new Path()
	for (let i = 0; i < 10; i++) path.round(0, false)
	t.is(path.blocks, 10)
})

test('round trips that grow end slow start before anything is lost', (t) => {
	const path = new Path()
	for (let i = 0; i < 4; i++) path.round()
	for (let i = 0; i < 8; i++) path.round(20 * MILLISECOND)
	t.false(path.cubic.slowStart)
	t.true(path.blocks < 80 * 2 ** 5)
})

test('with a queue a loss leaves 70 %, once for each round trip', (t) => {
	const path = new Path()
	for (let i = 0; i < 4; i++) path.round()
	for (let i = 0; i < 8; i++) path.round(50 * MILLISECOND)
	const before = path.cubic.window
	path.lose()
	t.is(path.cubic.window, before * 0.7)
	path.cubic.onLost(FULL, path.now - 1, path.now)
	t.is(path.cubic.window, before * 0.7, 'sent before the reduction')
	path.now += RTT
	path.lose()
	t.is(path.cubic.window, before * 0.7 * 0.7)
})

test('without a queue a loss is the path\'s and leaves the window as it is', (t) => {
	const path = new Path()
	for (let i = 0; i < 5; i++) path.round()
	const before = path.cubic.window
	path.lose()
	t.is(path.cubic.window, before)
})

/** The window after so many round trips of which this share is lost, with no queue to be seen. */
function afterLoss(share: number, rounds: number): number {
	const path = new Path()
	for (let i = 0; i < 5; i++) path.round()
	for (let i = 0; i < rounds; i++) path.round(0, true, share)
	return path.blocks
}

test('much loss is congestion even without a queue, a steady little is not', (t) => {
	t.true(afterLoss(0.6, 40) < 60, `${afterLoss(0.6, 40)}`)
	t.true(afterLoss(0.03, 5) > 2000, `${afterLoss(0.03, 5)}`)
})

test('a short queue is emptied, not paid for with 30 %', (t) => {
	const path = new Path()
	for (let i = 0; i < 4; i++) path.round()
	for (let i = 0; i < 8; i++) path.round(20 * MILLISECOND)
	const before = path.blocks
	path.lose()
	t.true(Math.abs(path.blocks / before - 0.95 / 1.2) < 0.001, `${path.blocks / before}`)
})

test('after a reduction it climbs to three quarters, slows down there, then goes beyond', (t) => {
	const path = new Path()
	for (let i = 0; i < 4; i++) path.round()
	for (let i = 0; i < 8; i++) path.round(50 * MILLISECOND)
	const before = path.blocks
	path.lose()
	// RFC 9438, 4.2: the plateau is K seconds away.
	const k = Math.cbrt(before * (0.75 - 0.7))
	const from = path.now
	const share = (seconds: number): number => {
		while (path.now < from + seconds * SECOND) path.round(50 * MILLISECOND)
		return path.blocks / before
	}
	const shares = [k / 2, k, 1.5 * k, 3 * k].map(share)
	t.true(shares[0]! > 0.735 && shares[0]! < 0.75, `${shares}`)
	t.true(Math.abs(shares[1]! - 0.75) < 0.01, `${shares}`)
	t.true(shares[2]! < 0.8, `${shares}`)
	t.true(shares[3]! > 1, `${shares}`)
})

test('a reduction for a loss that was none is taken back', (t) => {
	const path = new Path()
	for (let i = 0; i < 4; i++) path.round()
	for (let i = 0; i < 8; i++) path.round(50 * MILLISECOND)
	const before = path.cubic.window
	path.lose()
	path.cubic.onSpurious()
	t.is(path.cubic.window, before)
})

test('a broken path begins again with two blocks, a new one with ten', (t) => {
	const path = new Path()
	for (let i = 0; i < 5; i++) path.round()
	path.cubic.onPersistent()
	t.is(path.blocks, 2)
	path.cubic.onNewPath()
	t.is(path.blocks, 10)
	t.is(path.cubic.interval, 0)
	t.true(path.cubic.slowStart)
})

test('the pace is a little more than the window, in bursts that suit coarse timers', (t) => {
	const path = new Path()
	for (let i = 0; i < 8; i++) path.round()
	const perRound = RTT / path.cubic.interval
	t.true(Math.abs(perRound / (2 * path.blocks) - 1) < 0.01)
	t.true(path.cubic.burst * path.cubic.interval >= 2 * MILLISECOND)
	t.true(path.cubic.burst >= 10)
})

test('numbers stay numbers, whatever happens in whatever order', (t) => {
	for (let seed = 1; seed <= 20; seed++) {
		const random = makeGenerator(seed)
		const cubic = new Cubic()
		let now = 0
		for (let i = 0; i < 3000; i++) {
			now += random.below(50 * MILLISECOND)
			const sentAt = now - random.below(300 * MILLISECOND)
			const action = random.below(40)
			if (action < 20) cubic.onAcked(random.below(50_000), sentAt, random.below(2) === 0, now)
			else if (action < 30) cubic.onSample(random.below(SECOND), 1 + random.below(SECOND), now)
			else if (action < 36) cubic.onLost(random.below(20_000), sentAt, now)
			else if (action === 36) cubic.onSpurious()
			else if (action === 37) cubic.onPersistent()
			else if (random.below(50) === 0) cubic.onNewPath()
			t.true(cubic.window >= 2 * FULL && cubic.window < Infinity)
			t.true(cubic.interval >= 0 && cubic.interval < 60 * SECOND)
			t.true(Number.isInteger(cubic.burst) && cubic.burst >= 10)
		}
	}
})
