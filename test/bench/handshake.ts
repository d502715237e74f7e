// What a full handshake costs the server, stage by stage: many clients and one server in one
// process, packets handed over in memory, so that the clients' own work is not counted.
// node build/out/test/bench/handshake.js [HANDSHAKES]

import { makeSlot } from '../../src/base/slots.ts'
import { MILLISECOND } from '../../src/base/time.ts'
import { ClientHandshake } from '../../src/handshake/client.ts'
import { now } from '../../src/platform/clock.ts'
import { openPlatform, type Platform } from '../../src/platform/platform.ts'
import { INITIATE_MESSAGE, MESSAGE_MIN } from '../../src/wire/packets.ts'
import { layers, makeServer } from './ends.ts'
import { median } from './bench.ts'

const HANDSHAKES = Number(process.argv[2] ?? 5000)
const STAGES = [
	'Hello in, Cookie out', 'Initiate in, connection open', 'first Message out',
] as const
const EXTENSION = new Uint8Array(16)
/** An acknowledgment of nothing. */
const MESSAGE_BYTES = 4 * MESSAGE_MIN

function run(platform: Platform): number[][] {
	const { box, random } = platform
	const { server, identity } = makeServer(platform, box, HANDSHAKES, layers(platform, 1 << 20))
	const [to, from] = [makeSlot(platform.memory.allocate(1280)), makeSlot(new Uint8Array(1280))]
	Object.assign(to, { address: 0x7f000001, port: 1 })
	const costs: number[][] = STAGES.map(() => [])
	let at = 0
	const lap = (stage: number): void => {
		const next = now()
		costs[stage]!.push(next - at)
		at = next
	}
	for (let i = 0; i < HANDSHAKES; i++) {
		const client = new ClientHandshake(box, random, identity)
		client.prepare()
		to.length = client.writeHello(to.bytes, EXTENSION, EXTENSION)
		// Between two, traffic is forgotten: beside it Hellos have but a share of the processor.
		const virtual = i * 30 * MILLISECOND
		at = now()
		server.receive(to, virtual)
		server.transmit(from, virtual)
		lap(0)
		if (client.readCookie(from.bytes) !== undefined) throw new Error('no Cookie')
		to.bytes.fill(0, INITIATE_MESSAGE, INITIATE_MESSAGE + MESSAGE_BYTES)
		to.bytes[INITIATE_MESSAGE] = 1 // a message ID, which wants an answer
		client.address(EXTENSION, EXTENSION)
		to.length = client.write(to.bytes, MESSAGE_BYTES)
		at = now()
		server.receive(to, virtual)
		const connection = server.event(virtual)
		lap(1)
		if (connection === undefined) throw new Error('no connection')
		while (server.transmit(from, virtual)) continue
		lap(2)
	}
	return costs
}

const platform = await openPlatform()
for (const note of platform.notes) console.log(note)
const { box } = platform
const key = new Uint8Array(32).fill(1)
const theirs = new Uint8Array(32)
const agreements: number[] = []
const keypairs: number[] = []
for (let i = 0; i < 1000; i++) {
	const [start, half] = [now(), (box.publicOf(theirs, key), now())]
	box.beforenm(new Uint8Array(32), theirs, 0, key)
	keypairs.push(half - start)
	agreements.push(now() - half)
}
const micros = (values: number[]): number => median(values.sort((a, b) => a - b)) / 1000
console.log(`| microseconds, ${box.name} | |\n|---|---|`)
const costs = run(platform).map(micros)
STAGES.forEach((stage, i) => console.log(`| ${stage} | ${costs[i]!.toFixed(1)} |`))
const sum = costs.reduce((total, cost) => total + cost, 0)
const floor = 3 * micros(agreements) + micros(keypairs)
console.log(`| all of it | ${sum.toFixed(1)} |`)
console.log(`| three key agreements and a key pair alone | ${floor.toFixed(1)} |`)
console.log(`\n${(1e6 / sum).toFixed(0)} handshakes a second on one core, without the network`)
process.exit()
