// Own extensions that change while connections are open: the server's, the client's, at any packet;
// who may still use the old one, and for how long.

import test from 'ava'
import { MILLISECOND, SECOND } from '../../src/base/time.ts'
import { EXTENSION_OVERLAP } from '../../src/limits.ts'
import { ask, Puppet } from '../support/puppet.ts'
import { Network } from './network.ts'
import { ClientNode, ServerNode } from './peers.ts'
import { Rng } from './rng.ts'
import { World } from './world.ts'

const SERVER = { address: 0x0a000001, port: 4000 }
const CLIENT = { address: 0x0a000002, port: 5000 }
const STRIDE = Number(process.env['STRIDE'] ?? 37)
const BYTES = 300 * 1024

const value = (n: number): Uint8Array => new Uint8Array(16).fill(n)

interface Pair {
	world: World
	server: ServerNode
	client: ClientNode
}

function setUp(seed: number, up = BYTES, down = BYTES): Pair {
	const world = new World(new Network(seed, { latency: 5 * MILLISECOND }))
	const random = new Rng(seed, 31)
	const server = new ServerNode({ random, down, extension: value(1) })
	const client = new ClientNode({
		random, server, hosts: [SERVER], up, serverExtension: value(1), extension: value(9),
	})
	world.add('server', server, SERVER.address, SERVER.port)
	world.add('client', client, CLIENT.address, CLIENT.port)
	return { world, server, client }
}

/** What is wrong with a pair whose streams should both be whole by now; undefined: nothing. */
function finish({ world, server, client }: Pair): string | undefined {
	const done = (): boolean => client.program.done && server.programs[0]?.done === true
	if (!world.runUntil(done, 300 * SECOND)) return `not done at ${world.now / SECOND} s`
	if (server.programs.length !== 1) return `${server.programs.length} connections`
	if (server.programs[0]!.wrong >= 0 || client.program.wrong >= 0) return 'wrong bytes'
	const refused = server.endpoint.drops.extension + client.endpoint.drops.extension
	return refused > 0 ? `${refused} packets refused for their extension` : undefined
}

const CHANGES: Record<string, (pair: Pair, n: number) => void> = {
	server: ({ server, world }, n) => server.extension.change(value(n), world.now),
	client: ({ client, world }, n) => client.endpoint.moved(value(n), world.now),
}

for (const [whose, change] of Object.entries(CHANGES)) {
	test(`the ${whose}'s extension changes at any packet: none is refused`, (t) => {
		const still = setUp(1)
		t.is(finish(still), undefined)
		const packets = still.world.network.sent
		for (let at = 3; at < packets; at += STRIDE) {
			const pair = setUp(1)
			let left = at
			pair.world.network.tap(() => {
				if (--left === 0) pair.world.at(pair.world.now, () => change(pair, 50))
				return 'pass'
			})
			t.is(finish(pair), undefined, `changed at packet ${at}`)
		}
	})

	test(`the ${whose}'s extension changes a hundred times, quicker than any answer`, (t) => {
		const pair = setUp(2, 10 * BYTES, 10 * BYTES)
		for (let i = 1; i <= 100; i++) {
			pair.world.at(50 * MILLISECOND + i * 3 * MILLISECOND, () => change(pair, 100 + i))
		}
		t.is(finish(pair), undefined)
	})

	test(`a connection outlives the overlap after the ${whose}'s extension has changed`, (t) => {
		const pair = setUp(3, 2000, 2000)
		// Both programs hold back their ends.
		pair.client.program.ended = true
		pair.world.runFor(SECOND)
		change(pair, 50)
		pair.world.runFor(3 * EXTENSION_OVERLAP)
		t.is(pair.client.endpoint.state, 'established')
		pair.client.program.ended = false
		t.is(finish(pair), undefined)
	})
}

test('a server that never takes the client\'s new extension is understood for ever', (t) => {
	const { world, server, client } = setUp(4, 2000, 0)
	client.program.ended = true
	world.runFor(SECOND)
	// As the reference does: it goes on to write the extension of the first Initiate.
	world.network.tap(({ bytes, at, fromAddress }) => {
		if (fromAddress === SERVER.address) bytes.fill(9, at + 8, at + 24)
		return 'pass'
	})
	client.endpoint.moved(value(50), world.now)
	world.runFor(3 * EXTENSION_OVERLAP)
	client.program.ended = false
	t.is(finish({ world, server, client }), undefined)
})

test('strangers may use the old extension for its time, and not longer', (t) => {
	const random = new Rng(5)
	const server = new ServerNode({ random, extension: value(1) })
	const change = 10 * SECOND
	server.extension.change(value(2), change)
	const stranger = (extension: number): Puppet =>
		new Puppet({ random, serverKey: server.publicKey, serverExtension: value(extension) })
	const cases: [number, number, string | undefined][] = [
		[1, 0, undefined], [2, 0, undefined], [1, EXTENSION_OVERLAP - 1, undefined],
		[1, EXTENSION_OVERLAP, 'extension'], [2, EXTENSION_OVERLAP, undefined],
		[3, 0, 'extension'],
	]
	for (const [extension, after, drop] of cases) {
		const puppet = stranger(extension)
		t.is(puppet.give(server, puppet.hello(), change + after), drop, `${extension}, ${after} later`)
		puppet.take(server, change + after)
	}
})

test('who shook hands by the old extension opens no connection by it later', (t) => {
	const random = new Rng(5)
	const server = new ServerNode({ random, extension: value(1) })
	server.extension.change(value(2), 0)
	const early = new Puppet({ random, serverKey: server.publicKey, serverExtension: value(1) })
	early.shake(server, EXTENSION_OVERLAP - SECOND)
	t.is(early.give(server, early.wrap(ask(1)), EXTENSION_OVERLAP), 'extension')
})

test('an open connection is refused by an extension that is not ours', (t) => {
	const random = new Rng(6)
	const server = new ServerNode({ random, extension: value(1) })
	const puppet = new Puppet({ random, serverKey: server.publicKey, serverExtension: value(1) })
	puppet.shake(server, 0)
	t.is(puppet.give(server, puppet.wrap(ask(1)), 0), undefined)
	server.turn(0)
	puppet.serverExtension = value(3)
	t.is(puppet.give(server, puppet.wrap(ask(2)), 0), 'extension')
	puppet.serverExtension = value(1)
	t.is(puppet.give(server, puppet.wrap(ask(3)), 0), undefined)
})
