// The handshake when things go wrong: every lost packet, aged cookies, restarts, and recordings
// that must open nothing.

import test from 'ava'
import { makeSlot } from '../../src/base/slots.ts'
import { MILLISECOND, SECOND } from '../../src/base/time.ts'
import { COOKIE_AGE, FINISHED_MAX, MINUTE } from '../../src/limits.ts'
import type { Host, Passing } from './network.ts'
import { Network } from './network.ts'
import { ClientNode, ServerNode } from './peers.ts'
import { Rng } from './rng.ts'
import { World } from './world.ts'

const SERVER = { address: 0x0a000001, port: 4000 }
const CLIENT = { address: 0x0a000002, port: 5000 }

interface Pair {
	world: World
	server: ServerNode
	client: ClientNode
	serverHost: Host
}

function setUp(seed: number, o: Partial<ConstructorParameters<typeof ServerNode>[0]> = {}): Pair {
	const world = new World(new Network(seed, { latency: 10 * MILLISECOND }))
	const random = new Rng(seed, 11)
	const server = new ServerNode({ random, down: 3000, ...o })
	const client = new ClientNode({ random, server, hosts: [SERVER], up: 2000 })
	const serverHost = world.add('server', server, SERVER.address, SERVER.port)
	world.add('client', client, CLIENT.address, CLIENT.port)
	return { world, server, client, serverHost }
}

/** A packet's copy as a tap saw it. */
function copyOf({ bytes, at, n }: Passing): Uint8Array {
	return bytes.slice(at, at + n)
}

const isInitiate = (p: Uint8Array): boolean => p[7] === 0x49

for (const seed of [1, 2]) {
	test(`the loss of any single packet costs time, and nothing else (seed ${seed})`, (t) => {
		for (let lost = 0; lost < 24; lost++) {
			const { world, server, client } = setUp(seed)
			let count = 0
			world.network.tap(() => (count++ === lost ? 'drop' : 'pass'))
			t.true(world.runUntil(() => client.program.done && server.programs[0]?.done === true,
				10 * SECOND), `packet ${lost}`)
			t.is(server.programs.length, 1)
			t.true(world.now < 3 * SECOND, `packet ${lost}: ${world.now / SECOND} s`)
			world.runFor(10 * SECOND)
			t.is(server.endpoint.size, 0)
		}
	})
}

test('a cookie that has aged is never used under another, and the client starts anew', (t) => {
	const { world, server, client } = setUp(3)
	const cookieOf = new Map<string, string>()
	world.network.tap((packet) => {
		const p = copyOf(packet)
		if (!isInitiate(p)) return 'pass'
		const key = String(p.slice(40, 72))
		const cookie = String(p.slice(72, 168))
		t.is(cookieOf.get(key) ?? cookie, cookie, 'one C\', one cookie')
		cookieOf.set(key, cookie)
		return cookieOf.size === 1 ? 'drop' : 'pass'
	})
	world.runFor(COOKIE_AGE)
	t.is(client.endpoint.tries, 1)
	t.true(world.runUntil(() => client.program.done, 5 * SECOND))
	t.is(client.endpoint.tries, 2)
	t.is(server.programs.length, 1)
})

test('a cookie is taken under two minute keys, and not under a third', (t) => {
	for (const [turns, drop] of [[0, undefined], [1, undefined], [2, 'cookie']] as const) {
		const { world, server, client } = setUp(4)
		let initiate: Uint8Array | undefined
		world.network.tap((packet) => {
			const p = copyOf(packet)
			if (isInitiate(p)) initiate ??= p
			return isInitiate(p) ? 'drop' : 'pass'
		})
		world.runUntil(() => initiate !== undefined, SECOND)
		client.endpoint.close(world.now)
		world.runFor(turns * MINUTE)
		const slot = makeSlot(new Uint8Array(1216))
		slot.bytes.set(initiate!)
		slot.length = initiate!.length
		t.is(server.receive(slot, world.now), drop, `after ${turns} turns`)
	}
})

/** Replays p to the server from somewhere; what the server made of it. */
function replay({ world, server }: Pair, p: Uint8Array): string | undefined {
	const slot = makeSlot(new Uint8Array(1216))
	slot.bytes.set(p)
	slot.length = p.length
	slot.address = 0x0a0000ee
	slot.port = 1
	const drop = server.receive(slot, world.now)
	world.touchAll()
	return drop
}

