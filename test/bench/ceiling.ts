// The floor under a transfer: nothing but the calls that it cannot do without, made as the product
// makes them. One process seals full blocks and sends them with UDP_SEGMENT, another takes and
// opens them at the same time, each on its core; what finds no room is lost, and only what was
// opened counts. No protocol, no copies, no event loop, no start of a process, one buffer that
// stays in the cache. Datagrams are taken in runs, with UDP_GRO as the product does, or each by
// itself: a bare loop of recvmmsg.
// node build/out/test/bench/ceiling.js receive MB runs|singly | send PORT

import { resolve } from 'node:path'
import { start, type Owner, type Started } from '../support/processes.ts'
import { arena, reserve } from '../../src/platform/linux/arena.ts'
import { fail, libc } from '../../src/platform/linux/libc.ts'
import * as m from '../../src/platform/linux/messages.ts'
import { openSodium } from '../../src/platform/linux/sodium.ts'

/** A full block, and its packet: head, tag, message head, 1,024 bytes. */
const BLOCK = 1024
const PACKET = 1168
const TEXT = 96
/** As many as one message with UDP_SEGMENT holds. */
const TRAIN = 56
const WARM_UP = 100_000
/** What one recvmmsg takes: messages, and bytes of each. */
const TAKEN = { runs: [2, 65536], singly: [64, 2048] } as const
export type Taken = keyof typeof TAKEN
const LOOPBACK_NAME = 0x0100007f
const SO_RCVBUFFORCE = 33
const SOL_SOCKET = 1
const MSG_DONTWAIT = 0x40

export interface Moved {
	megabytes: number
	seconds: number
	/** Of both sides, for as many megabytes. */
	cpuSeconds: number
}

/** So many megabytes of blocks from one pinned process to another. */
export async function ceiling(context: Owner, megabytes: number, taken: Taken): Promise<Moved> {
	const program = resolve('build/out/test/bench/ceiling.js')
	const run = (core: number, ...args: string[]): Started =>
		start(context, 'taskset', ['-c', String(core), process.execPath, program, ...args])
	const receiver = run(0, 'receive', String(megabytes), taken)
	const port = /^port (\d+)$/m
	await receiver.untilPrinted(port)
	const sender = run(1, 'send', port.exec(String(receiver.stdout()))![1]!)
	const [to, from] = [await resultOf(receiver), await resultOf(sender)]
	const sent = (from.cpuSeconds / from.megabytes) * to.megabytes
	return { ...to, cpuSeconds: to.cpuSeconds + sent }
}

async function resultOf(process: Started): Promise<Moved> {
	const { code } = await process.ended
	const line = /^[{].*$/m.exec(String(process.stdout()))
	if (line === null) throw new Error(`it ended with ${code}: ${process.stderr()}`)
	return JSON.parse(line[0]) as Moved
}

function report(packets: number, since: number, cpu: NodeJS.CpuUsage): void {
	const { user, system } = process.cpuUsage(cpu)
	const moved: Moved = {
		megabytes: (packets * BLOCK) / 1e6,
		seconds: (performance.now() - since) / 1000,
		cpuSeconds: (user + system) / 1e6,
	}
	process.stdout.write(`${JSON.stringify(moved)}\n`)
}

function open(port: number): { fd: number, port: number, scratch: number } {
	const c = libc()
	const { address, words, bytes } = arena()
	const scratch = reserve(64)
	const fd = c.socket(m.AF_INET, 2, 0)
	words[scratch >> 2] = m.AF_INET | ((port >>> 8) << 16) | ((port & 255) << 24)
	words[(scratch >> 2) + 1] = LOOPBACK_NAME
	const call = port === 0 ? c.bind : c.connect
	if (call(fd, address + scratch, m.NAME_SIZE) !== 0) fail('use', 'UDP socket')
	words[(scratch >> 2) + 8] = m.NAME_SIZE
	c.getsockname(fd, address + scratch, address + scratch + 32)
	return { fd, port: bytes[scratch + 2]! * 256 + bytes[scratch + 3]!, scratch }
}

function option(fd: number, scratch: number, level: number, name: number, value: number): void {
	const { address, words } = arena()
	words[scratch >> 2] = value
	if (libc().setsockopt(fd, level, name, address + scratch, 4) !== 0) fail('set', 'option')
}

function messages([count, each]: readonly [number, number]): m.Messages {
	const made = m.makeMessages(count, each)!
	const { address, words } = arena()
	for (let i = 0; i < count; i++) {
		words[(made.headers >> 2) + i * m.MESSAGE_WORDS + m.IOVEC_COUNT] = 1
		const iovec = (made.iovecs >> 2) + i * m.IOVEC_WORDS
		m.writeAddress(iovec, address + made.buffers + each * i)
		words[iovec + m.IOVEC_LENGTH] = each
	}
	return made
}

const key = new Uint8Array(32).fill(1)
const nonce = new Uint8Array(24).fill(2)

function send(to: number): void {
	const c = libc()
	const box = openSodium()
	const { fd, scratch } = open(to)
	option(fd, scratch, m.SOL_UDP, m.UDP_SEGMENT, PACKET)
	const { headers, buffers } = messages([1, TRAIN * PACKET])
	const { address, bytes } = arena()
	const [since, cpu] = [performance.now(), process.cpuUsage()]
	// Until the receiver has gone: the network says so.
	for (let packets = 0; ; packets += TRAIN) {
		for (let i = 0; i < TRAIN; i++) {
			box.seal(bytes, buffers + i * PACKET + TEXT, PACKET - TEXT, nonce, key)
		}
		if (c.sendmmsg(fd, address + headers, 1, 0) !== 1) return report(packets, since, cpu)
	}
}

function receive(megabytes: number, taken: Taken): void {
	const c = libc()
	const box = openSodium()
	const { fd, port, scratch } = open(0)
	option(fd, scratch, SOL_SOCKET, SO_RCVBUFFORCE, 8e6)
	if (taken === 'runs') option(fd, scratch, m.SOL_UDP, m.UDP_GRO, 1)
	const [count, each] = TAKEN[taken]
	const { headers, buffers } = messages(TAKEN[taken])
	const { address, bytes, words } = arena()
	const take = (): number => {
		for (let i = 0; i < count; i++) {
			const header = (headers >> 2) + i * m.MESSAGE_WORDS
			words[header + m.NAME_BYTES] = m.NAME_SIZE
			words[header + m.CONTROL_BYTES] = m.CONTROL_SPACE
		}
		let packets = 0
		const got = c.recvmmsg(fd, address + headers, count, MSG_DONTWAIT, 0)
		for (let i = 0; i < got; i++) {
			const n = words[(headers >> 2) + i * m.MESSAGE_WORDS + m.DATA_BYTES]!
			for (let at = i * each; at < i * each + n; at += PACKET, packets++) {
				const text = buffers + at + TEXT
				if (!box.open(bytes, text, PACKET - TEXT, nonce, key)) throw new Error('no box')
			}
		}
		return packets
	}
	process.stdout.write(`port ${port}\n`)
	for (let packets = 0; packets < WARM_UP;) packets += take()
	const [since, cpu] = [performance.now(), process.cpuUsage()]
	let packets = 0
	while (packets * BLOCK < megabytes * 1e6) packets += take()
	report(packets, since, cpu)
}

const [program, what, value, taken] = process.argv.slice(1)
if (program === import.meta.filename && what === 'send') send(Number(value))
if (program === import.meta.filename && what === 'receive') {
	receive(Number(value), taken === 'runs' ? 'runs' : 'singly')
}
