// The door under a flood: what is served first, who starves and who does not.

import test from 'ava'
import { readU32 } from '../../../src/base/bytes.ts'
import { makeSlot, type Slot } from '../../../src/base/slots.ts'
import { MILLISECOND } from '../../../src/base/time.ts'
import { HelloQueue } from '../../../src/endpoint/hello-queue.ts'
import { makeGenerator, type Generator } from '../../support/generator.ts'

const SEED = 5150

function hello(generator: Generator, address: number): Slot {
	const slot = makeSlot(new Uint8Array(1216))
	generator.fill(slot.bytes, 0, 224)
	slot.length = 224
	slot.address = address
	slot.port = 1024 + generator.below(60_000)
	return slot
}

const keyOf = (slot: Slot): number => readU32(slot.bytes, 40)

test('in peace every Hello is served, whole, with its source', (t) => {
	const generator = makeGenerator(SEED)
	const queue = new HelloQueue(generator)
	for (let i = 0; i < 1000; i++) {
		const slot = hello(generator, generator.below(2 ** 32))
		t.true(queue.push(slot, i))
		const served = queue.shift()!
		t.deepEqual(served.bytes.subarray(0, 224), slot.bytes.subarray(0, 224))
		t.is(served.address, slot.address)
		t.is(served.port, slot.port)
	}
	t.is(queue.shift(), undefined)
})

test('one network may fill the queue while nobody else wants it', (t) => {
	const generator = makeGenerator(SEED)
	const queue = new HelloQueue(generator)
	for (let i = 0; i < 100; i++) t.true(queue.push(hello(generator, 0x0a000001), 0))
	for (let i = 0; i < 100; i++) t.not(queue.shift(), undefined)
	t.is(queue.size, 0)
})

test('one noisy network does not shut the door to the others', (t) => {
	const generator = makeGenerator(SEED)
	const queue = new HelloQueue(generator)
	for (let i = 0; i < 10_000; i++) {
		queue.push(hello(generator, 0x0a000000 + generator.below(256)), 0)
	}
	for (let i = 0; i < 30; i++) queue.push(hello(generator, 0xc0000000 + i * 65536), 1)
	let served = 0
	for (let slot = queue.shift(); slot !== undefined; slot = queue.shift()) {
		if (slot.address >= 0xc0000000) served++
	}
	t.true(served >= 25, `${served} of 30`)
})

/** Under a flood of such Hellos a client asks twice; how long its second took, in milliseconds. */
function askedTwice(flood: (generator: Generator) => Slot): number {
	const generator = makeGenerator(SEED)
	const queue = new HelloQueue(generator)
	const client = hello(generator, 0x0a010203)
	const FLOOD_PER_MS = 100
	const SERVED_PER_MS = 2
	let asked = 0
	for (let ms = 0; ms < 3000; ms++) {
		const now = ms * MILLISECOND
		for (let i = 0; i < FLOOD_PER_MS; i++) queue.push(flood(generator), now)
		if (ms === 300 || ms === 1700) {
			queue.push(client, now)
			asked = ms
		}
		for (let i = 0; i < SERVED_PER_MS; i++) {
			const served = queue.shift()
			if (served !== undefined && keyOf(served) === keyOf(client)) return ms - asked
		}
	}
	return Infinity
}

test(`spoofed Hellos from everywhere: who comes again is served soon (seed ${SEED})`, (t) => {
	const waited = askedTwice((generator) => hello(generator, generator.below(2 ** 32)))
	t.true(waited < 300, `${waited} ms`)
})

test(`one C' from everywhere is nobody who comes again (seed ${SEED})`, (t) => {
	const cheap = hello(makeGenerator(1), 0)
	const waited = askedTwice((generator) => {
		cheap.address = generator.below(2 ** 32)
		return cheap
	})
	t.true(waited < 300, `${waited} ms`)
})

test(`who repeats itself shuts out nobody who comes for the first time (seed ${SEED})`, (t) => {
	const generator = makeGenerator(SEED)
	const queue = new HelloQueue(generator)
	const crowd = Array.from({ length: 2000 }, () => hello(generator, 0x0a000001))
	let served = 0
	for (let ms = 0; ms < 1000; ms++) {
		for (let i = 0; i < 100; i++) queue.push(crowd[generator.below(2000)]!, ms * MILLISECOND)
		const guest = hello(generator, 0xc0000000 + ms * 65536)
		if (ms % 10 === 0) queue.push(guest, ms * MILLISECOND)
		for (let i = 0; i < 2; i++) if (queue.shift()!.address !== 0x0a000001) served++
	}
	t.true(served >= 90, `${served} of 100`)
})
