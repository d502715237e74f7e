// Our client and our server across the virtual network: what gets through, in which time, and what
// happens at every end. Seeds are in the titles.

import test from 'ava'
import { MILLISECOND, SECOND } from '../../src/base/time.ts'
import { writeU16, type Bytes } from '../../src/base/bytes.ts'
import { MESSAGE_GAP56 } from '../../src/message/format.ts'
import type { Messenger } from '../../src/message/messenger.ts'
import type { Conditions } from './link.ts'
import { Network } from './network.ts'
import { ClientNode, messengers, ServerNode } from './peers.ts'
import { Rng } from './rng.ts'
import { World } from './world.ts'

const SERVER = { address: 0x0a000001, port: 4000 }
const CLIENT = { address: 0x0a000002, port: 5000 }

interface Setting {
	seed: number
	conditions?: Partial<Conditions>
	up?: number
	down?: number
	server?: Partial<ConstructorParameters<typeof ServerNode>[0]>
	client?: Partial<ConstructorParameters<typeof ClientNode>[0]>
}

function setUp(o: Setting): { world: World, server: ServerNode, client: ClientNode } {
	const network = new Network(o.seed, o.conditions ?? { latency: 10 * MILLISECOND })
	const world = new World(network)
	const random = new Rng(o.seed, 7)
	const server = new ServerNode({ random, down: o.down ?? 0, ...o.server })
	const client = new ClientNode(
		{ random, server, hosts: [SERVER], up: o.up ?? 0, ...o.client })
	world.add('server', server, SERVER.address, SERVER.port)
	world.add('client', client, CLIENT.address, CLIENT.port)
	return { world, server, client }
}

const CASES: [string, Partial<Conditions>][] = [
	['a perfect network', { latency: 10 * MILLISECOND }],
	['5 % loss', { latency: 25 * MILLISECOND, loss: 0.05 }],
	['bursts of loss', { latency: 25 * MILLISECOND, burstStart: 0.01, burstStop: 0.3 }],
	['reordering', { latency: 10 * MILLISECOND, reordering: 0.2, reorderDelay: 20 * MILLISECOND }],
	['duplication', { latency: 10 * MILLISECOND, duplication: 0.3 }],
	['corruption', { latency: 10 * MILLISECOND, corruption: 0.05 }],
	['jitter', { latency: 10 * MILLISECOND, jitter: 30 * MILLISECOND }],
	['a narrow bottleneck', { latency: 10 * MILLISECOND, bytesPerSecond: 300_000, queuePackets: 64 }],
	['all of it at once', { latency: 20 * MILLISECOND, jitter: 10 * MILLISECOND, loss: 0.03,
		duplication: 0.05, reordering: 0.05, corruption: 0.02 }],
]

for (const [title, conditions] of CASES) {
	for (const seed of [1, 2]) {
		test(`${title}: 300 kB up and 200 kB down arrive whole, one connection (seed ${seed})`, (t) => {
			const { world, server, client } = setUp({ seed, conditions, up: 300_000, down: 200_000 })
			t.true(world.runUntil(() => client.program.done && server.programs[0]?.done === true,
				120 * SECOND))
			const [program] = server.programs
			t.is(server.programs.length, 1)
			t.deepEqual([program!.read, program!.wrong], [300_000, -1])
			t.deepEqual([client.program.read, client.program.wrong], [200_000, -1])
			t.log(`${(world.now / SECOND).toFixed(2)} s`)
			world.runFor(10 * SECOND)
			t.is(client.endpoint.state, 'closed')
			t.is(client.endpoint.ending, 'done')
			t.is(server.endpoint.size, 0, 'the row is free again')
		})
	}
}

test('empty streams: a connection that only opens and ends', (t) => {
	const { world, server, client } = setUp({ seed: 3 })
	t.true(world.runUntil(() => client.endpoint.state === 'timeWait', 2 * SECOND))
	t.is(server.programs[0]!.read, 0)
	t.true(world.now < 200 * MILLISECOND, `${world.now / MILLISECOND} ms`)
})

test('a client that nobody answers gives up at its limit', (t) => {
	const { world, client } = setUp({ seed: 4, conditions: { loss: 1 } })
	world.runFor(59 * SECOND)
	t.is(client.endpoint.state, 'racing')
	world.runFor(2 * SECOND)
	t.is(client.endpoint.ending, 'timeout')
})

