// What strangers may try on a server: full tables, recordings, garbage. Each test is one attack.

import test, { type ExecutionContext } from 'ava'
import { MILLISECOND, SECOND } from '../../src/base/time.ts'
import { INITIATE_BOX, INITIATE_COOKIE } from '../../src/wire/packets.ts'
import { ask, Puppet } from '../support/puppet.ts'
import type { Passing } from './network.ts'
import { Network } from './network.ts'
import { ClientNode, ServerNode } from './peers.ts'
import { Rng } from './rng.ts'
import { World } from './world.ts'

const SERVER = { address: 0x0a000001, port: 4000 }
const CLIENT = { address: 0x0a000002, port: 5000 }

interface Site {
	world: World
	server: ServerNode
	/** Every packet that went to the server. */
	recorded: Uint8Array[]
	random: Rng
}

/** A full server: its one row is in TIME-WAIT after a connection that was recorded. */
function fullSite(t: ExecutionContext, seed: number, clients?: ReadonlySet<string>): Site {
	const world = new World(new Network(seed, { latency: 5 * MILLISECOND }))
	const random = new Rng(seed, 21)
	const longTermSecret = new Uint8Array(32).fill(seed)
	const server = new ServerNode({
		random, connections: 1, down: 100, ...(clients === undefined ? {} : { clients }),
	})
	const client = new ClientNode({ random, server, hosts: [SERVER], up: 100, longTermSecret })
	const recorded: Uint8Array[] = []
	world.network.tap(({ bytes, at, n, toAddress }: Passing) => {
		if (toAddress === SERVER.address) recorded.push(bytes.slice(at, at + n))
		return 'pass'
	})
	world.add('server', server, SERVER.address, SERVER.port)
	world.add('client', client, CLIENT.address, CLIENT.port)
	t.true(world.runUntil(() => server.connections[0]?.state === 'timeWait', 5 * SECOND))
	return { world, server, recorded, random }
}

const isInitiate = (p: Uint8Array): boolean => p[7] === 0x49

test('a full server gives no row of TIME-WAIT to an Initiate that proves nothing', (t) => {
	const site = fullSite(t, 1)
	const { server, world, random } = site
	const { now } = world
	const puppet = new Puppet({ random, serverKey: server.publicKey })
	puppet.shake(server, now)
	const good = puppet.wrap(ask(1))
	const garbage = good.slice()
	random.fill(garbage, 40, garbage.length - 40)
	const cookieless = good.slice()
	cookieless[INITIATE_COOKIE + 50]! ^= 1
	const broken = good.slice()
	broken[INITIATE_BOX + 5]! ^= 1
	const stranger = new Puppet({ random, serverKey: server.publicKey, name: 'other' })
	stranger.shake(server, now)
	const recording = site.recorded.find(isInitiate)!
	const cheap: [string, Uint8Array, string][] = [
		['garbage', garbage, 'cookie'], ['a wrong cookie', cookieless, 'cookie'],
		['a broken box', broken, 'box'], ['a wrong name', stranger.wrap(ask(1)), 'name'],
		// Its connection is still known: no more than a repeated packet.
		['a recording', recording, 'replay'],
	]
	for (const [what, packet, drop] of cheap) {
		t.is(puppet.give(server, packet, now), drop, what)
		t.is(server.connections[0]!.state, 'timeWait', what)
		t.is(server.endpoint.size, 1)
	}
	t.is(puppet.give(server, good, now), undefined, 'who proves all gets the row')
	t.is(server.endpoint.counts.opened, 2)
	t.is(server.connections[0]!.state, 'closed')
	t.is(puppet.give(server, recording, now), 'full', 'and no recording gets it back')
	t.is(server.endpoint.size, 1)
})

test('a full server gives no row of TIME-WAIT to a client that is not admitted', (t) => {
	const probe = new ClientNode({
		random: new Rng(2), server: { publicKey: new Uint8Array(32) }, hosts: [SERVER],
		longTermSecret: new Uint8Array(32).fill(2),
	})
	const admitted = new Set([Buffer.from(probe.longTermPublic).toString('hex')])
	const { server, world, random } = fullSite(t, 2, admitted)
	const puppet = new Puppet({ random, serverKey: server.publicKey })
	puppet.shake(server, world.now)
	t.is(puppet.give(server, puppet.wrap(ask(1)), world.now), 'policy')
	t.is(server.connections[0]!.state, 'timeWait')
})

test('whoever ended first leaves TIME-WAIT first', (t) => {
	const world = new World(new Network(3, { latency: 5 * MILLISECOND }))
	const random = new Rng(3, 21)
	const server = new ServerNode({ random, connections: 3 })
	world.add('server', server, SERVER.address, SERVER.port)
	for (let i = 0; i < 3; i++) {
		const client = new ClientNode({ random, server, hosts: [SERVER], now: world.now })
		world.add(`client ${i}`, client, CLIENT.address + i, CLIENT.port)
		t.true(world.runUntil(() => server.connections[i]?.state === 'timeWait', SECOND))
	}
	const states = (): string => server.connections.map(({ state }) => state[0]).join('')
	for (const expected of ['ctt', 'cct', 'ccc']) {
		world.runFor(10 * MILLISECOND) // Hellos have their share of the time
		const puppet = new Puppet({ random, serverKey: server.publicKey })
		puppet.shake(server, world.now)
		t.is(puppet.give(server, puppet.wrap(ask(1)), world.now), undefined)
		t.is(states().slice(0, 3), expected)
	}
	world.runFor(10 * MILLISECOND)
	const last = new Puppet({ random, serverKey: server.publicKey })
	last.shake(server, world.now)
	t.is(last.give(server, last.wrap(ask(1)), world.now), 'full', 'open connections are nobody\'s')
})
