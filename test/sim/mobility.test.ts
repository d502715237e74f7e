// Clients that move: address, port or extension, at any packet of a transfer, with the client's
// knowledge or without; and the attackers of the addressing page. SEED and STRIDE in the
// environment change the run; `make sim` moves at every packet.

import test from 'ava'
import { MILLISECOND, SECOND, type Nanos } from '../../src/base/time.ts'
import type { Endpoint, Host, Passing } from './network.ts'
import { Network } from './network.ts'
import { ClientNode, ServerNode } from './peers.ts'
import { Rng } from './rng.ts'
import { World } from './world.ts'

const SERVER = { address: 0x0a000001, port: 4000 }
const CLIENT = { address: 0x0a000002, port: 5000 }
const STRIDE = Number(process.env['STRIDE'] ?? 37)
/** Blocks each way, so that acknowledgments and data travel in both directions. */
const BYTES = 300 * 1024

interface Pair {
	world: World
	server: ServerNode
	client: ClientNode
	host: Host
	place: Endpoint
}

function setUp(seed: number, up = BYTES, down = BYTES): Pair {
	const world = new World(new Network(seed, { latency: 5 * MILLISECOND }))
	const random = new Rng(seed, 3)
	const server = new ServerNode({ random, down })
	const client = new ClientNode({ random, server, hosts: [SERVER], up })
	world.add('server', server, SERVER.address, SERVER.port)
	const host = world.add('client', client, CLIENT.address, CLIENT.port)
	return { world, server, client, host, place: host.endpoints[0]! }
}

const MOVES: Record<string, (pair: Pair, n: number) => void> = {
	address: ({ host, place }, n) => host.rebind(place, CLIENT.address + n, CLIENT.port),
	port: ({ host, place }, n) => host.rebind(place, CLIENT.address, CLIENT.port + n),
	extension: ({ client, world }, n) => {
		client.endpoint.moved(new Uint8Array(16).fill(n), world.now)
		world.touchAll()
	},
}

/** Calls action after so many packets were sent by anybody. */
function afterPackets(world: World, count: number, action: () => void): void {
	let left = count
	const tap = (): 'pass' => {
		if (--left === 0) world.at(world.now, action)
		return 'pass'
	}
	world.network.tap(tap)
}

/** Both streams whole, one connection; the seconds it took. */
function finish({ world, server, client }: Pair, patience = 60 * SECOND): string | undefined {
	const done = (): boolean => client.program.done && server.programs[0]?.done === true
	if (!world.runUntil(done, patience)) return `not done at ${world.now / SECOND} s`
	const [program] = server.programs
	if (server.programs.length !== 1) return `${server.programs.length} connections`
	if (program!.wrong >= 0 || client.program.wrong >= 0) return 'wrong bytes'
	return undefined
}

for (const [what, move] of Object.entries(MOVES)) {
	test(`another ${what} at any packet of a transfer: whole, one connection`, (t) => {
		const still = setUp(1)
		t.is(finish(still), undefined)
		const packets = still.world.network.sent
		t.true(packets > 600, `${packets} packets`)
		let slowest: Nanos = 0
		for (let at = 3; at < packets; at += STRIDE) {
			const pair = setUp(1)
			afterPackets(pair.world, at, () => move(pair, 1))
			t.is(finish(pair), undefined, `moved at packet ${at}`)
			slowest = Math.max(slowest, pair.world.now)
		}
		t.log(`still ${still.world.now / SECOND} s, slowest ${slowest / SECOND} s`)
	})
}

test('ping-pong between two addresses every 20 ms', (t) => {
	const pair = setUp(2, 20 * BYTES, 20 * BYTES)
	for (let i = 1; i < 200; i++) {
		pair.world.at(i * 20 * MILLISECOND, () => MOVES['address']!(pair, i & 1))
	}
	t.is(finish(pair), undefined)
})

