// Our machines against the recorded connections: with the recorded secrets our client writes the
// reference client's packets and our server the reference server's, byte for byte.

import test from 'ava'
import type { Bytes } from '../../../src/base/bytes.ts'
import { makeTweetnacl } from '../../../src/crypto/tweetnacl.ts'
import { ClientHandshake } from '../../../src/handshake/client.ts'
import { ServerHandshake } from '../../../src/handshake/server.ts'
import { clientMessageNonce, serverMessageNonce } from '../../../src/handshake/session.ts'
import { nodeAgree } from '../../../src/platform/x25519.ts'
import { writeHead } from '../../../src/wire/write.ts'
import { KIND_MESSAGE, SERVER_MAGIC } from '../../../src/wire/packets.ts'
import {
	bytes, counterDraw, inSlot, recorded, scripted, type RecordedPacket, type Scenario,
} from '../../support/vectors.ts'

const box = makeTweetnacl(nodeAgree())

/** The message inside a packet that carries one. */
function messageOf({ message }: RecordedPacket): Bytes {
	return bytes(message!.hex)
}

function clientOf(s: Scenario): ClientHandshake {
	const initiate = s.packets.find((packet) => packet.type === 'Initiate')!
	const random = scripted(
		counterDraw(s.clientNonceStart), bytes(s.clientShortTermSk), bytes(initiate.vouchNonce!))
	return new ClientHandshake(box, random, {
		longTermPublic: bytes(s.clientLongTermPk),
		longTermSecret: bytes(s.clientLongTermSk),
		serverLongTermPublic: bytes(s.serverLongTermPk),
		serverName: bytes(s.serverNameWire),
	})
}

for (const s of recorded.scenarios) {
	test(`scenario ${s.name}: our client writes every packet of the reference client`, (t) => {
		const client = clientOf(s)
		t.true(client.prepare())
		const [server, own] = [bytes(s.serverExtension), bytes(s.clientExtension)]
		for (const packet of s.packets) {
			const p = inSlot(packet.hex)
			if (packet.type === 'Cookie') t.is(client.readCookie(p), undefined)
			else if (packet.type === 'ServerMessage') {
				t.is(client.openMessage(p, packet.length), undefined)
				t.deepEqual(p.subarray(64, packet.length), messageOf(packet))
			} else {
				const out = new Uint8Array(1216).fill(0xa5)
				let n = 0
				if (packet.type === 'Hello') n = client.writeHello(out, server, own)
				else {
					const message = messageOf(packet)
					out.set(message, client.messageAt)
					client.address(server, own)
					n = client.write(out, message.length)
				}
				t.deepEqual(out.subarray(0, n), bytes(packet.hex), packet.type)
			}
		}
	})

	test(`scenario ${s.name}: our server writes every packet of the reference server`, (t) => {
		const cookie = s.packets.find((packet) => packet.type === 'Cookie')!
		const random = scripted(
			bytes(s.minuteKey), bytes(s.previousMinuteKey), bytes(s.serverShortTermSk),
			bytes(cookie.cookie!).subarray(0, 16), bytes(cookie.nonce), counterDraw(s.serverNonceStart))
		const server = new ServerHandshake(box, random, bytes(s.serverLongTermSk), 0)
		const hellos = s.packets.filter((packet) => packet.type === 'Hello')
		const out = new Uint8Array(1216).fill(0xa5)
		t.is(server.answerHello(inSlot(hellos.at(-1)!.hex), out), undefined)
		t.deepEqual(out.subarray(0, 200), bytes(cookie.hex))

		const initiate = s.packets.findLast((packet) => packet.type === 'Initiate')!
		const p = inSlot(initiate.hex)
		const proof = server.acceptInitiate(p, initiate.length, 1)
		if (typeof proof === 'string') return t.fail(proof)
		t.is(proof.clientLongTerm, s.clientLongTermPk)
		t.deepEqual(p.subarray(544, initiate.length), messageOf(initiate))
		t.deepEqual(p.subarray(288, 544), bytes(s.serverNameWire))
		for (const packet of s.packets) {
			const { hex, length, type } = packet
			if (type === 'ClientMessage') {
				const slot = inSlot(hex)
				t.is(proof.session.open(slot, 96, length - 96, clientMessageNonce), undefined)
				t.deepEqual(slot.subarray(96, length), messageOf(packet))
				t.is(proof.session.open(inSlot(hex), 96, length - 96, clientMessageNonce), 'replay')
			} else if (type === 'ServerMessage') {
				out.fill(0xa5)
				const message = messageOf(packet)
				writeHead(out, SERVER_MAGIC, KIND_MESSAGE, bytes(s.clientExtension),
					bytes(s.serverExtension))
				out.set(message, 64)
				proof.session.seal(out, 64, message.length, serverMessageNonce)
				t.deepEqual(out.subarray(0, length), bytes(hex))
			}
		}
	})

	test(`scenario ${s.name}: a flipped bit is refused in a box, not in a Hello's padding`, (t) => {
		const random = scripted(
			bytes(s.minuteKey), bytes(s.previousMinuteKey), ...Array.from({ length: 3 },
				() => [new Uint8Array(32), new Uint8Array(16), new Uint8Array(16)]).flat())
		const server = new ServerHandshake(box, random, bytes(s.serverLongTermSk), 0)
		const hello = s.packets[0]!
		const out = new Uint8Array(1216)
		for (const at of [72, 100, 135]) {
			const p = inSlot(hello.hex)
			p[at]! ^= 1
			t.is(server.answerHello(p, out), undefined)
		}
		for (const at of [40, 136, 144, 160, 223]) {
			const p = inSlot(hello.hex)
			p[at]! ^= 1
			t.is(server.answerHello(p, out), 'box')
		}
		const initiate = s.packets.findLast((packet) => packet.type === 'Initiate')!
		const places = [[40, 'cookie'], [72, 'cookie'], [90, 'cookie'], [130, 'cookie'], [168, 'box'],
			[176, 'box'], [200, 'box'], [300, 'box'], [initiate.length - 1, 'box']] as const
		for (const [at, drop] of places) {
			const p = inSlot(initiate.hex)
			p[at]! ^= 1
			t.is(server.acceptInitiate(p, initiate.length, 1), drop)
		}
	})
}
