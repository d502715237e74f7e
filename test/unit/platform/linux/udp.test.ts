// What only the linux platform does, and the differential test against the portable one.

import dgram from 'node:dgram'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { makeSlot, type Slot } from '../../../../src/base/slots.ts'
import { allocate } from '../../../../src/platform/linux/arena.ts'
import { openLinuxUdp } from '../../../../src/platform/linux/udp.ts'
import { openPortableUdp } from '../../../../src/platform/portable/udp.ts'
import { addressText, type Udp, type UdpOptions } from '../../../../src/platform/udp.ts'
import { makeGenerator } from '../../../support/generator.ts'
import type { Allocations } from '../../../support/count-allocations.ts'
import { needs } from '../../../support/needs.ts'

const LOOPBACK = 0x7f000001
const SLOT_BYTES = 1280
const SEED = 51_0002

const check = needs('linux')

function options(address: number, port = 0): UdpOptions {
	return {
		address, port, answerFromAsked: true, receiveBufferBytes: 1_000_000, sendBufferBytes: 1_000_000,
	}
}

function cut(block: Uint8Array): Slot[] {
	return Array.from({ length: block.length / SLOT_BYTES }, (_, i) =>
		makeSlot(block.subarray(i * SLOT_BYTES, (i + 1) * SLOT_BYTES)))
}

/** Resolves with the texts that arrived, once there are so many. */
async function collect(udp: Udp, wanted: number, batch = 8): Promise<string[]> {
	const slots = cut(new Uint8Array(batch * SLOT_BYTES))
	const got: string[] = []
	await new Promise<void>((resolve) => {
		const readable = (): void => {
			for (let n = slots.length; n === slots.length;) {
				n = udp.receiveBatch(slots, slots.length)
				for (const slot of slots.slice(0, n)) {
					const bytes = Buffer.from(slot.bytes.subarray(0, slot.length)).toString('hex')
					got.push(`${addressText(slot.address)}:${slot.port} ${addressText(slot.local)} ${bytes}`)
				}
			}
			if (got.length >= wanted) resolve()
		}
		udp.listen({ readable, unreachable: () => {} })
		readable()
	})
	return got
}

check('one socket on 0.0.0.0 answers from whichever address was asked', async (t) => {
	const udp = openLinuxUdp(options(0))
	const [slot] = cut(new Uint8Array(SLOT_BYTES))
	const peer = dgram.createSocket('udp4').bind(0)
	await once(peer, 'listening')
	const next = (): Promise<void> => new Promise((resolve) => {
		udp.listen({ readable: resolve, unreachable: () => {} })
	})
	const readable = next()
	peer.send('a', udp.port, '127.0.0.1')
	await readable
	t.is(udp.receiveBatch([slot!], 1), 1)
	for (const asked of ['127.0.0.1', '127.0.0.2', '127.9.8.7']) {
		const again = next()
		peer.send('question', udp.port, asked)
		await again
		t.is(udp.receiveBatch([slot!], 1), 1)
		t.is(addressText(slot!.local), asked)
		const answer = once(peer, 'message')
		udp.sendBatch([slot!], 0, 1)
		const [, from] = await answer
		t.is(from.address, asked)
	}
	peer.close()
	udp.close()
})

check('wakeAfter wakes once, the latest call counts, and none comes after close', async (t) => {
	const udp = openLinuxUdp(options(LOOPBACK))
	let wakes = 0
	let woken = (): void => {}
	const readable = (): void => {
		wakes++
		woken()
	}
	udp.listen({ readable, unreachable: () => {} })
	const wake = (): Promise<void> => new Promise((resolve) => { woken = resolve })
	udp.wakeAfter(3600e9)
	udp.wakeAfter(200e3)
	await wake()
	udp.wakeAfter(0)
	await wake()
	t.is(wakes, 2)
	udp.wakeAfter(50e3)
	udp.close()
	await new Promise((resolve) => setTimeout(resolve, 5))
	t.is(wakes, 2)
})

check('a wake that has come, but was not heard yet, does not eat the next one', async (t) => {
	const udp = openLinuxUdp(options(LOOPBACK))
	let woken = (): void => {}
	udp.listen({ readable: () => woken(), unreachable: () => {} })
	const wake = (): Promise<void> => new Promise((resolve) => { woken = resolve })
	for (let round = 0; round < 20; round++) {
		udp.wakeAfter(1000)
		// The kernel is done with it before the event loop looks.
		const busy = performance.now() + 1
		while (performance.now() < busy) udp.counters.has('x')
		const setAt = performance.now()
		udp.wakeAfter(3e6)
		// The old one may still be told; the new one must be.
		do await wake()
		while (performance.now() - setAt < 3)
	}
	t.pass()
	udp.close()
})

