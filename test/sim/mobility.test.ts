// Clients that move: address, port or extension, at any packet of a transfer, with the client's
// knowledge or without; and the attackers of the addressing page. SEED and STRIDE in the
// environment change the run; `make sim` moves at every packet.

import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { MILLISECOND, SECOND, type Nanos } from '../../src/base/time.ts'
import type { Conditions } from './link.ts'
import type { Endpoint, Host, Passing } from './network.ts'
import { Network } from './network.ts'
import { ClientNode, ServerNode } from './peers.ts'
import { Rng } from './rng.ts'
import { World } from './world.ts'

const SERVER = { address: 0x0a000001, port: 4000 }
const CLIENT = { address: 0x0a000002, port: 5000 }
const STRIDE = Number(process.env['STRIDE'] ?? 37)
/** Tests among which the moves are divided: none takes minutes. */
const PARTS = STRIDE < 10 ? 20 : 1
/** Blocks each way, so that acknowledgments and data travel in both directions. */
const BYTES = 520 * 1024

interface Pair {
	world: World
	server: ServerNode
	client: ClientNode
	host: Host
	place: Endpoint
}

function setUp(seed: number, up = BYTES, down = BYTES, conditions: Partial<Conditions> = {}): Pair {
	const world = new World(new Network(seed, { latency: 5 * MILLISECOND, ...conditions }))
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

for (const [what, move] of Object.entries(MOVES)) for (let part = 0; part < PARTS; part++) {
	const share = PARTS === 1 ? '' : `, part ${part + 1} of ${PARTS}`
	test(`another ${what} at any packet of a transfer: whole, one connection${share}`, async (t) => {
		// Whoever runs us hears of the part before this one.
		await turn()
		const still = setUp(1)
		t.is(finish(still), undefined)
		const packets = still.world.network.sent
		t.true(packets > 1000, `${packets} packets`)
		let slowest: Nanos = 0
		for (let at = 3 + part * STRIDE; at < packets; at += PARTS * STRIDE) {
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

/** Bytes that this place sent to the server and had from it; throws beyond three times as many. */
function accountOf({ world }: Pair, place: Endpoint): { sent: number, received: number } {
	const account = { sent: 0, received: 0 }
	world.network.tap((packet) => {
		if (packet.toAddress !== place.address) return 'pass'
		account.received += packet.n
		if (account.received <= 3 * account.sent) return 'pass'
		throw new Error(`${account.received} bytes for ${account.sent}`)
	})
	return account
}

test('who forges the source and blocks the client gets probes, and never the connection', (t) => {
	const pair = setUp(4, 4000 * 1024, 0)
	pair.world.runFor(50 * MILLISECOND)
	const account = accountOf(pair, { ...ATTACKER, local: 0 })
	const until = pair.world.now + SECOND / 2
	pair.world.network.tap((packet) => {
		if (packet.fromAddress === CLIENT.address) account.sent += packet.n
		return 'pass'
	})
	forge(pair, ATTACKER, () => pair.world.now < until)
	t.is(finish(pair), undefined, 'he stops blocking, and the transfer goes on')
	t.is(pair.server.connections[0]!.path.moves, 0)
	t.true(account.received > 0, 'the server tried')
})

/** Four megabytes take longer than any attack here. */
const SLOW: Partial<Conditions> = { bytesPerSecond: 4_000_000, queuePackets: 200 }

/** Whoever stands between the two: from then until the end all packets go by way of him. */
function divert(
	pair: Pair, from: Nanos, end: Nanos, what: { client: boolean, server: boolean },
): void {
	const { network } = pair.world
	network.tap((packet) => {
		if (packet.now < from || packet.now >= end) return 'pass'
		const p = packet.bytes.slice(packet.at, packet.at + packet.n)
		const toServer = packet.toAddress === SERVER.address
		// What comes to him is passed on as from him where he poses as the peer.
		if (packet.toAddress === ATTACKER.address) {
			const isServers = packet.fromAddress === SERVER.address
			const source = isServers ? (what.server ? ATTACKER : SERVER)
				: what.client ? ATTACKER : CLIENT
			network.inject(p, source, isServers ? CLIENT : SERVER, packet.now, 5 * MILLISECOND)
			return 'drop'
		}
		if (toServer ? !what.client : !what.server) return 'pass'
		network.inject(p, ATTACKER, toServer ? SERVER : CLIENT, packet.now, 5 * MILLISECOND)
		return 'drop'
	})
}

test('who forwards even acknowledgments has the flow, and loses it as soon as he stops', (t) => {
	const pair = setUp(14, 6000 * 1024, 0, SLOW)
	const end = 95 * MILLISECOND
	divert(pair, 50 * MILLISECOND, end, { client: true, server: false })
	pair.world.runFor(end - MILLISECOND)
	const { path } = pair.server.connections[0]!
	t.is(path.active.address, ATTACKER.address)
	// As soon as the client speaks again: it waits for acknowledgments that went astray.
	t.true(pair.world.runUntil(() => path.active.address === CLIENT.address, 300 * MILLISECOND))
	t.log(`${(pair.world.now - end) / MILLISECOND} ms`)
	t.is(finish(pair), undefined)
})

test('who poses as the server and forwards all has the flow, and loses it soon after', (t) => {
	// An upload: a server that hears nothing says nothing, so the client itself must look for it.
	const pair = setUp(15, 6000 * 1024, 0, SLOW)
	const end = 95 * MILLISECOND
	divert(pair, 50 * MILLISECOND, end, { client: false, server: true })
	let astray = 0
	let afterwards = 0
	pair.world.network.tap((packet) => {
		if (packet.toAddress !== ATTACKER.address) return 'pass'
		astray++
		if (packet.now >= end) afterwards++
		return 'pass'
	})
	pair.world.runFor(end)
	t.true(astray > 10, 'the client followed him')
	pair.world.network.tap(({ toAddress }) => toAddress === ATTACKER.address ? 'drop' : 'pass')
	t.is(finish(pair, 10 * SECOND), undefined)
	t.true(afterwards > 0, 'he had it to the last')
	t.true(pair.world.now < 4 * SECOND, `${pair.world.now / SECOND} s`)
})

test('two ends that were both led astray find each other by the host that won the race', (t) => {
	const pair = setUp(18, 6000 * 1024, 0, SLOW)
	const end = 95 * MILLISECOND
	divert(pair, 50 * MILLISECOND, end, { client: true, server: true })
	pair.world.runFor(end - MILLISECOND)
	const [connection] = pair.server.connections
	t.is(connection!.path.active.address, ATTACKER.address)
	pair.world.network.tap(({ toAddress, now }) =>
		toAddress === ATTACKER.address && now >= end ? 'drop' : 'pass')
	t.is(finish(pair, 10 * SECOND), undefined)
	t.true(pair.world.now < 4 * SECOND, `${pair.world.now / SECOND} s`)
	t.is(connection!.path.active.address, CLIENT.address)
})

test('who is only quicker with copies of server packets gets probes, and not the client', (t) => {
	const pair = setUp(16, 4000 * 1024, 0)
	let stolen = 0
	pair.world.network.tap((packet) => {
		if (packet.toAddress === ATTACKER.address) stolen++
		if (packet.fromAddress !== SERVER.address) return 'pass'
		const copy = packet.bytes.slice(packet.at, packet.at + packet.n)
		if (copy[7] === 0x4d) pair.world.network.inject(copy, ATTACKER, CLIENT, packet.now)
		return 'pass'
	})
	t.is(finish(pair), undefined)
	t.true(stolen > 0, 'he is tried')
	t.true(stolen < pair.world.network.sent / 10, `${stolen} of ${pair.world.network.sent}`)
	const still = setUp(16, 4000 * 1024, 0)
	t.is(finish(still), undefined)
	t.true(pair.world.now < 2 * still.world.now, `${pair.world.now} for ${still.world.now}`)
})

test('garbage and strangers\' packets from off the path change nothing', (t) => {
	const still = setUp(17)
	t.is(finish(still), undefined)
	const pair = setUp(17)
	const random = new Rng(170)
	let sample: Uint8Array | undefined
	pair.world.network.tap((packet) => {
		if (packet.fromAddress === CLIENT.address && packet.bytes[packet.at + 7] === 0x4d) {
			sample ??= packet.bytes.slice(packet.at, packet.at + packet.n)
		}
		return 'pass'
	})
	for (let i = 1; i < 500; i++) {
		pair.world.at(i * 100_000, () => {
			const n = 16 * random.between(5, 74)
			const p = new Uint8Array(n)
			random.fill(p, 0, n)
			// From garbage to all but the box: magic, extensions, even the client's key.
			if (i % 2 === 0) p.set([0x51, 0x76, 0x6e, 0x51, 0x35, 0x58, 0x6c, i % 4 === 0 ? 0x4d : 0x49])
			if (i % 3 === 0) p.fill(0, 8, 40)
			if (i % 5 === 0 && sample !== undefined) p.set(sample.subarray(0, 72))
			pair.world.network.inject(p, i % 7 === 0 ? CLIENT : ATTACKER, SERVER, pair.world.now)
			p.set([0x52, 0x4c, 0x33, 0x61, 0x4e, 0x4d, 0x58, 0x4d])
			pair.world.network.inject(p, i % 7 === 0 ? SERVER : ATTACKER, CLIENT, pair.world.now)
		})
	}
	t.is(finish(pair), undefined)
	t.is(pair.server.connections[0]!.path.moves, 0)
	const { drops } = pair.server.endpoint
	for (const drop of ['magic', 'extension', 'connection', 'box'] as const) {
		t.true(drops[drop] > 0, drop)
	}
	t.is(pair.world.network.sent, still.world.network.sent, 'neither end said a word about it')
	t.is(pair.world.now, still.world.now)
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
