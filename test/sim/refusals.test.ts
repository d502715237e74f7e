// Every reason to refuse a packet, at the server and at the client: counted under it and under no
// other, answered by silence, and whoever is connected goes on as before.

import test from 'ava'
import { makeSlot, type Slot } from '../../src/base/slots.ts'
import { NONCE_WINDOW } from '../../src/limits.ts'
import {
	CLIENT_MESSAGE_BOX, COOKIE_BOX, HELLO_BOX, INITIATE_BOX, INITIATE_COOKIE, PACKET_KIND,
	PACKET_RECEIVER_EXTENSION, PACKET_SENDER_EXTENSION, SERVER_MESSAGE_BOX,
} from '../../src/wire/packets.ts'
import { ask, Puppet, slotOf, type PuppetOptions } from '../support/puppet.ts'
import { ClientNode, ServerNode } from './peers.ts'
import { Rng } from './rng.ts'

const NOW = 1_000_000
const SERVER = { address: 0x0a000001, port: 4000 }

interface Side {
	receive(slot: Slot, now: number): string | undefined
	transmit(out: Slot, now: number): boolean
	readonly endpoint: { readonly drops: Readonly<Record<string, number>> }
}

/** What it sends now. */
function drain(side: Side): Slot[] {
	const slots: Slot[] = []
	for (let slot = makeSlot(new Uint8Array(1216)); side.transmit(slot, NOW);
		slot = makeSlot(new Uint8Array(1216))) slots.push(slot)
	return slots
}

/** The drops that packet has added, and the packets that it has caused. */
function effect(side: Side, slot: Slot): { drops: Record<string, number>, answers: number } {
	drain(side)
	const before = { ...side.endpoint.drops }
	side.receive(slot, NOW)
	const answers = drain(side).length
	const added = Object.entries(side.endpoint.drops)
		.map(([reason, n]) => [reason, n - (before[reason] ?? 0)] as const)
		.filter(([, n]) => n !== 0)
	return { drops: Object.fromEntries(added), answers }
}

class ServerSite {
	readonly random: Rng
	readonly server: ServerNode
	/** Connected, and still so at the end. */
	readonly friend: Puppet

	constructor(seed: number, options: { connections?: number, admits?: boolean } = {}) {
		const { connections = 4, admits = true } = options
		this.random = new Rng(seed, 31)
		this.server = new ServerNode({ random: this.random, connections,
			...(admits ? {} : { clients: new Set(['00'.repeat(32)]) }) })
		this.friend = this.puppet()
		if (!admits) return
		this.friend.shake(this.server, NOW)
		this.say(this.friend, 1)
		this.say(this.friend, 2)
	}

	puppet(options: Partial<PuppetOptions> = {}): Puppet {
		return new Puppet({ random: this.random, serverKey: this.server.publicKey, ...options })
	}

	/** One that has its Cookie. */
	shaken(options: Partial<PuppetOptions> = {}): Puppet {
		const puppet = this.puppet(options)
		puppet.shake(this.server, NOW)
		return puppet
	}

	/** A question that must be answered. */
	say(puppet: Puppet, id: number): number {
		puppet.give(this.server, puppet.wrap(ask(id)), NOW)
		const answers = puppet.take(this.server, NOW)
		for (const { bytes, length } of answers) puppet.handshake.openMessage(bytes, length)
		return answers.length
	}
}

function flipped(packet: Uint8Array, at: number, bit = 1): Uint8Array {
	const copy = packet.slice()
	copy[at]! ^= bit
	return copy
}

const AT_SERVER: readonly (readonly [
	title: string, reason: string, make: (site: ServerSite) => Uint8Array,
	options?: { connections?: number, admits?: boolean },
])[] = [
	['nothing at all', 'length', () => new Uint8Array(0)],
	['79 bytes', 'length', ({ friend }) => friend.hello().slice(0, 79)],
	['a Hello of 208 bytes', 'length', ({ friend }) => friend.hello().slice(0, 208)],
	['a Message of no multiple of 16', 'length', ({ friend }) => friend.wrap(ask(3)).slice(0, 135)],
	['another magic', 'magic', ({ friend }) => flipped(friend.hello(), 0)],
	['a kind that does not exist', 'magic', ({ friend }) => flipped(friend.hello(), PACKET_KIND, 32)],
	['a Hello to another extension', 'extension',
		(site) => site.puppet({ serverExtension: new Uint8Array(16).fill(1) }).hello()],
	['a Message to another extension', 'extension',
		({ friend }) => flipped(friend.wrap(ask(3)), PACKET_RECEIVER_EXTENSION)],
	['a Hello whose box is broken', 'box', (site) => flipped(site.puppet().hello(), HELLO_BOX)],
	['a Hello for another key', 'box',
		(site) => site.puppet({ serverKey: new Uint8Array(32).fill(9) }).hello()],
	['an Initiate whose box is broken', 'box',
		(site) => flipped(site.shaken().wrap(ask(1)), INITIATE_BOX)],
	['a Message whose box is broken', 'box',
		({ friend }) => flipped(friend.wrap(ask(3)), CLIENT_MESSAGE_BOX)],
	['a Message of nobody', 'connection', ({ friend }) => flipped(friend.wrap(ask(3)), 40)],
	['an Initiate with a broken cookie', 'cookie',
		(site) => flipped(site.shaken().wrap(ask(1)), INITIATE_COOKIE + 20)],
	['an Initiate under another C\' than its cookie\'s', 'cookie',
		(site) => flipped(site.shaken().wrap(ask(1)), 40)],
	['a vouch by somebody else', 'vouch', (site) => site.shaken({ impostor: true }).wrap(ask(1))],
	['a name that is not served', 'name', (site) => site.shaken({ name: 'TEST' }).wrap(ask(1))],
	['a client who is not admitted', 'policy', (site) => site.shaken().wrap(ask(1)),
		{ admits: false }],
	['a client too many', 'full', (site) => site.shaken().wrap(ask(1)), { connections: 1 }],
	['a Message twice', 'replay', ({ friend, server }) => {
		const packet = friend.wrap(ask(3))
		friend.give(server, packet, NOW)
		return packet
	}],
	['a Message older than the window', 'nonce', ({ friend, server }) => {
		const old = friend.wrap(ask(3))
		for (let i = 0; i <= NONCE_WINDOW; i++) friend.wrap(ask(4))
		friend.give(server, friend.wrap(ask(5)), NOW)
		return old
	}],
]