test('a download whose client is rebound by its NAT goes on soon, though it knows nothing', (t) => {
	const pair = setUp(3, 0, 4000 * 1024)
	pair.world.at(100 * MILLISECOND, () => MOVES['port']!(pair, 7))
	t.is(finish(pair), undefined)
	t.true(pair.world.now < 3 * SECOND, `${pair.world.now / SECOND} s`)
	t.is(pair.server.connections[0]!.path.moves, 1)
})

/** Copies of the client's packets, with another source. */
function forge(pair: Pair, from: { address: number, port: number }, block: () => boolean): void {
	pair.world.network.tap((packet: Passing) => {
		if (packet.fromAddress !== CLIENT.address) return 'pass'
		const copy = packet.bytes.slice(packet.at, packet.at + packet.n)
		pair.world.network.inject(copy, from, SERVER, packet.now)
		return block() ? 'drop' : 'pass'
	})
}

const ATTACKER = { address: 0x0a0000ff, port: 666 }

test('who forges the source and blocks the client gets probes, and never the connection', (t) => {
	const pair = setUp(4, 4000 * 1024, 0)
	let received = 0
	let sent = 0
	pair.world.network.tap((packet) => {
		if (packet.toAddress === ATTACKER.address) received += packet.n
		return 'pass'
	})
	pair.world.runFor(50 * MILLISECOND)
	const until = pair.world.now + 2 * SECOND
	forge(pair, ATTACKER, () => {
		sent += 112
		return pair.world.now < until
	})
	t.is(finish(pair), undefined, 'he stops blocking, and the transfer goes on')
	t.is(pair.server.connections[0]!.path.moves, 0)
	t.true(received > 0, 'the server tried')
	t.true(received <= 3 * sent * 12, `${received} bytes for about ${sent}`)
})

test('packets replayed late, from anywhere, move nothing', (t) => {
	const pair = setUp(5)
	const recorded: Uint8Array[] = []
	pair.world.network.tap((packet) => {
		if (packet.fromAddress === CLIENT.address && recorded.length < 400) {
			recorded.push(packet.bytes.slice(packet.at, packet.at + packet.n))
		}
		return 'pass'
	})
	// Not the first Initiate: whoever brings that one is where the connection begins.
	for (let i = 10; i < 100; i++) {
		pair.world.at(i * 3 * MILLISECOND, () => {
			const old = recorded[recorded.length - 1 - (i % 7)]
			if (old !== undefined) pair.world.network.inject(old, ATTACKER, SERVER, pair.world.now)
		})
	}
	t.is(finish(pair), undefined)
	t.is(pair.server.connections[0]!.path.moves, 0)
	t.true(pair.server.endpoint.drops.replay > 0)
})

test('the client follows a server whose address changes', (t) => {
	const pair = setUp(6, 0, 4000 * 1024)
	const [host] = pair.world.network.hosts
	pair.world.at(100 * MILLISECOND, () => {
		host!.rebind(host!.endpoints[0]!, SERVER.address + 100, SERVER.port)
	})
	t.is(finish(pair), undefined)
})

test('a laptop that slept for eight hours wakes into a live connection', (t) => {
	const world = new World(new Network(7, { latency: 5 * MILLISECOND }))
	const random = new Rng(7, 3)
	const liveness = { keepalive: 20 * SECOND, deadPeer: Infinity, idle: Infinity }
	const server = new ServerNode({ random, liveness, down: 1000 })
	const client = new ClientNode({ random, server, liveness, hosts: [SERVER], up: 2000 })
	client.program.ended = true
	world.add('server', server, SERVER.address, SERVER.port)
	const host = world.add('client', client, CLIENT.address, CLIENT.port)
	world.runFor(10 * SECOND)
	const asleep = world.now + 8 * 3600 * SECOND
	const tap = (): 'drop' => 'drop'
	world.network.tap(tap)
	world.runFor(asleep - world.now)
	world.network.untap(tap)
	host.rebind(host.endpoints[0]!, CLIENT.address + 9, CLIENT.port)
	client.endpoint.moved(new Uint8Array(16), world.now)
	client.program.ended = false
	t.true(world.runUntil(() => client.program.done, 30 * SECOND))
	t.is(server.programs.length, 1)
	t.is(server.programs[0]!.read, 2000)
})
