// Where each microsecond of a transfer goes: our client and our server in one process, over
// loopback, one stage after the other, so that neither waits for the other. What a stage costs is
// the median over its batches, for each data packet. The same without boxes shows what they cost.
// node build/out/test/bench/data-path.js [MB], or `make bench`, which reads its last line

import { makeSlot, type Slot } from '../../src/base/slots.ts'
import { SECOND } from '../../src/base/time.ts'
import type { Box } from '../../src/crypto/box.ts'
import { ClientEndpoint } from '../../src/endpoint/client.ts'
import { OwnExtension } from '../../src/endpoint/own-extension.ts'
import type { ServerEndpoint } from '../../src/endpoint/server.ts'
import { Messenger } from '../../src/message/messenger.ts'
import { now } from '../../src/platform/clock.ts'
import { openPlatform, type Platform } from '../../src/platform/platform.ts'
import type { Udp } from '../../src/platform/udp.ts'
import { LIVENESS, layers, makeServer } from './ends.ts'

const MB = Number(process.argv[2] ?? 300)
const LOOPBACK = 0x7f000001
const BATCH = 64
const SLOT_BYTES = 1280
const CHUNK = 65536
const RING_BYTES = 1 << 22
const WARM_UP = 1000
const STAGES = [
	'sender: program to ring', 'sender: messages and boxes', 'sender: sendBatch',
	'receiver: receiveBatch', 'receiver: boxes and messages', 'receiver: ring to program',
	'receiver: acknowledgments', 'sender: acknowledgments',
] as const

const SYSTEM_CALL = {
	sender: 'sender: sendBatch', receiver: 'receiver: receiveBatch',
} as const
/** A stage, nanoseconds with boxes, without. */
type Row = readonly [string, number, number]

function noBox(box: Box): Box {
	return { ...box, seal: () => {}, open: () => true }
}

interface Ends {
	client: ClientEndpoint
	messenger: Messenger
	server: ServerEndpoint
	clientUdp: Udp
	serverUdp: Udp
}

async function makeEnds(platform: Platform, box: Box): Promise<Ends> {
	const options = {
		address: LOOPBACK, port: 0, receiveBufferBytes: 8e6, sendBufferBytes: 8e6,
	}
	const serverUdp = await platform.openUdp({ ...options, answerFromAsked: true })
	const clientUdp = await platform.openUdp({ ...options, answerFromAsked: false })
	const makeLayer = layers(platform, RING_BYTES)
	const { server, identity } = makeServer(platform, box, 16, makeLayer)
	const now = platform.clock()
	const layer = makeLayer(now)
	const client = new ClientEndpoint({
		box, random: platform.random, layer, liveness: LIVENESS, connectTimeout: SECOND, now, identity,
		hosts: [{ address: LOOPBACK, port: serverUdp.port, extension: new Uint8Array(16) }],
		ownExtension: new OwnExtension(new Uint8Array(16)),
	})
	return { client, messenger: layer, server, clientUdp, serverUdp }
}

/** Nanoseconds for each data packet in each stage, and how often packets were acknowledged. */
async function run(platform: Platform, box: Box): Promise<[number[], number]> {
	const { client, messenger, server, clientUdp, serverUdp } = await makeEnds(platform, box)
	const block = platform.memory.allocate(2 * BATCH * SLOT_BYTES)
	const [out, into] = [0, BATCH].map((from) => Array.from({ length: BATCH }, (_, i): Slot =>
		makeSlot(block.subarray((from + i) * SLOT_BYTES, (from + i + 1) * SLOT_BYTES))))
	const chunk = new Uint8Array(CHUNK).fill(7)
	const costs: number[][] = STAGES.map(() => [])
	const spent = STAGES.map(() => 0)
	let at = now()
	const lap = (stage: number): void => {
		const next = now()
		spent[stage] = next - at
		at = next
	}
	const fill = (end: ClientEndpoint | ServerEndpoint): number => {
		let n = 0
		while (n < BATCH && end.transmit(out![n]!, at)) {
			// A client names its host there, which one socket needs not know.
			if (end === client) out![n]!.local = 0
			n++
		}
		return n
	}
	const take = (end: ClientEndpoint | ServerEndpoint, udp: Udp): number => {
		const n = udp.receiveBatch(into!, BATCH)
		for (let i = 0; i < n; i++) end.receive(into![i]!, at)
		return n
	}
	let answers = 0
	let blocks = 0
	let packets = 0
	for (let written = 0; messenger.sentBytes < MB * 1e6;) {
		at = now()
		// So much that the kernel's buffer is never the limit.
		while (messenger.pending < BATCH * 4096) written += messenger.write(chunk, 0, CHUNK, at)
		lap(0)
		const sent = fill(client)
		lap(1)
		clientUdp.sendBatch(out!, 0, sent)
		lap(2)
		const received = serverUdp.receiveBatch(into!, BATCH)
		lap(3)
		for (let i = 0; i < received; i++) server.receive(into![i]!, at)
		lap(4)
		for (let c = server.event(at); c !== undefined; c = server.event(at)) {
			const { layer } = c
			if (layer instanceof Messenger) {
				while (layer.readable > 0) layer.consume(layer.peekLength, at)
			}
			server.touch(c, at)
		}
		lap(5)
		if (server.wakeAt() <= at) server.wake(at)
		const answered = fill(server)
		serverUdp.sendBatch(out!, 0, answered)
		lap(6)
		take(client, clientUdp)
		if (client.wakeAt() <= at) client.wake(at)
		client.event()
		lap(7)
		if (sent < BATCH || received < BATCH || ++blocks <= WARM_UP) continue
		packets += sent
		answers += answered
		spent.forEach((nanos, stage) => costs[stage]!.push(nanos / sent))
	}
	for (const udp of [clientUdp, serverUdp]) udp.close()
	return [costs.map(middle), packets / answers]
}

function middle(values: number[]): number {
	return values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

const platform = await openPlatform()
for (const note of platform.notes) console.log(note)
const { box } = platform
const [withBoxes, perAnswer] = await run(platform, box)
const [without] = await run(platform, noBox(box))
const sum = (values: number[], side: string): number =>
	values.reduce((total, value, i) => total + (STAGES[i]!.startsWith(side) ? value : 0), 0)
const rows = STAGES.map((stage, i): Row => [stage, withBoxes[i]!, without![i]!])
for (const side of ['sender', 'receiver'] as const) {
	const [all, bare] = [sum(withBoxes, side), sum(without!, side)]
	const call = withBoxes[STAGES.indexOf(SYSTEM_CALL[side])]!
	rows.push([`${side}: all`, all, bare])
	rows.push([`${side}: its floor, boxes and the system call`, all - bare + call, call])
}
console.log(`| nanoseconds a packet of 1,024 bytes | ${box.name} | no box |\n|---|---|---|`)
for (const [what, a, b] of rows) console.log(`| ${what} | ${a.toFixed(0)} | ${b.toFixed(0)} |`)
console.log(`\n${perAnswer.toFixed(1)} packets for each acknowledgment`)
console.log(JSON.stringify(rows))
process.exit()