const REFUSALS: [string, NonNullable<Setting['client']>, string][] = [
	['a wrong name', { name: 'other' }, 'name'],
	['a wrong server key', { server: { publicKey: new Uint8Array(32).fill(9) } }, 'box'],
	['a wrong extension', { serverExtension: new Uint8Array(16).fill(1) }, 'extension'],
]
for (const [title, client, drop] of REFUSALS) {
	test(`${title} is met with silence, and counted as ${drop}`, (t) => {
		const { world, server, client: node } = setUp({ seed: 5, client })
		world.runUntil(() => node.endpoint.state === 'closed', 100 * SECOND)
		t.is(node.endpoint.ending, 'timeout')
		t.is(server.programs.length, 0)
		t.true(server.endpoint.drops[drop as 'name'] > 0)
		t.is(server.endpoint.counts.sent, server.endpoint.counts.cookies, 'nothing but Cookies')
	})
}

test('only admitted clients are served', (t) => {
	const clients = new Set(['00'.repeat(32)])
	const { world, server, client } = setUp({ seed: 6, server: { clients } })
	world.runUntil(() => client.endpoint.state === 'closed', 100 * SECOND)
	t.true(server.endpoint.drops.policy > 0)
	t.is(server.programs.length, 0)
})

test('a server with one row serves the second client when the first is done', (t) => {
	const { world, server, client } = setUp({ seed: 7, up: 500_000, server: { connections: 1 } })
	const second = new ClientNode({ random: new Rng(8), server, hosts: [SERVER], up: 1000 })
	world.add('second', second, CLIENT.address + 1, CLIENT.port)
	t.true(world.runUntil(() => client.program.done && second.program.done, 60 * SECOND))
	t.true(server.endpoint.drops.full > 0)
	t.is(server.programs.length, 2)
	t.deepEqual(server.programs.map((program) => program.read).sort(), [1000, 500_000])
})

test('a client that vanishes is noticed and its row freed', (t) => {
	const { world, server, client } = setUp({ seed: 8, up: 10_000_000 })
	world.runFor(SECOND / 10)
	t.is(client.endpoint.state, 'established')
	world.network.tap(() => 'drop')
	world.runFor(80 * SECOND)
	t.is(server.endpoint.size, 1)
	world.runFor(15 * SECOND)
	t.is(server.endpoint.size, 0)
	t.is(server.connections[0]!.ending, 'lost')
	t.is(client.endpoint.ending, 'lost')
})

/** Like NaCl's: nothing in its messages says that they are ours. */
function strangers(random: Rng): (now: number) => Messenger {
	const make = messengers(random, 16)
	return (now) => {
		const messenger = make(now)
		const unmark = (p: Bytes, at: number, n: number): number => {
			if (n > 0) writeU16(p, at + MESSAGE_GAP56, 0)
			return n
		}
		const transmit = messenger.transmit.bind(messenger)
		messenger.transmit = (p, at, room, then) => unmark(p, at, transmit(p, at, room, then))
		const probe = messenger.transmitProbe.bind(messenger)
		messenger.transmitProbe = (p, at, room, id, then) =>
			unmark(p, at, probe(p, at, room, id, then))
		return messenger
	}
}

for (const [who, ending, after] of [['NaCl\'s', 'done', 30], ['ours', 'lost', 90]] as const) {
	test(`a server of ${who} that has all and has ended is gone: ${ending} after ${after} s`, (t) => {
		const makeLayer = who === 'ours' ? {} : { makeLayer: strangers(new Rng(21)) }
		const { world, client } = setUp({ seed: 20, server: makeLayer })
		client.program.ended = true
		t.true(world.runUntil(() => client.messenger.incomingDone, SECOND))
		world.network.tap(() => 'drop')
		client.messenger.end(world.now)
		client.endpoint.touch(world.now)
		const heard = world.now
		world.runUntil(() => client.endpoint.ending !== undefined, 100 * SECOND)
		t.is(client.endpoint.ending, ending)
		t.is(Math.round((world.now - heard) / SECOND), after)
	})
}

test('an idle connection lives on for hours by its pings', (t) => {
	const { world, server, client } = setUp({ seed: 9 })
	client.program.ended = true
	world.runFor(3 * 3600 * SECOND)
	t.is(client.endpoint.ending, undefined)
	t.is(server.connections[0]!.ending, undefined)
	t.is(client.endpoint.state, 'established')
	t.is(server.endpoint.size, 1)
	const packets = world.network.sent
	t.true(packets < 3 * 3600 / 20 * 2 * 3, `${packets} packets in three hours`)
})
