// Run inside a namespace: sends given IP packets to a MAC as they come, or prints those that
// arrive, in hex, a line each. `wire-tool.js send IFACE MAC < packets`, `wire-tool.js listen
// IFACE`: prints "ready" first.

import { fromHex, toHex } from '../../src/base/hex.ts'
import { arena } from '../../src/platform/linux/arena.ts'
import type { Instruction } from '../../src/platform/linux/bpf.ts'
import {
	ETHERTYPE_IPV4, ETHERTYPE_IPV6, openPacketSocket, PacketSocket, take,
} from '../../src/platform/linux/packet-socket.ts'
import { RawSender } from '../../src/platform/linux/raw-sender.ts'
import { openWaker } from '../../src/platform/linux/waker.ts'
import { parseMac } from '../../src/gateway/target.ts'

const ALL: readonly Instruction[] = [[0x06, 0, 0, 0xffff]]
/** So many at once, then a pause: the far end's buffers are not what is tested. */
const BURST = 32
const PAUSE_MILLIS = 2

async function send(ifname: string, macText: string): Promise<void> {
	const sender = new RawSender('mac', ifname)
	const mac = parseMac(macText)!
	const memory = take(BURST * 2048)
	const { bytes } = arena()
	let rest = ''
	for await (const piece of process.stdin) {
		const lines = (rest + String(piece)).split('\n')
		rest = lines.pop() ?? ''
		for (let i = 0; i < lines.length; i += BURST) {
			lines.slice(i, i + BURST).forEach((line, k) => {
				const packet = fromHex(line, line.length / 2)!
				bytes.set(packet, memory + k * 2048)
				sender.put(bytes, memory + k * 2048, packet.length, mac)
			})
			sender.flush()
			await new Promise((resolve) => { setTimeout(resolve, PAUSE_MILLIS) })
		}
	}
	process.stdout.write(`${JSON.stringify(Object.fromEntries(sender.losses))}\n`)
}

function listen(ifname: string): void {
	for (const ethertype of [ETHERTYPE_IPV4, ETHERTYPE_IPV6]) {
		const socket = new PacketSocket(openPacketSocket(ifname, ethertype, ALL), ifname)
		const waker = openWaker(socket.fd, () => {
			let text = ''
			for (let n = socket.receive(); n > 0; n = socket.receive()) {
				for (const { bytes: p, at, length } of socket.frames.slice(0,
					n)) text += `${toHex(p, at, length)}\n`
			}
			process.stdout.write(text)
			waker.arm()
		})
		waker.arm()
	}
	process.stdout.write('ready\n')
}

const [, , verb, ifname = '', mac = ''] = process.argv
if (verb === 'send') await send(ifname, mac)
else listen(ifname)
