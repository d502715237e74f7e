// The world's own promises: time, the drain rule, bounds.

import test from 'ava'
import type { Slot } from '../../src/base/slots.ts'
import { MILLISECOND, NEVER, SECOND, type Nanos } from '../../src/base/time.ts'
import { Network } from './network.ts'
import { Echo, Sink, Source } from './nodes.ts'
import { World, type Node } from './world.ts'

const HERE = { address: 0x7f000001, port: 1 }
const THERE = { address: 0x7f000001, port: 2 }

/** A machine that only says when it wants to wake. */
function sleeper(wakeAt: () => Nanos, wake: (now: Nanos) => void = () => {}): Node {
	return { receive: () => undefined, transmit: () => false, wakeAt, wake }
}

test('time jumps to what is next, never back, and stands still when nothing is', (t) => {
	const world = new World(new Network(1), { start: 7 })
	const woken: Nanos[] = []
	const plan = [5 * SECOND, 30 * SECOND, 1e6 * SECOND, NEVER]
	world.add('sleeper', sleeper(() => plan[0]!, (now) => {
		woken.push(now)
		plan.shift()
	}), HERE.address, HERE.port)
	t.is(world.now, 7)
	while (world.step());
	t.deepEqual(woken, [5 * SECOND, 30 * SECOND, 1e6 * SECOND])
	t.is(world.now, 1e6 * SECOND)
	t.false(world.step())
})

test('a wake time in the past means now', (t) => {
	const world = new World(new Network(1), { start: SECOND })
	let wakeAt = -Infinity
	world.add('late', sleeper(() => wakeAt, (now) => {
		t.is(now, SECOND)
		wakeAt = NEVER
	}), HERE.address, HERE.port)
	t.true(world.step())
	t.is(world.now, SECOND)
	t.plan(3)
})

test('a machine that wakes without end at one time is refused, with the seed', (t) => {
	const world = new World(new Network(42), { callsMax: 1000 })
	world.add('spinner', sleeper(() => 3), HERE.address, HERE.port)
	t.throws(() => { while (world.step()); }, { message: /spinner is busy at 3 ns .*\(seed 42\)/ })
})

test('so are one that transmits without end, and two that echo at each other', (t) => {
	const endless = new World(new Network(1), { callsMax: 1000 })
	endless.add('sink', new Sink(), THERE.address, THERE.port)
	endless.add('endless', new Source(THERE, Infinity, 16, 0), HERE.address, HERE.port)
	t.throws(() => endless.step(), { message: /endless is busy/ })

	const network = new Network(1)
	const world = new World(network, { callsMax: 1000 })
	world.add('one', new Echo(), HERE.address, HERE.port)
	world.add('two', new Echo(), THERE.address, THERE.port)
	network.inject(new Uint8Array(16), HERE, THERE, 0)
	t.throws(() => { while (world.step()); }, { message: /busy/ })
})

test('a machine that does not know when to wake is refused', (t) => {
	const world = new World(new Network(1))
	world.add('lost', sleeper(() => NaN), HERE.address, HERE.port)
	t.throws(() => world.step(), { message: /lost does not know/ })
})

test('after each packet a machine is drained before it sees the next', (t) => {
	const network = new Network(1)
	const world = new World(network)
	const calls: string[] = []
	let answers = 0
	world.add('server', {
		receive() {
			calls.push('receive')
			answers = 2
			return undefined
		},
		turn() {
			calls.push('turn')
			return false
		},
		transmit(out: Slot) {
			if (answers === 0) return false
			calls.push('transmit')
			out.length = 16
			out.address = THERE.address
			out.port = THERE.port
			answers--
			return true
		},
		wakeAt: () => NEVER,
		wake() {},
	}, HERE.address, HERE.port)
	const sink = new Sink()
	world.add('client', sink, THERE.address, THERE.port)
	world.step()
	calls.length = 0
	for (let i = 0; i < 2; i++) network.inject(new Uint8Array(16), THERE, HERE, world.now, SECOND)
	world.step()
	// A second turn after transmitting, because that may have made the streams writable.
	const each = ['receive', 'turn', 'transmit', 'transmit', 'turn']
	t.deepEqual(calls, [...each, ...each])
	while (world.step());
	t.is(sink.numbers.length, 4)
})

test('what a machine refuses is counted by reason', (t) => {
	const network = new Network(1)
	const world = new World(network)
	const host = world.add('sink', new Sink(), HERE.address, HERE.port)
	for (let n = 0; n < 6; n++) network.inject(new Uint8Array(n), THERE, HERE, 0)
	while (world.step());
	t.deepEqual([...world.drops(host)], [['length', 4]])
})

test('runUntil ends with its condition or its patience; invariants hold after every step', (t) => {
	const world = new World(new Network(1, { latency: MILLISECOND }))
	const sink = new Sink()
	world.add('source', new Source(THERE, 100, 16, 10 * MILLISECOND), HERE.address, HERE.port)
	world.add('sink', sink, THERE.address, THERE.port)
	let steps = 0
	world.invariant(() => { steps++ })
	t.true(world.runUntil(() => sink.numbers.length === 50, 10 * SECOND))
	t.is(world.now, 491 * MILLISECOND)
	t.is(steps, world.steps)
	t.false(world.runUntil(() => sink.numbers.length === 101, SECOND))
	t.is(world.now, 1491 * MILLISECOND)

	world.invariant(() => { throw new Error('broken') })
	world.after(SECOND, () => {})
	t.throws(() => world.runFor(2 * SECOND), { message: 'broken' })
})

test('a restart puts another machine in the same place', (t) => {
	const world = new World(new Network(1))
	const [before, after] = [new Sink(), new Sink()]
	world.add('source', new Source(THERE, 10, 16, SECOND), HERE.address, HERE.port)
	const host = world.add('sink', before, THERE.address, THERE.port)
	world.at(4.5 * SECOND, () => world.replace(host, after))
	while (world.step());
	t.deepEqual([before.numbers.length, after.numbers.length], [5, 5])
})
