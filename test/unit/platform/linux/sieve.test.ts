// The sieve in the kernel, on a real socket: no packet that may be a server's is lost to it, and of
// Hellos those pass whose source stands in the window.

import { makeSlot, type Slot } from '../../../../src/base/slots.ts'
import { lets, PLACES, type Sieve } from '../../../../src/endpoint/sieve.ts'
import { allocate } from '../../../../src/platform/linux/arena.ts'
import { openLinuxUdp } from '../../../../src/platform/linux/udp.ts'
import type { Udp } from '../../../../src/platform/udp.ts'
import { classifyToServer } from '../../../../src/wire/classify.ts'
import { CLIENT_MAGIC, KIND_HELLO } from '../../../../src/wire/packets.ts'
import { makeGenerator } from '../../../support/generator.ts'
import { needs } from '../../../support/needs.ts'

const LOOPBACK = 0x7f000001
const SLOT_BYTES = 1280
const SLOTS = 64
const SEED = 51_0003

const check = needs('linux')

const sieve = (from: number, width: number): Sieve =>
	({ from, width, ofAddress: 0x9e3779b1 | 0, ofPort: 0x85ebca77 | 0 })

interface Ends { readonly from: Udp, readonly to: Udp, readonly slots: readonly Slot[] }

function open(): Ends {
	const [from, to] = [0, LOOPBACK].map((address) => openLinuxUdp({
		address, port: 0, answerFromAsked: true,
		receiveBufferBytes: 1_000_000, sendBufferBytes: 1_000_000,
	}))
	const block = allocate(SLOTS * SLOT_BYTES)
	const slots = Array.from({ length: SLOTS }, (_, i) =>
		makeSlot(block.subarray(i * SLOT_BYTES, (i + 1) * SLOT_BYTES)))
	return { from: from!, to: to!, slots }
}

function close({ from, to }: Ends): void {
	from.close()
	to.close()
}

/** Sends one datagram; whether it arrived. */
function passes({ from, to, slots }: Ends, bytes: Uint8Array, local = LOOPBACK): boolean {
	const slot = slots[0]!
	slot.bytes.set(bytes)
	Object.assign(slot, { length: bytes.length, address: LOOPBACK, port: to.port, local })
	if (from.sendBatch(slots, 0, 1) !== 1) throw new Error('not sent')
	return to.receiveBatch(slots, SLOTS) === 1
}

check('whatever the gate takes passes; what has no magic does not, and is counted', (t) => {
	const ends = open()
	ends.to.sift!(sieve(0, PLACES))
	const generator = makeGenerator(SEED)
	let refused = 0
	for (let length = 0; length <= SLOT_BYTES; length++) {
		const bytes = new Uint8Array(length)
		for (let kind = 0; kind < 4; kind++) {
			generator.fill(bytes, 0, length)
			if (kind < 3) bytes.set([...CLIENT_MAGIC, KIND_HELLO + [0, 1, 5][kind]!].slice(0, length))
			const verdict = classifyToServer(bytes, length)
			const passed = passes(ends, bytes)
			if (['hello', 'initiate', 'clientMessage'].includes(verdict)) t.true(passed, `${length}`)
			if (kind === 3 || length < 8) t.false(passed, `${length} bytes of chance`)
			if (!passed) refused++
		}
	}
	t.is(ends.to.counters.get('sieved'), refused)
	t.is(ends.to.counters.get('overrun'), undefined)
	close(ends)
})

check(`of Hellos those pass whose source is in the window (seed ${SEED})`, (t) => {
	const ends = open()
	const generator = makeGenerator(SEED)
	const hello = new Uint8Array(224)
	hello.set([...CLIENT_MAGIC, KIND_HELLO])
	let passed = 0
	for (let i = 0; i < 2000; i++) {
		const window = sieve(generator.below(PLACES), 1 + generator.below(PLACES))
		ends.to.sift!(window)
		const source = LOOPBACK + 1 + generator.below(0xfffff0)
		const wanted = lets(window, source, ends.from.port)
		t.is(passes(ends, hello, source), wanted)
		if (wanted) passed++
	}
	t.true(passed > 800 && passed < 1200, `${passed}`)
	close(ends)
})

check('a train of established traffic passes whole, and without a sieve everything does', (t) => {
	const ends = open()
	const { from, to, slots } = ends
	to.sift!(sieve(0, 1))
	for (const slot of slots) {
		slot.bytes.set([...CLIENT_MAGIC, KIND_HELLO + 5])
		Object.assign(slot, { length: 1184, address: LOOPBACK, port: to.port, local: 0 })
	}
	t.is(from.sendBatch(slots, 0, SLOTS), SLOTS)
	t.is(to.receiveBatch(slots, SLOTS), SLOTS)
	t.false(passes(ends, new Uint8Array(100)))
	to.sift!(undefined)
	t.true(passes(ends, new Uint8Array(100)))
	t.is(to.counters.get('sieved'), 1)
	t.is(to.counters.get('overrun'), undefined)
	close(ends)
})
