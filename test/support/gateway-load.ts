// Run inside a namespace, for the gateway's bench. `blast IFACE MAC SECONDS ROUTES < packet`: sends
// it as fast as it can, from 256 clients, to a random one of the extensions 0 to ROUTES - 1; prints
// the nanoseconds of one, undisturbed. `echo IP PORT`: answers each packet as a server would. `ping
// IP PORT N EXTENSION`: N round trips, one after the other; prints their nanoseconds.

import dgram from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { readU16BE, writeU16BE, writeU32BE } from '../../src/base/bytes.ts'
import { fromHex } from '../../src/base/hex.ts'
import { IPV4_BYTES, IPV4_CHECKSUM, IPV4_SOURCE, UDP_BYTES } from '../../src/gateway/frame.ts'
import { parseMac } from '../../src/gateway/target.ts'
import { arena } from '../../src/platform/linux/arena.ts'
import { take } from '../../src/platform/linux/packet-socket.ts'
import { RawSender } from '../../src/platform/linux/raw-sender.ts'
import { PACKET_RECEIVER_EXTENSION } from '../../src/wire/packets.ts'
import { CLIENT, curvecp, SERVER } from './packets.ts'

const STRIDE = 1536
const BURST = 64
const EXTENSION = IPV4_BYTES + UDP_BYTES + PACKET_RECEIVER_EXTENSION

function blast(ifname: string, macText: string, seconds: number, routes: number): void {
	const sender = new RawSender('mac', ifname)
	const mac = parseMac(macText)!
	const hex = readFileSync(0, 'latin1').trim()
	const n = hex.length / 2
	const packet = fromHex(hex, n)!
	const headerSum = readU16BE(packet, IPV4_CHECKSUM)
	const memory = take(BURST * STRIDE)
	const { bytes } = arena()
	for (let i = 0; i < BURST; i++) bytes.set(packet, memory + i * STRIDE)
	const end = performance.now() + seconds * 1000
	let state = 1
	let sent = 0
	const times: number[] = []
	for (let start = performance.now(); start < end; start = performance.now()) {
		for (let i = 0; i < BURST; i++) {
			const at = memory + i * STRIDE
			state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
			const client = sent++ & 255
			bytes[at + IPV4_SOURCE + 3] = client
			// The last octet was 0: the sum falls by what is added.
			writeU16BE(bytes, at + IPV4_CHECKSUM, headerSum - client + (headerSum < client ? -1 : 0))
			writeU32BE(bytes, at + EXTENSION, Math.floor((state / 2 ** 32) * routes))
			sender.put(bytes, at, n, mac)
		}
		sender.flush()
		times.push(performance.now() - start)
	}
	// What a packet costs when nobody else has the processor: the kernel forwards it meanwhile.
	times.sort((a, b) => a - b)
	process.stdout.write(`${(times[times.length / 10 | 0]! * 1e6) / BURST}\n`)
}

async function echo(ip: string, port: number): Promise<void> {
	const socket = dgram.createSocket('udp4')
	socket.on('message', (packet, from) => {
		const answer = curvecp(SERVER, 'M', packet.subarray(24, 40), packet.subarray(8, 24), 208)
		socket.send(answer, from.port, from.address)
	})
	socket.bind(port, ip)
	await once(socket, 'listening')
	process.stdout.write('ready\n')
}

async function ping(ip: string, port: number, count: number, extension: string): Promise<void> {
	const socket = dgram.createSocket('udp4')
	const hello = curvecp(CLIENT, 'H', fromHex(extension, 16)!, new Uint8Array(16), 224)
	const times: number[] = []
	for (let i = 0; i < count; i++) {
		const start = process.hrtime.bigint()
		socket.send(hello, port, ip)
		const answered = await Promise.race([
			once(socket, 'message').then(() => true),
			new Promise<boolean>((resolve) => { setTimeout(() => resolve(false), 200) }),
		])
		if (answered) times.push(Number(process.hrtime.bigint() - start))
	}
	process.stdout.write(`${JSON.stringify(times)}\n`)
	socket.close()
}

const [, , verb, ...words] = process.argv
if (verb === 'blast') blast(words[0]!, words[1]!, Number(words[2]), Number(words[3]))
else if (verb === 'echo') await echo(words[0]!, Number(words[1]))
else await ping(words[0]!, Number(words[1]), Number(words[2]), words[3]!)