check(`what is sent in runs arrives as when sent one by one (seed ${SEED})`, async (t) => {
	const generator = makeGenerator(SEED)
	const senders = [openLinuxUdp(options(0x7f000003)), await openPortableUdp(options(0x7f000003))]
	for (let round = 0; round < 40; round++) {
		const receivers = [openLinuxUdp(options(0)), await openPortableUdp(options(LOOPBACK))]
		const memory = round % 2 === 0 ? allocate(64 * SLOT_BYTES) : new Uint8Array(64 * SLOT_BYTES)
		const slots = cut(memory)
		const n = 1 + generator.below(64)
		const lengths = [1184, 1184, 112, 1 + generator.below(1280), 0]
		const plan = Array.from({ length: n }, () => generator.below(lengths.length))
		// Long runs, as a transfer makes them, between short ones.
		for (let i = 1; i < n; i++) if (generator.below(4) > 0) plan[i] = plan[i - 1]!
		generator.fill(memory, 0, memory.length)
		const arrived: string[][] = []
		for (const sender of senders) {
			for (const receiver of receivers) {
				slots.forEach((slot, i) => {
					slot.length = lengths[plan[i] ?? 0]!
					slot.address = LOOPBACK
					slot.port = receiver.port
					slot.local = 0x7f000003
				})
				const all = collect(receiver, n)
				for (let done = 0; done < n;) done += sender.sendBatch(slots, done, n - done)
				arrived.push((await all).map((line) => line.replace(`:${sender.port} `, ' ')))
			}
		}
		const expected = slots.slice(0, n).map((slot) =>
			`127.0.0.3 127.0.0.1 ${Buffer.from(slot.bytes.subarray(0, slot.length)).toString('hex')}`)
		for (const lines of arrived) t.deepEqual(lines, expected, `round ${round}`)
		for (const receiver of receivers) receiver.close()
	}
	for (const sender of senders) {
		t.is(sender.counters.size, 0)
		sender.close()
	}
})

check('100 sockets, all in use at once, share what memory there is', async (t) => {
	const sockets = Array.from({ length: 100 }, () => openLinuxUdp(options(LOOPBACK)))
	const from = sockets[0]!
	const slots = cut(allocate(64 * SLOT_BYTES))
	const all = sockets.map(async (udp) => collect(udp, 10, 3))
	for (const udp of sockets) {
		const { port } = udp
		for (const slot of slots) {
			Object.assign(slot, { length: 100, address: LOOPBACK, port, local: 0 })
		}
		t.is(from.sendBatch(slots, 0, 10), 10)
	}
	for (const texts of await Promise.all(all)) t.is(texts.length, 10)
	for (const udp of sockets) udp.close()
})

check('leftovers of a segmented batch come in the next call, without the kernel', (t) => {
	const [a, b] = [openLinuxUdp(options(LOOPBACK)), openLinuxUdp(options(LOOPBACK))]
	const slots = cut(allocate(64 * SLOT_BYTES))
	for (const slot of slots) {
		Object.assign(slot, { length: 1000, address: LOOPBACK, port: b.port, local: 0 })
	}
	t.is(a.sendBatch(slots, 0, 64), 64)
	const got: number[] = []
	for (let n = 5; n === 5;) got.push(n = b.receiveBatch(slots, 5))
	t.deepEqual(got, [...new Array<number>(12).fill(5), 4])
	a.close()
	b.close()
})

check('buffers that the system refuses are said as they are', (t) => {
	const udp = openLinuxUdp({ ...options(LOOPBACK), receiveBufferBytes: 2 ** 31 - 1 })
	t.is(udp.notes.length, 1)
	t.regex(udp.notes[0]!, /^receive buffer \d+ of 2147483647 bytes: raise net\.core\.rmem_max$/)
	udp.close()
})

check('what the receive buffer had no room for is counted', (t) => {
	const a = openLinuxUdp(options(LOOPBACK))
	const b = openLinuxUdp({ ...options(LOOPBACK), receiveBufferBytes: 5000 })
	const slots = cut(allocate(64 * SLOT_BYTES))
	slots.forEach((slot, i) => {
		Object.assign(slot, { length: 500 + i, address: LOOPBACK, port: b.port, local: 0 })
	})
	for (const slot of slots) t.is(a.sendBatch([slot], 0, 1), 1)
	let got = 0
	for (let n = 64; n === 64;) got += n = b.receiveBatch(slots, 64)
	t.true(got < 64)
	t.is(b.counters.get('overrun'), 64 - got)
	a.close()
	b.close()
})

function allocations(mode: string): Allocations {
	const child = 'build/out/test/support/count-allocations.js'
	const args = ['--expose-gc', child, 'linux', mode]
	return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))
}

check('a million packets sealed, sent, received, opened: no garbage', (t) => {
	const { packets, heapBytes, externalBytes, collections } = allocations('batches')
	t.is(packets, 1_000_000)
	// The compiler still works on our code now and then; a packet's smallest object were 16 MB.
	t.true(heapBytes / packets < 6, `${heapBytes} bytes of heap`)
	t.true(externalBytes < 10_000, `${externalBytes} bytes outside of the heap`)
	t.true(collections <= 2, `${collections} collections`)
})

check('each packet alone, with a wake of the event loop: no buffer', (t) => {
	const { packets, wakes, externalBytes, collections } = allocations('rally')
	t.true(wakes >= packets)
	t.true(externalBytes < 10_000, `${externalBytes} bytes outside of the heap`)
	t.true(collections <= packets / 10_000, `${collections} collections`)
})
