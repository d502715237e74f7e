// A client whose every packet is made by hand: for attackers, and for peers that do what no peer of
// ours does. It speaks to a server machine directly; no network, no time.

import type { Random } from '../../src/base/random.ts'
import { makeSlot, type Slot } from '../../src/base/slots.ts'
import { ClientHandshake } from '../../src/handshake/client.ts'
import { KIND_COOKIE, PACKET_KIND, TO_SERVER_MAX } from '../../src/wire/packets.ts'
import { box, wireName } from '../sim/peers.ts'

export interface Target {
	receive(slot: Slot, now: number): string | undefined
	transmit(out: Slot, now: number): boolean
}

export interface PuppetOptions {
	readonly random: Random
	readonly serverKey: Uint8Array
	readonly name?: string
	readonly serverExtension?: Uint8Array
	readonly clientExtension?: Uint8Array
	readonly from?: { address: number, port: number }
	/** Claims a long-term key whose secret it does not have. */
	readonly impostor?: boolean
}

export class Puppet {
	readonly handshake: ClientHandshake
	serverExtension: Uint8Array
	clientExtension: Uint8Array
	from: { address: number, port: number }

	constructor(o: PuppetOptions) {
		const longTermPublic = new Uint8Array(32)
		const longTermSecret = new Uint8Array(32)
		box.keypair(longTermPublic, longTermSecret, o.random)
		if (o.impostor === true) longTermPublic.fill(9)
		this.handshake = new ClientHandshake(box, o.random, {
			longTermPublic, longTermSecret,
			serverLongTermPublic: o.serverKey, serverName: wireName(o.name ?? 'test'),
		})
		this.handshake.prepare()
		this.serverExtension = o.serverExtension ?? new Uint8Array(16)
		this.clientExtension = o.clientExtension ?? new Uint8Array(16)
		this.from = o.from ?? { address: 0x0a000077, port: 7777 }
	}

	hello(): Uint8Array {
		const p = new Uint8Array(TO_SERVER_MAX)
		const { serverExtension, clientExtension } = this
		return p.subarray(0, this.handshake.writeHello(p, serverExtension, clientExtension))
	}

	/** An Initiate, or a Message once a server Message was opened, around this message. */
	wrap(message: Uint8Array): Uint8Array {
		const p = new Uint8Array(TO_SERVER_MAX)
		p.set(message, this.handshake.messageAt)
		const { serverExtension, clientExtension } = this
		this.handshake.address(serverExtension, clientExtension)
		return p.subarray(0, this.handshake.write(p, message.length))
	}

	/** Hands the packet over, as if it came from where this client is. */
	give(target: Target, packet: Uint8Array, now: number, from = this.from): string | undefined {
		return target.receive(slotOf(packet, from), now)
	}

	/** Everything that the target has to send now, whoever it is for. */
	take(target: Target, now: number): Slot[] {
		const slots: Slot[] = []
		for (;;) {
			const slot = makeSlot(new Uint8Array(1216))
			if (!target.transmit(slot, now)) return slots
			slots.push(slot)
		}
	}

	/** Hello and Cookie; after that wrap makes Initiates. */
	shake(target: Target, now: number): void {
		const refused = this.give(target, this.hello(), now)
		const cookie = this.take(target, now).find(({ bytes }) => bytes[PACKET_KIND] === KIND_COOKIE)
		if (cookie === undefined || this.handshake.readCookie(cookie.bytes) !== undefined) {
			throw new Error(`no cookie: ${refused ?? 'silence'}`)
		}
	}
}

export function slotOf(packet: Uint8Array, from: { address: number, port: number }): Slot {
	const slot = makeSlot(new Uint8Array(1216))
	slot.bytes.set(packet)
	slot.length = packet.length
	slot.address = from.address
	slot.port = from.port
	return slot
}

/** A block without data that wants an answer, and may acknowledge a message. */
export function ask(id: number, ackId = 0): Uint8Array {
	const message = new Uint8Array(64)
	const view = new DataView(message.buffer)
	view.setUint32(0, id, true)
	view.setUint32(4, ackId, true)
	return message
}
