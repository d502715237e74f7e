// Runs inside a network namespace of its own (platform.test.ts): what a socket of the named
// platform does when the world refuses. Prints one JSON object.
//
//   this process ─ socket on 10.9.9.1 ─ tbf, 20 Mbit/s ─ tun device cg0 (10.9.9.0/24) ─ read here
//
// What waits in tbf still counts as the socket's: so its send buffer fills.

import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { makeSlot, type Slot } from '../../src/base/slots.ts'
import { allocate, pointer } from '../../src/platform/linux/arena.ts'
import { libc } from '../../src/platform/linux/libc.ts'
import { openPlatform } from '../../src/platform/platform.ts'
import type { Udp } from '../../src/platform/udp.ts'

const OUR = 0x0a090901
const THEIR = 0x0a090902
const PORT = 9999
const PACKET = 1000
const BATCHES = 4
const TUNSETIFF = 0x400454ca
const IFF_TUN_NO_PI = 0x1001

export interface Observed {
	/** Counters after each trouble. */
	down: Record<string, number>
	forbidden: Record<string, number>
	unroutable: Record<string, number>
	/** A device whose queue has no room: 64 datagrams, how many were refused and came out. */
	crowded: Record<string, number>
	passed: number
	/** Of 256 datagrams, how many the socket took when it was first asked. */
	takenAtOnce: number
	counted: Record<string, number>
	/** What came out of the device in the end: each datagram carries its number. */
	numbers: number[]
	/** 64 datagrams larger than the device's MTU: counters, first fragments. */
	narrow: Record<string, number>
	pieces: number
}

const run = (command: string): void => {
	const [program, ...args] = command.split(' ')
	execFileSync(program!, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}

function openTun(): number {
	const fd = openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK)
	const request = allocate(64)
	request.set(Buffer.from('cg0'))
	request[16] = IFF_TUN_NO_PI & 255
	request[17] = IFF_TUN_NO_PI >> 8
	const ioctl = libc().load('libc.so.6').func('int ioctl(int, ulong, uintptr_t)')
	if (ioctl(fd, TUNSETIFF, pointer(request, 0)) !== 0) throw new Error('no tun device')
	return fd
}

function counters(udp: Udp): Record<string, number> {
	const all = Object.fromEntries(udp.counters)
	udp.counters.clear()
	return all
}

const block = allocate(64 * 1280)
const slots: Slot[] = Array.from({ length: 64 }, (_, i) =>
	makeSlot(block.subarray(i * 1280, (i + 1) * 1280)))
let number = 0

/** Lengths that grow make no runs: each datagram is a message of its own. */
function prepare(address: number, growing = 0): void {
	for (const [i, slot] of slots.entries()) {
		slot.length = PACKET + growing * i
		slot.address = address
		slot.port = PORT
		slot.local = 0
		slot.bytes[0] = number
		slot.bytes[1] = number >> 8
		number++
	}
}

/** What the portable platform learns of a send it learns a tick later. */
async function turn(): Promise<void> {
	await new Promise((resolve) => setImmediate(resolve))
	await new Promise((resolve) => setImmediate(resolve))
}

const platform = await openPlatform(process.argv[2] === 'linux' ? 'linux' : 'portable')
const tun = openTun()
run('ip address add 10.9.9.1/24 dev cg0')
run('ip link set cg0 up')
const udp = await platform.openUdp({
	address: OUR, port: 0, answerFromAsked: true, receiveBufferBytes: 50_000, sendBufferBytes: 20_000,
})
udp.listen({ readable: () => {}, unreachable: () => {} })

async function troubled(address: number, n: number): Promise<Record<string, number>> {
	prepare(address)
	if (udp.sendBatch(slots, 0, n) !== n) throw new Error('refused datagrams are done with')
	await turn()
	return counters(udp)
}

const unroutable = await troubled(0xc0000201, 4)
run('nft add table ip t')
run('nft add chain ip t out { type filter hook output priority 0 ; policy drop ; }')
const forbidden = await troubled(THEIR, 4)
run('nft delete table ip t')
run('ip link set cg0 down')
const down = await troubled(THEIR, 4)
run('ip link set cg0 up')
run('tc qdisc add dev cg0 root tbf rate 20mbit burst 4kb latency 10s')

const numbers: number[] = []
const packet = new Uint8Array(2000)

/** What waits in the device: IPv4 header 20, UDP header 8. */
function readTun(): void {
	for (;;) {
		try {
			const n = readSync(tun, packet)
			const first = ((packet[6]! & 0x1f) | packet[7]!) === 0
			if (first && n > 500) numbers.push(packet[28]! + packet[29]! * 256)
		} catch {
			return
		}
	}
}

number = 0
let takenAtOnce = 0
for (let batch = 0; batch < BATCHES; batch++) {
	prepare(THEIR, batch % 2)
	for (let done = 0, first = true; done < slots.length; first = false) {
		const n = udp.sendBatch(slots, done, slots.length - done)
		if (first) takenAtOnce += n
		done += n
		if (n > 0) continue
		await turn()
		readTun()
	}
}
while (numbers.length < BATCHES * slots.length) {
	await turn()
	readTun()
}
const counted = counters(udp)
const whole = numbers.splice(0)
run('tc qdisc replace dev cg0 root tbf rate 20mbit burst 4kb limit 4kb')
prepare(THEIR, 1)
for (let done = 0; done < slots.length;) done += udp.sendBatch(slots, done, slots.length - done)
await turn()
const crowded = counters(udp)
// With it goes what still waits in it.
run('tc qdisc del dev cg0 root')
readTun()
const passed = numbers.splice(0).length
run('ip link set cg0 mtu 800')
const narrow = await troubled(THEIR, 64)
readTun()
const observed: Observed = {
	down, forbidden, unroutable, crowded, passed, takenAtOnce, counted, numbers: whole,
	narrow, pieces: numbers.length,
}
console.log(JSON.stringify(observed))
udp.close()
closeSync(tun)
