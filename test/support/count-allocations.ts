// Moves a million sealed packets between two sockets of the linux platform, in a process of its
// own, and prints what the heap, external memory and the garbage collector had of it: for
// allocation.test.ts. Run with --expose-gc.

import { PerformanceObserver } from 'node:perf_hooks'
import { makeSlot, type Slot } from '../../src/base/slots.ts'
import { NEVER } from '../../src/base/time.ts'
import { now } from '../../src/platform/clock.ts'
import { Loop, type Machine } from '../../src/platform/loop.ts'
import { openPlatform } from '../../src/platform/platform.ts'

const LOOPBACK = 0x7f000001
const PACKET = 1184
const SLOT_BYTES = 1280

export interface Allocations {
	packets: number
	wakes: number
	heapBytes: number
	externalBytes: number
	collections: number
}

const platform = await openPlatform(process.argv[2] === 'portable' ? 'portable' : 'linux')
const mode = process.argv[3] ?? 'batches'
const { box } = platform
const key = new Uint8Array(32).fill(3)
const nonce = new Uint8Array(24).fill(4)
let collections = 0
new PerformanceObserver((list) => {
	collections += list.getEntries().length
}).observe({ entryTypes: ['gc'] })

const options = {
	address: LOOPBACK, port: 0, answerFromAsked: true,
	receiveBufferBytes: 4e6, sendBufferBytes: 4e6,
}
const [a, b] = [await platform.openUdp(options), await platform.openUdp(options)]

function mustOpen(slot: Slot): void {
	if (!box.open(slot.bytes, 96, PACKET - 96, nonce, key)) throw new Error('a box did not open')
}

/** Seals into every slot, sends, receives and opens: the data path of a transfer. */
function batches(packets: number): void {
	for (let done = 0; done < packets; done += slots.length) {
		for (let i = 0; i < slots.length; i++) {
			const slot = slots[i]!
			box.seal(slot.bytes, 96, PACKET - 96, nonce, key)
			slot.length = i % 16 === 15 ? 500 : PACKET
			slot.address = LOOPBACK
			slot.port = b.port
			slot.local = i % 32 < 16 ? LOOPBACK : 0
		}
		for (let sent = 0; sent < slots.length;) sent += a.sendBatch(slots, sent, slots.length - sent)
		for (let got = 0; got < slots.length;) {
			const n = b.receiveBatch(slots, slots.length)
			for (let i = 0; i < n; i++) {
				const slot = slots[i]!
				if (slot.length === PACKET) mustOpen(slot)
			}
			got += n
		}
	}
}

const block = platform.memory.allocate(64 * SLOT_BYTES)
const slots = Array.from({ length: 64 }, (_, i) =>
	makeSlot(block.subarray(i * SLOT_BYTES, (i + 1) * SLOT_BYTES)))

/** Two loops that throw one packet back and forth: a wake of the event loop for each. */
class Player implements Machine {
	readonly #to: number
	#ball = false
	caught = 0
	until = 0
	done: (() => void) | undefined

	constructor(to: number) {
		this.#to = to
	}

	receive(packet: Slot): undefined {
		mustOpen(packet)
		this.#ball = true
		if (++this.caught === this.until) {
			this.#ball = false
			this.done?.()
		}
	}

	transmit(out: Slot): boolean {
		if (!this.#ball) return false
		this.#ball = false
		box.seal(out.bytes, 96, PACKET - 96, nonce, key)
		out.length = PACKET
		out.address = LOOPBACK
		out.port = this.#to
		out.local = 0
		return true
	}

	wakeAt(): number { return NEVER }
	wake(): void {}
	serve(): void { this.#ball = true }
}

const loopOptions = {
	batch: 64, slotBytes: SLOT_BYTES, spinNanos: 0, memory: platform.memory,
	drained: (): void => {},
}
const [left, right] = [new Player(b.port), new Player(a.port)]
const loops = [new Loop(left, a, now, loopOptions), new Loop(right, b, now, loopOptions)]

async function rally(packets: number): Promise<void> {
	right.until = right.caught + packets
	await new Promise<void>((resolve) => {
		right.done = resolve
		left.serve()
		loops[0]!.poke()
	})
}

async function measure(packets: number, run: () => void | Promise<void>): Promise<Allocations> {
	await new Promise((resolve) => setImmediate(resolve))
	globalThis.gc?.()
	await new Promise((resolve) => setTimeout(resolve, 50))
	const before = process.memoryUsage()
	collections = 0
	const turns = loops[0]!.turns + loops[1]!.turns
	await run()
	const after = process.memoryUsage()
	await new Promise((resolve) => setTimeout(resolve, 50))
	return {
		packets,
		wakes: loops[0]!.turns + loops[1]!.turns - turns,
		heapBytes: after.heapUsed - before.heapUsed,
		externalBytes: after.external - before.external,
		collections,
	}
}

/** The least of several: what the compiler still does with our code shows up in the others. */
async function least(packets: number, run: () => void): Promise<Allocations> {
	let best = await measure(packets, run)
	for (let again = 0; again < 4 && best.collections > 0; again++) {
		const other = await measure(packets, run)
		if (other.collections < best.collections) best = other
	}
	return best
}

if (mode === 'batches') {
	batches(200_000)
	console.log(JSON.stringify(await least(1_000_000, () => batches(1_000_000))))
} else {
	for (const loop of loops) loop.start()
	await rally(20_000)
	console.log(JSON.stringify(await measure(100_000, () => rally(50_000))))
}
process.exit()