test('a recorded connection opens nothing again, at any time after it ended', (t) => {
	for (const later of [0, 5, 59, 61, 119, 121, 400]) {
		const pair = setUp(5)
		const { world, server, client } = pair
		const recorded: Uint8Array[] = []
		world.network.tap((packet) => {
			if (packet.toAddress === SERVER.address) recorded.push(copyOf(packet))
			return 'pass'
		})
		t.true(world.runUntil(() => client.endpoint.state === 'closed', 20 * SECOND))
		t.true(world.runUntil(() => server.endpoint.size === 0, 20 * SECOND))
		world.runFor(later * SECOND)
		for (const p of recorded) replay(pair, p)
		world.runFor(SECOND)
		t.is(server.programs.length, 1, `${later} s later`)
		t.is(server.endpoint.size, 0)
	}
})

test('when too many have ended the minute keys turn early, and no replay gets in', (t) => {
	const pair = setUp(6)
	const { world, server, client } = pair
	let initiate: Uint8Array | undefined
	world.network.tap((packet) => {
		const p = copyOf(packet)
		if (isInitiate(p)) initiate ??= p
		return 'pass'
	})
	const over = (): boolean => server.endpoint.size === 0 && client.endpoint.state === 'closed'
	t.true(world.runUntil(over, 20 * SECOND))
	const { keys } = server.identity.handshake
	for (let i = 0; i < 5 * FINISHED_MAX; i++) {
		server.identity.handshake.finish(`other ${i}`, world.now)
		if (i % 1000 === 0) replay(pair, initiate!)
	}
	t.true(keys.turn >= 4)
	t.is(server.programs.length, 1)
	const second = new ClientNode({ random: new Rng(60), server, hosts: [SERVER], up: 10 })
	world.add('second', second, CLIENT.address + 1, CLIENT.port)
	t.true(world.runUntil(() => second.program.done, 5 * SECOND))
})

test('for a live connection an Initiate is a Message, whatever cookie and name it carries', (t) => {
	const { world, server, client } = setUp(7)
	client.program.ended = true
	const recorded: Uint8Array[] = []
	world.network.tap((packet) => {
		const p = copyOf(packet)
		if (!isInitiate(p)) return 'pass'
		recorded.push(p)
		// The first gets through; the second is held back, and comes with its cookie zeroed.
		return recorded.length === 2 ? 'drop' : 'pass'
	})
	world.runFor(SECOND)
	t.is(server.endpoint.size, 1)
	const held = recorded[1] ?? recorded[0]!
	held.fill(0, 72, 168)
	const slot = makeSlot(new Uint8Array(1216))
	slot.bytes.set(held)
	slot.length = held.length
	const drop = server.receive(slot, world.now)
	t.is(drop, recorded.length > 1 ? undefined : 'replay')
	t.is(server.endpoint.size, 1)
})

test('a server that restarts is noticed, and the row of a client that restarts is freed', (t) => {
	const { world, client, serverHost } = setUp(8)
	client.program.ended = true
	world.runFor(SECOND)
	const again = new ServerNode({ random: new Rng(80) })
	world.replace(serverHost, again)
	world.runFor(95 * SECOND)
	t.is(client.endpoint.ending, 'lost')
	t.true(again.endpoint.drops.connection > 0)
	t.is(again.endpoint.counts.sent, 0, 'a restarted server says nothing to strangers')
})

test('the last acknowledgment is repeated to whoever lost it', (t) => {
	const { world, server, client } = setUp(9)
	world.runUntil(() => client.program.done && server.programs[0]?.done === true, 5 * SECOND)
	const { sent } = server.endpoint.counts
	client.messenger.ping(world.now)
	world.runFor(SECOND)
	t.true(server.endpoint.counts.sent > sent, 'TIME-WAIT answers')
})

test('100,000 Hellos leave a server as it was', (t) => {
	const { world, server, client } = setUp(10)
	let hello: Uint8Array | undefined
	world.network.tap((packet) => {
		hello ??= copyOf(packet)
		return 'pass'
	})
	world.runUntil(() => hello !== undefined, SECOND)
	client.endpoint.close(world.now)
	const slot = makeSlot(new Uint8Array(1216))
	const out = makeSlot(new Uint8Array(1216))
	const random = new Rng(11)
	const flood = (count: number): void => {
		for (let i = 0; i < count; i++) {
			slot.bytes.set(hello!)
			random.fill(slot.bytes, 40, 32)
			slot.length = 224
			slot.address = random.below(2 ** 32)
			server.receive(slot, world.now)
			if (i % 100 === 0) server.transmit(out, world.now)
		}
	}
	flood(20_000)
	const before = process.memoryUsage()
	flood(100_000)
	const after = process.memoryUsage()
	t.is(server.endpoint.size, 0)
	t.true(after.external - before.external < 2 ** 20, 'nothing is kept outside the heap')
	t.true(after.heapUsed - before.heapUsed < 32 * 2 ** 20)
})
