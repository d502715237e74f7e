// Several servers on one port, each with its key, its extension and its names; and many names.

import test from 'ava'
import { makeSlot } from '../../src/base/slots.ts'
import { MILLISECOND, SECOND } from '../../src/base/time.ts'
import type { Box } from '../../src/crypto/box.ts'
import { Identity } from '../../src/endpoint/identity.ts'
import { OwnExtension } from '../../src/endpoint/own-extension.ts'
import { ServerHandshake } from '../../src/handshake/server.ts'
import { Network } from './network.ts'
import { box, ClientNode, LIVENESS, messengers, ServerNode, wireName } from './peers.ts'
import { Rng } from './rng.ts'
import { World } from './world.ts'

const SERVER = { address: 1, port: 4000 }

/** Another server on the port of this one. */
function addServer(
	node: ServerNode, random: Rng, extension: OwnExtension | 'any', name: string, use: Box = box,
): { identity: Identity, publicKey: Uint8Array, added: boolean } {
	const publicKey = new Uint8Array(32)
	const secretKey = new Uint8Array(32)
	box.keypair(publicKey, secretKey, random)
	const handshake = new ServerHandshake(use, random, secretKey, 0)
	const identity = new Identity(publicKey, handshake, extension)
	const makeLayer = messengers(random, 8)
	identity.serve([
		[wireName(name), { text: name, clients: undefined, liveness: LIVENESS, makeLayer }],
	])
	return { identity, publicKey, added: node.endpoint.add(identity) }
}

const extension = (value: number): OwnExtension => new OwnExtension(new Uint8Array(16).fill(value))

test('three servers on one port: extension and key must belong together', (t) => {
	const world = new World(new Network(1, { latency: 5 * MILLISECOND }))
	const random = new Rng(1)
	const first = new ServerNode({ random, name: 'one' })
	const second = addServer(first, random, extension(2), 'two')
	const any = addServer(first, random, 'any', 'three')
	t.true(second.added && any.added)
	t.false(addServer(first, random, extension(2), 'four').added, 'the same extension twice')
	t.false(addServer(first, random, 'any', 'five').added, 'any twice')
	world.add('server', first, SERVER.address, SERVER.port)
	const cases: [Uint8Array, number, string, boolean][] = [
		[first.publicKey, 0, 'one', true],
		[second.publicKey, 2, 'two', true],
		[any.publicKey, 77, 'three', true],
		[first.publicKey, 2, 'one', false],
		[second.publicKey, 2, 'one', false],
		[first.publicKey, 0, 'two', false],
	]
	cases.forEach(([publicKey, value, name, served], i) => {
		const client = new ClientNode({
			random, server: { publicKey }, hosts: [SERVER], name,
			serverExtension: new Uint8Array(16).fill(value), connectTimeout: 3 * SECOND, now: world.now,
		})
		world.add(`client ${i}`, client, 10 + i, 5000)
		world.runUntil(() => ['timeWait', 'closed'].includes(client.endpoint.state), 5 * SECOND)
		t.is(client.endpoint.ending, served ? 'done' : 'timeout', `case ${i}`)
	})
	t.is(first.endpoint.counts.opened, 3)
})

test('a wrong name costs a server the same cryptography as a right one, and as a refusal', (t) => {
	const counts = new Map<string, number>()
	const counting: Box = { ...box,
		beforenm: (...args) => count('agree', () => box.beforenm(...args)),
		open: (...args) => count('open', () => box.open(...args)),
		seal: (...args) => count('seal', () => box.seal(...args)),
	}
	const count = <T>(what: string, work: () => T): T => {
		counts.set(what, (counts.get(what) ?? 0) + 1)
		return work()
	}
	const work: Record<string, string> = {}
	for (const name of ['right', 'wrong', 'refused']) {
		const random = new Rng(9)
		const world = new World(new Network(9, { latency: 5 * MILLISECOND }))
		const node = new ServerNode({ random })
		const { publicKey, identity } = addServer(node, random, extension(3), 'right', counting)
		identity.serve(['right', 'refused'].map((text) => [wireName(text), {
			text, liveness: LIVENESS, makeLayer: messengers(random, 2),
			clients: text === 'refused' ? new Set<string>() : undefined,
		}]))
		const client = new ClientNode({
			random, server: { publicKey }, hosts: [SERVER], name,
			serverExtension: new Uint8Array(16).fill(3),
		})
		let initiate: Uint8Array | undefined
		world.network.tap((packet) => {
			if (packet.bytes[packet.at + 7] !== 0x49) return 'pass'
			initiate ??= packet.bytes.slice(packet.at, packet.at + packet.n)
			return 'drop'
		})
		world.add('server', node, SERVER.address, SERVER.port)
		world.add('client', client, 10, 5000)
		world.runUntil(() => initiate !== undefined, SECOND)
		counts.clear()
		const slot = makeSlot(new Uint8Array(1216))
		slot.bytes.set(initiate!)
		slot.length = initiate!.length
		const expected = { right: undefined, wrong: 'name', refused: 'policy' }[name]
		t.is(node.receive(slot, world.now), expected)
		work[name] = JSON.stringify([...counts])
	}
	t.is(work['wrong'], work['right'])
	t.is(work['refused'], work['right'])
})
