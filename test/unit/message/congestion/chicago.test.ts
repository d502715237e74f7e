// Chicago against a table recorded from the reference: every variable after every event.

import { readFileSync } from 'node:fs'
import test from 'ava'
import type { Random } from '../../../../src/base/random.ts'
import { MILLISECOND, NEVER, SECOND } from '../../../../src/base/time.ts'
import { Chicago, LONG_AGO } from '../../../../src/message/congestion/chicago.ts'

interface Trace {
	name: string
	seed: number
	rows: number[][]
	/** Random integers, each followed by its bound. */
	draws: number[]
}

const vectors = JSON.parse(readFileSync('test/vectors/chicago.json', 'utf8')) as {
	columns: string[]
	traces: Trace[]
}

const NO_DRAWS: Random = {
	fill() {
		throw new Error('no random number is due here')
	},
}

/** Gives randomBelow the bytes from which it makes the recorded integers. */
class RecordedRandom implements Random {
	readonly #draws: number[]
	used = 0

	constructor(draws: number[]) {
		this.#draws = draws
	}

	fill(p: Uint8Array, at: number, n: number): void {
		const draw = this.#draws[this.used++]!
		const bound = this.#draws[this.used++]!
		// The middle of the slice of [0, 2^53) that maps to this integer.
		let value = ((2n * BigInt(draw) + 1n) << 52n) / BigInt(bound)
		for (let i = n - 1; i >= 0; i--) {
			p[at + i] = Number(value & 255n)
			value >>= 8n
		}
	}
}

/** Our state in the table's columns; the timer column is compared apart. */
function state(chicago: Chicago): number[] {
	const flags = [
		chicago.seenRecentHigh, chicago.seenRecentLow, chicago.seenOlderHigh, chicago.seenOlderLow,
		chicago.phase,
	].reduce((sum, flag, i) => sum + (flag ? 2 ** i : 0), 0)
	return [
		chicago.nanosPerBlock, chicago.rttAverage, chicago.rttDeviation, chicago.rttTimeout,
		chicago.rttHighWater, chicago.rttLowWater, flags, moment(chicago.lastSpeedAdjustment),
		moment(chicago.lastEdge), moment(chicago.lastDoubling), moment(chicago.lastPanic),
		moment(chicago.lastBlockTime),
	]
}

function moment(time: number): number {
	return time === LONG_AGO ? -1 : time
}

for (const trace of vectors.traces) {
	test(`as the reference, every variable at every step: ${trace.name}`, (t) => {
		const random = new RecordedRandom(trace.draws)
		const chicago = new Chicago(random, 0)
		const recorded = vectors.columns.map(() => 0)
		const timer = vectors.columns.indexOf('retransmitTimer')
		let now = 0
		let slept = 0
		for (const [index, row] of trace.rows.entries()) {
			const [event, elapsed, rtt, age, due, ...changes] = row as [
				number, number, number, number, number, ...number[]]
			now += elapsed
			if (event === 0) chicago.onSample(rtt, now)
			else if (event === 1) chicago.onRetransmit(now)
			else chicago.onBlock(now)
			changes.forEach((change, column) => { recorded[column]! += change })

			const step = `row ${index}`
			t.deepEqual(state(chicago), recorded.slice(0, timer), step)
			const wake = chicago.retransmitDue(age === -1 ? NEVER : now - age)
			t.is(now >= wake, due === 1, step)
			if (recorded[timer] !== -1) {
				t.is(wake, recorded[timer]!, step)
			} else if (age === -1) {
				t.is(wake, NEVER, step)
			} else {
				// The reference sleeps; we wake when the block interval ends.
				t.true(wake >= now + 60 * SECOND || wake === chicago.blockDue(), step)
				slept++
			}
		}
		t.is(random.used, trace.draws.length)
		t.log(`${trace.rows.length} events; the reference sleeps over ${slept} due times`)
	})
}

test('the traces go through what they are for', (t) => {
	const rows = vectors.traces.reduce((sum, trace) => sum + trace.rows.length, 0)
	const draws = vectors.traces.reduce((sum, trace) => sum + trace.draws.length / 2, 0)
	t.true(rows > 2500)
	t.true(draws > 50)
})

// Difference 1: the reference's clock is decades from its 0; ours may be nanoseconds from it.
test('what never happened is long ago, however young the process', (t) => {
	const chicago = new Chicago(NO_DRAWS, 0)
	t.is(chicago.blockDue(), LONG_AGO)
	chicago.onSample(8 * MILLISECOND, 8 * MILLISECOND)
	t.is(chicago.nanosPerBlock, 4 * MILLISECOND, 'doubled at once: no edge, no doubling before')
	t.is(chicago.lastEdge, LONG_AGO, 'a doubling makes no edge where there was none')

	const panicked = new Chicago(NO_DRAWS, 0)
	panicked.onRetransmit(0)
	t.is(panicked.nanosPerBlock, 2 * SECOND, 'no panic before: the first one counts even at time 0')
	t.is(panicked.lastEdge, 0)
})

// Difference 2: the reference compares 1 s with 1 s here, sets no timer and sleeps for 60 s.
test('the first block is sent again after its timeout even when nothing else wakes us', (t) => {
	const chicago = new Chicago(NO_DRAWS, 0)
	chicago.onBlock(5 * MILLISECOND)
	t.is(chicago.retransmitDue(5 * MILLISECOND), 5 * MILLISECOND + SECOND)
	t.is(chicago.retransmitDue(NEVER), NEVER)

	// Oldest block overdue, and another block has just gone out: the interval decides.
	chicago.onBlock(1500 * MILLISECOND)
	t.is(chicago.retransmitDue(5 * MILLISECOND), 2500 * MILLISECOND)
})