for (const [i, [title, reason, make, options]] of AT_SERVER.entries()) {
	test(`at the server: ${title}: ${reason}, and silence`, (t) => {
		const site = new ServerSite(100 + i, options)
		const slot = slotOf(make(site), site.friend.from)
		t.deepEqual(effect(site.server, slot), { drops: { [reason]: 1 }, answers: 0 })
		const isConnected = options?.admits !== false
		t.is(site.server.endpoint.size, isConnected ? 1 : 0)
		if (isConnected) t.true(site.say(site.friend, 9) > 0, 'the connection goes on')
	})
}

class ClientSite {
	readonly server: ServerNode
	readonly client: ClientNode
	/** Packets of the server that the client has not had. */
	cookie: Slot
	messages: Slot[] = []

	constructor(seed: number) {
		const random = new Rng(seed, 32)
		this.server = new ServerNode({ random })
		this.client = new ClientNode({ random, server: this.server, hosts: [SERVER] })
		this.cookie = this.ask()[0]!
	}

	/** What the server says to what the client says. */
	ask(): Slot[] {
		for (const slot of drain(this.client)) {
			this.server.receive(slotOf(slot.bytes.slice(0, slot.length),
				{ address: 0x0a000002, port: 5000 }), NOW)
		}
		return drain(this.server).map((slot) => copyOf(slot))
	}

	/** With the Cookie, and an answer to its Initiate that is still on its way. */
	initiated(): this {
		this.client.receive(copyOf(this.cookie), NOW)
		this.messages = this.ask()
		return this
	}

	/** Established; and another server Message on its way. */
	established(): this {
		this.initiated()
		for (const slot of this.messages) this.client.receive(slot, NOW)
		this.client.messenger.ping(NOW)
		this.messages = this.ask()
		return this
	}
}

function copyOf(slot: Slot, from: { address: number, port: number } = SERVER): Slot {
	return slotOf(slot.bytes.slice(0, slot.length), from)
}

function broken(slot: Slot, at: number): Slot {
	const copy = copyOf(slot)
	copy.bytes[at]! ^= 1
	return copy
}

const AT_CLIENT: readonly (readonly [
	title: string, reason: string, make: (site: ClientSite) => Slot,
])[] = [
	['nothing at all', 'length', () => slotOf(new Uint8Array(0), SERVER)],
	['a Cookie of 184 bytes', 'length',
		({ cookie }) => slotOf(cookie.bytes.slice(0, 184), SERVER)],
	['another magic', 'magic', ({ cookie }) => broken(cookie, 0)],
	['a Hello', 'magic', ({ server }) => slotOf(
		new Puppet({ random: new Rng(1), serverKey: server.publicKey }).hello(), SERVER)],
	['a Cookie to another extension', 'extension',
		({ cookie }) => broken(cookie, PACKET_RECEIVER_EXTENSION)],
	['a Cookie from another extension', 'connection',
		({ cookie }) => broken(cookie, PACKET_SENDER_EXTENSION)],
	['a Cookie from a host that was not asked', 'connection',
		({ cookie }) => copyOf(cookie, { address: 0x0a000009, port: 4000 })],
	['a Cookie whose box is broken', 'box', ({ cookie }) => broken(cookie, COOKIE_BOX)],
	['a second Cookie', 'cookie', (site) => copyOf(site.initiated().cookie)],
	['a Message before any Cookie', 'connection', () => copyOf(new ClientSite(2).initiated()
		.messages[0]!)],
	['a first Message from elsewhere', 'connection', (site) =>
		copyOf(site.initiated().messages[0]!, { address: 0x0a000009, port: 4000 })],
	['a Message from another extension', 'extension',
		(site) => broken(site.established().messages[0]!, PACKET_SENDER_EXTENSION)],
	['a Message whose box is broken', 'box',
		(site) => broken(site.established().messages[0]!, SERVER_MESSAGE_BOX)],
	['a Message twice', 'replay', (site) => {
		const [message] = site.established().messages
		const again = copyOf(message!)
		site.client.receive(message!, NOW)
		return again
	}],
]

for (const [i, [title, reason, make]] of AT_CLIENT.entries()) {
	test(`at the client: ${title}: ${reason}, and silence`, (t) => {
		const site = new ClientSite(200 + i)
		const slot = make(site)
		const { state } = site.client.endpoint
		t.deepEqual(effect(site.client, slot), { drops: { [reason]: 1 }, answers: 0 })
		t.is(site.client.endpoint.state, state)
		if (state === 'racing') site.initiated()
		for (const message of site.messages) site.client.receive(message, NOW)
		t.is(site.client.endpoint.state, 'established', 'it goes on')
	})
}
