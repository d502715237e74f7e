// Run inside a namespace. `train-tool.js send client|server FROM:PORT TO:PORT EXTENSION LENGTH…`:
// CurveCP messages of these lengths, from a client to the server of that extension or back, in one
// call to the kernel, which makes trains of them; each line of input sends them once more.
// `train-tool.js listen IP PORT`: prints "ready", then the length of each datagram.

import dgram from 'node:dgram'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fromHex } from '../../src/base/hex.ts'
import { makeSlot, type Slot } from '../../src/base/slots.ts'
import { allocate } from '../../src/platform/linux/arena.ts'
import { openLinuxUdp } from '../../src/platform/linux/udp.ts'
import { addressOf } from '../../src/platform/udp.ts'
import { CLIENT, curvecp, SERVER } from './packets.ts'

const SLOT_BYTES = 1280

function place(text: string): { address: number, port: number } {
	const [host = '', port] = text.split(':')
	return { address: addressOf(host)!, port: Number(port) }
}

async function send(
	who: string, from: string, to: string, hex: string, lengths: readonly number[],
): Promise<void> {
	const udp = openLinuxUdp({
		...place(from), answerFromAsked: false, receiveBufferBytes: 100_000, sendBufferBytes: 100_000,
	})
	const [extension, none] = [fromHex(hex, 16)!, new Uint8Array(16)]
	const slots = lengths.map((n): Slot => {
		const slot = makeSlot(allocate(SLOT_BYTES))
		slot.bytes.set(who === 'client' ? curvecp(CLIENT, 'M', extension, none, n)
			: curvecp(SERVER, 'M', none, extension, n))
		return Object.assign(slot, { ...place(to), length: n, local: 0 })
	})
	for await (const _ of createInterface({ input: process.stdin })) {
		udp.sendBatch(slots, 0, slots.length)
	}
	udp.close()
}

async function listen(ip: string, port: number): Promise<void> {
	const socket = dgram.createSocket('udp4')
	socket.on('message', (packet) => process.stdout.write(`${packet.length}\n`))
	socket.bind(port, ip)
	await once(socket, 'listening')
	process.stdout.write('ready\n')
}

const [, , verb, ...words] = process.argv
if (verb === 'send') {
	const [who = '', from = '', to = '', hex = '', ...lengths] = words
	await send(who, from, to, hex, lengths.map(Number))
} else {
	await listen(words[0]!, Number(words[1]))
}
