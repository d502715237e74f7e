// The table of `make sim` in short, kept to be read: whoever changes congestion control sees here
// what it does. 20 Mbit/s, 10 s, one seed; flows share 50 Mbit/s for 20 s.

import test from 'ava'
import { fairnessTable, lossTable, measure } from './grid.ts'

const SEED = 1
const SHORT = { megabits: 20, seconds: 10, seed: SEED }

test(`what gets through per loss and round-trip time (seed ${SEED})`, (t) => {
	t.snapshot(lossTable(SHORT))
})

test(`how flows share a bottleneck (seed ${SEED})`, (t) => {
	t.snapshot(fairnessTable({ megabits: 50, seconds: 20, seed: SEED, rttMillis: 50 }, [2, 4, 8]))
})

test(`5 % loss at 50 ms is no standstill, as it is for the reference (seed ${SEED})`, (t) => {
	const { share } = measure({ ...SHORT, loss: 0.05, rttMillis: 50 })
	const blocks = (share * 20e6) / 8 / 1100
	t.true(blocks > 10 * 45, `${blocks.toFixed(0)} blocks a second; the reference: about 45`)
})

for (const [flows, rttMillis] of [[2, 10], [2, 50], [8, 50]] as const) {
	test(`${flows / 2} of ours beside ${flows / 2} of TCP at ${rttMillis} ms share fairly`, (t) => {
		const o = { ...SHORT, seconds: 40, loss: 0, rttMillis, flows, tcp: flows / 2 }
		const { againstTcp, share } = measure(o)
		t.true(againstTcp > 0.5 && againstTcp < 2, `${againstTcp.toFixed(2)} (seed ${SEED})`)
		t.true(share > 0.95, `${share.toFixed(2)} of the path (seed ${SEED})`)
	})
}
