// Chicago at work: our messenger under its control, over simulated paths.

import test from 'ava'
import { MILLISECOND, SECOND } from '../../src/base/time.ts'
import { ChicagoControl } from '../../src/message/congestion/chicago-control.ts'
import { makeMessenger } from '../unit/message/pair.ts'
import type { Conditions } from './link.ts'
import { Network } from './network.ts'
import { chooseSeed, Rng } from './rng.ts'
import { StreamEnd } from './streams.ts'
import { World } from './world.ts'

const A = { address: 0x0a000001, port: 1 }
const B = { address: 0x0a000002, port: 2 }

/** Bytes that arrive in each second when one side sends all it can. */
function perSecond(seed: number, conditions: Partial<Conditions>, seconds: number): number[] {
	const network = new Network(seed, conditions)
	const world = new World(network)
	const control = (): ChicagoControl => new ChicagoControl(new Rng(seed), 0)
	const sender = new StreamEnd(makeMessenger({ control }), B, Infinity)
	const receiver = new StreamEnd(makeMessenger({ control }), A, 0)
	world.add('sender', sender, A.address, A.port)
	world.add('receiver', receiver, B.address, B.port)
	const bytes: number[] = []
	let before = 0
	for (let i = 0; i < seconds; i++) {
		world.runFor(SECOND)
		bytes.push(receiver.read - before)
		before = receiver.read
	}
	return bytes
}

function within(number: number, low: number, high: number): boolean {
	return number >= low && number <= high
}

const BLOCK = 1024

test('a path without loss: the start of section 5.3, then 128 blocks each round trip', (t) => {
	const seed = chooseSeed((line) => t.log(line), 1)
	const blocks = perSecond(seed, { latency: 50 * MILLISECOND }, 8).map((n) => Math.round(n / BLOCK))
	t.log(blocks.join(' '))
	// 28 are sent in the first second, and the last of them has not arrived in it.
	t.true(within(blocks[0]!, 25, 28))
	t.true(within(blocks[1]!, 200, 400))
	t.true(blocks.slice(3).every((n) => within(n, 1200, 1280)))
})

test('loss at 50 ms costs what it costs the reference: protocol.md, section 12', (t) => {
	const seed = chooseSeed((line) => t.log(line), 1)
	const mean = (loss: number): number => {
		const bytes = perSecond(seed, { latency: 25 * MILLISECOND, loss }, 60).slice(3)
		return bytes.reduce((sum, n) => sum + n, 0) / bytes.length
	}
	const one = mean(0.01)
	const five = mean(0.05)
	t.log(`1 %: ${Math.round(one / 1000)} kB/s; 5 %: ${Math.round(five / BLOCK)} blocks/s`)
	// Measured there: 80 kB/s and about 45 blocks a second, repeats among them.
	t.true(within(one, 55_000, 110_000))
	t.true(within(five / BLOCK, 28, 60))
})
