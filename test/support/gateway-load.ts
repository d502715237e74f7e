// Run inside a namespace, for the gateway's bench. `blast IFACE MAC SECONDS < packets`: sends them
// round and round as fast as it can. `echo IP PORT`: answers each packet as a server would. `ping
// IP PORT N EXTENSION`: N round trips, one after the other; prints their nanoseconds.

import dgram from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fromHex } from '../../src/base/hex.ts'
import { parseMac } from '../../src/gateway/target.ts'
import { arena } from '../../src/platform/linux/arena.ts'
import { take } from '../../src/platform/linux/packet-socket.ts'
import { RawSender } from '../../src/platform/linux/raw-sender.ts'
import { CLIENT, curvecp, SERVER } from './packets.ts'

const STRIDE = 1536
const BURST = 64

function blast(ifname: string, macText: string, seconds: number): void {
	const sender = new RawSender('mac', ifname)
	const mac = parseMac(macText)!
	const lines = readFileSync(0, 'latin1').split('\n').filter((line) => line !== '')
	const memory = take(lines.length * STRIDE)
	const { bytes } = arena()
	lines.forEach((line, i) => bytes.set(fromHex(line, line.length / 2)!, memory + i * STRIDE))
	const end = performance.now() + seconds * 1000
	let sent = 0
	while (performance.now() < end) {
		for (let i = 0; i < BURST; i++) {
			const k = sent++ % lines.length
			sender.put(bytes, memory + k * STRIDE, lines[k]!.length / 2, mac)
		}
		sender.flush()
	}
	process.stdout.write(`${sent}\n`)
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
if (verb === 'blast') blast(words[0]!, words[1]!, Number(words[2]))
else if (verb === 'echo') await echo(words[0]!, Number(words[1]))
else await ping(words[0]!, Number(words[1]), Number(words[2]), words[3]!)
