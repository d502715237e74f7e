// What each call of the platforms costs here: node build/out/test/bench/platform.js
// Sends and receives alternate in one process, bursts below the receive buffer, so that each side's
// own CPU time is seen; a transfer between two processes overlaps them.

import { makeSlot, type Slot } from '../../src/base/slots.ts'
import type { Box } from '../../src/crypto/box.ts'
import { makeTweetnacl } from '../../src/crypto/tweetnacl.ts'
import { openPlatform, type Platform } from '../../src/platform/platform.ts'
import { now } from '../../src/platform/clock.ts'
import type { Udp } from '../../src/platform/udp.ts'
import { nodeAgree } from '../../src/platform/x25519.ts'

const LOOPBACK = 0x7f000001
const BURST = 1024
const SLOT_BYTES = 1280
const BYTES = 1184
const ROUNDS = 200

function median(values: number[]): number {
	return values.sort((a, b) => a - b)[values.length >> 1]!
}

function row(what: string, nanos: number, note = ''): void {
	const each = nanos < 1e4 ? nanos.toFixed(0) : `${(nanos / 1e3).toFixed(1)}k`
	console.log(`| ${what} | ${each} ns | ${note} |`)
}

function timed(calls: number, f: () => void): number {
	for (let i = 0; i < calls / 5; i++) f()
	const rounds: number[] = []
	for (let round = 0; round < 9; round++) {
		const start = now()
		for (let i = 0; i < calls / 9; i++) f()
		rounds.push((now() - start) / Math.floor(calls / 9))
	}
	return median(rounds)
}

function boxes(name: string, box: Box, p: Uint8Array, calls: number): void {
	const key = new Uint8Array(32).fill(1)
	const nonce = new Uint8Array(24).fill(2)
	const theirs = new Uint8Array(32)
	const shared = new Uint8Array(32)
	box.publicOf(theirs, key)
	const seal = timed(calls, () => box.seal(p, 64, 1088, nonce, key))
	row(`${name}: seal 1,088 bytes`, seal, `${(1088e3 / seal).toFixed(0)} MB/s`)
	const both = timed(calls, () => {
		box.seal(p, 64, 1088, nonce, key)
		if (!box.open(p, 64, 1088, nonce, key)) throw new Error('open')
	})
	row(`${name}: open 1,088 bytes`, both - seal, `${(1088e3 / (both - seal)).toFixed(0)} MB/s`)
	row(`${name}: beforenm`, timed(Math.min(calls, 3000), () => {
		box.beforenm(shared, theirs, 0, key)
	}))
}

function makeSlots(platform: Platform, n: number): Slot[] {
	const block = platform.memory.allocate(n * SLOT_BYTES)
	return Array.from({ length: n }, (_, i) =>
		makeSlot(block.subarray(i * SLOT_BYTES, (i + 1) * SLOT_BYTES)))
}

/** Every burst goes to this many ports in turn: 1 lets runs be segmented, more do not. */
async function udp(platform: Platform, ports: number): Promise<void> {
	const open = (): Promise<Udp> => platform.openUdp({
		address: LOOPBACK, port: 0, answerFromAsked: true,
		receiveBufferBytes: 8e6, sendBufferBytes: 4e6,
	})
	const [from, ...to] = await Promise.all(Array.from({ length: 1 + ports }, open))
	const slots = makeSlots(platform, 64)
	const [sends, receives]: [number[], number[]] = [[], []]
	const ready = to.map(() => (): void => {})
	to.forEach((udp, i) => udp.listen({ readable: () => ready[i]!(), unreachable: () => {} }))
	for (let round = 0; round < ROUNDS; round++) {
		let start = now()
		for (let sent = 0; sent < BURST; sent += 64) {
			slots.forEach((slot, i) => {
				const { port } = to[i % ports]!
				Object.assign(slot, { length: BYTES, address: LOOPBACK, port, local: 0 })
			})
			let done = 0
			while (done < 64) done += from!.sendBatch(slots, done, 64 - done)
		}
		sends.push((now() - start) / BURST)
		let got = 0
		let spent = 0
		while (got < BURST) {
			start = now()
			for (const udp of to) {
				let n = 64
				while (n === 64) got += n = udp.receiveBatch(slots, 64)
			}
			// With dgram the work is done between turns of the event loop, and is counted here.
			if (got < BURST) await new Promise((resolve) => setImmediate(resolve))
			spent += now() - start
		}
		receives.push(spent / BURST)
	}
	const kind = ports === 1 ? 'one peer' : `${ports} peers in turn`
	for (const [what, nanos] of [['send', median(sends)], ['receive', median(receives)]] as const) {
		const rate = `${(1e6 / nanos).toFixed(0)},000/s`
		row(`${from!.name}: ${what} ${BYTES} bytes, ${kind}`, nanos, rate)
	}
	for (const udp of [from!, ...to]) {
		if (udp.counters.size > 0) console.log(udp.name, udp.counters)
		udp.close()
	}
}

/** From sendBatch to the datagram in a slot of the other socket, through the event loop. */
async function latency(platform: Platform, gapMs: number): Promise<void> {
	const open = (): Promise<Udp> => platform.openUdp({
		address: LOOPBACK, port: 0, answerFromAsked: true,
		receiveBufferBytes: 1e6, sendBufferBytes: 1e6,
	})
	const [a, b] = [await open(), await open()]
	const [out, into] = makeSlots(platform, 2)
	Object.assign(out!, { length: BYTES, address: LOOPBACK, port: b.port, local: 0 })
	let arrived = (): void => {}
	const readable = (): void => {
		if (b.receiveBatch([into!], 1) === 1) arrived()
		b.receiveBatch([into!], 1)
	}
	b.listen({ readable, unreachable: () => {} })
	const times: number[] = []
	for (let i = 0; i < 1000; i++) {
		if (gapMs > 0) await new Promise((resolve) => setTimeout(resolve, gapMs))
		const came = new Promise<void>((resolve) => {
			arrived = resolve
		})
		const start = now()
		a.sendBatch([out!], 0, 1)
		await came
		times.push(now() - start)
	}
	const middle = median(times)
	const p99 = `p99 ${(times[990]! / 1e3).toFixed(0)} µs`
	row(`${a.name}: until it is here, ${gapMs > 0 ? 'idle' : 'busy'} event loop`, middle, p99)
	a.close()
	b.close()
}

const portable = await openPlatform('portable')
const fast = await openPlatform('auto')
for (const line of fast.notes) console.log(line)
console.log('| call | each | |\n|---|---|---|')
const packet = fast.memory.allocate(SLOT_BYTES)
boxes(fast.box.name, fast.box, packet, 90_000)
if (fast.box.name !== 'tweetnacl') {
	boxes('tweetnacl + node:crypto', makeTweetnacl(nodeAgree()), packet, 9000)
}
for (const platform of fast.name === 'linux' ? [fast, portable] : [portable]) {
	for (const ports of [1, 4]) await udp(platform, ports)
	for (const gapMs of [0, 2]) await latency(platform, gapMs)
}
