// One suite for both platforms: what the loop relies on.

import test from 'ava'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { makeSlot, type Slot } from '../../../src/base/slots.ts'
import { openLinuxUdp } from '../../../src/platform/linux/udp.ts'
import { openPortableUdp } from '../../../src/platform/portable/udp.ts'
import { Trouble } from '../../../src/platform/trouble.ts'
import { addressOf, addressText, type Udp, type UdpOptions } from '../../../src/platform/udp.ts'

const LOOPBACK = 0x7f000001
const SLOT_BYTES = 1280

interface Platform {
	readonly name: string
	open(options: UdpOptions): Promise<Udp>
}

const PLATFORMS: Platform[] = [
	{ name: 'portable', open: openPortableUdp },
	{ name: 'linux', open: async (options) => openLinuxUdp(options) },
]

function options(address: number, answerFromAsked: boolean, port = 0): UdpOptions {
	return { address, port, answerFromAsked, receiveBufferBytes: 200_000, sendBufferBytes: 200_000 }
}

function makeSlots(n: number): Slot[] {
	const block = new Uint8Array(n * SLOT_BYTES)
	return Array.from({ length: n }, (_, i) =>
		makeSlot(block.subarray(i * SLOT_BYTES, (i + 1) * SLOT_BYTES)))
}

/** Collects what arrives until enough did; re-arms as the loop would. */
class Collector {
	readonly got: { text: string; address: number; port: number; local: number; n: number }[] = []
	readonly unreachable: { address: number; port: number }[] = []
	#wanted = 0
	#done: (() => void) | undefined

	constructor(udp: Udp, batch = 64) {
		const slots = makeSlots(batch)
		udp.listen({
			readable: () => {
				for (let n = batch; n === batch;) {
					n = udp.receiveBatch(slots, batch)
					for (const slot of slots.slice(0, n)) {
						const text = Buffer.from(slot.bytes.subarray(0, slot.length)).toString('latin1')
						const { address, port, local } = slot
						this.got.push({ text, address, port, local, n })
					}
				}
				this.#check()
			},
			unreachable: (address, port) => {
				this.unreachable.push({ address, port })
				this.#check()
			},
		})
	}

	#check(): void {
		if (this.got.length + this.unreachable.length >= this.#wanted) this.#done?.()
	}

	async until(wanted: number): Promise<void> {
		this.#wanted = wanted
		if (this.got.length + this.unreachable.length >= wanted) return
		await new Promise<void>((resolve) => { this.#done = resolve })
	}
}

function fillSlot(slot: Slot, text: string, address: number, port: number, local = 0): Slot {
	slot.bytes.set(Buffer.from(text, 'latin1'))
	slot.length = text.length
	slot.address = address
	slot.port = port
	slot.local = local
	return slot
}

async function peer(address = '127.0.0.1'): Promise<dgram.Socket> {
	const socket = dgram.createSocket('udp4')
	socket.bind(0, address)
	await once(socket, 'listening')
	return socket
}

test('addresses are numbers, first octet highest, both ways, and nothing else is one', (t) => {
	for (const text of ['0.0.0.0', '127.0.0.1', '192.0.2.255', '255.255.255.255']) {
		t.is(addressText(addressOf(text) ?? -1), text)
	}
	t.is(addressOf('1.2.3.4'), 0x01020304)
	const wrong = ['', '1', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4',
		'1..2.3', '1.2.3.4 ', '::1', '1.2.3.']
	for (const text of wrong) {
		t.is(addressOf(text), undefined, text)
	}
})

for (const platform of PLATFORMS) {
	const title = (text: string): string => `${platform.name}: ${text}`

	test(title('a datagram arrives with its source, and the answer goes back'), async (t) => {
		const udp = await platform.open(options(0, true))
		const collector = new Collector(udp)
		const other = await peer()
		other.send('hello', udp.port, '127.0.0.1')
		await collector.until(1)
		const [got] = collector.got
		t.is(got?.text, 'hello')
		t.is(got?.address, LOOPBACK)
		t.is(got?.port, other.address().port)
		t.is(got?.local, LOOPBACK)
		const answer = once(other, 'message')
		const slots = [fillSlot(makeSlots(1)[0]!, 'answer', LOOPBACK, other.address().port, got?.local)]
		t.is(udp.sendBatch(slots, 0, 1), 1)
		const [data, from] = await answer
		t.is(String(data), 'answer')
		t.is(from.address, '127.0.0.1')
		t.is(from.port, udp.port)
		other.close()
		udp.close()
	})

	test(title('without answerFromAsked local is 0'), async (t) => {
		const udp = await platform.open(options(0, false))
		const collector = new Collector(udp)
		const other = await peer()
		other.send('', udp.port, '127.0.0.1')
		await collector.until(1)
		t.is(collector.got[0]?.local, 0)
		t.is(collector.got[0]?.text, '')
		other.close()
		udp.close()
	})

	test(title('batches of every length from 1 to 1,184 arrive whole and in order'), async (t) => {
		const a = await platform.open(options(LOOPBACK, false))
		const b = await platform.open(options(LOOPBACK, true))
		const collector = new Collector(b, 16)
		const slots = makeSlots(64)
		const sent: string[] = []
		for (let n = 1; n <= 1184; n += 64) {
			const count = Math.min(64, 1185 - n)
			for (let i = 0; i < count; i++) {
				const text = String.fromCharCode(97 + ((n + i) % 26)).repeat(n + i)
				sent.push(text)
				fillSlot(slots[i]!, text, LOOPBACK, b.port)
			}
			t.is(a.sendBatch(slots, 0, count), count)
			await collector.until(sent.length)
		}
		t.deepEqual(collector.got.map((one) => one.text), sent)
		a.close()
		b.close()
	})

	test(title('sendBatch begins where it is told'), async (t) => {
		const a = await platform.open(options(LOOPBACK, false))
		const b = await platform.open(options(LOOPBACK, false))
		const collector = new Collector(b)
		const slots = makeSlots(4)
		slots.forEach((slot, i) => fillSlot(slot, `packet ${i}`, LOOPBACK, b.port))
		t.is(a.sendBatch(slots, 2, 2), 2)
		await collector.until(2)
		t.deepEqual(collector.got.map((one) => one.text), ['packet 2', 'packet 3'])
		a.close()
		b.close()
	})

	test(title('a datagram larger than its slot is counted, the next arrives'), async (t) => {
		const udp = await platform.open(options(LOOPBACK, true))
		const collector = new Collector(udp)
		const other = await peer()
		other.send(new Uint8Array(SLOT_BYTES + 1), udp.port, '127.0.0.1')
		other.send(new Uint8Array(SLOT_BYTES), udp.port, '127.0.0.1')
		await collector.until(1)
		t.is(collector.got[0]?.text.length, SLOT_BYTES)
		t.is(udp.counters.get('truncated'), 1)
		other.close()
		udp.close()
	})

	test(title('a port that is taken is Trouble'), async (t) => {
		const udp = await platform.open(options(LOOPBACK, true))
		const refused = (address: number, port: number, message: RegExp): Promise<unknown> =>
			t.throwsAsync(async () => platform.open(options(address, true, port)), {
				instanceOf: Trouble, message,
			})
		await refused(LOOPBACK, udp.port, /address in use/)
		await refused(0, udp.port, /address in use/)
		await refused(0xc0000201, 0, /192\.0\.2\.1/)
		udp.close()
	})

	test(title('what cannot be sent is counted by name, and the rest goes out'), async (t) => {
		const a = await platform.open(options(LOOPBACK, false))
		const b = await platform.open(options(LOOPBACK, false))
		const collector = new Collector(b)
		const slots = makeSlots(4)
		fillSlot(slots[0]!, 'x', 0xffffffff, 9)
		fillSlot(slots[1]!, 'one', LOOPBACK, b.port)
		fillSlot(slots[2]!, 'x', LOOPBACK, 0)
		fillSlot(slots[3]!, 'two', LOOPBACK, b.port)
		t.is(a.sendBatch(slots, 0, 4), 4)
		await collector.until(2)
		t.deepEqual(collector.got.map((one) => one.text), ['one', 'two'])
		t.is(a.counters.get('EACCES'), 1)
		t.is(a.counters.get('EINVAL'), 1)
		a.close()
		b.close()
	})

	test(title('connected: strangers are not heard, a closed port is unreachable'), async (t) => {
		const udp = await platform.open(options(LOOPBACK, false))
		const collector = new Collector(udp)
		const friend = await peer()
		const stranger = await peer()
		// Nobody else can get this port meanwhile, and whoever is not port 9 is told that it is closed.
		const closed = await peer()
		const closedPort = closed.address().port
		closed.connect(9, '127.0.0.1')
		await once(closed, 'connect')
		udp.connect(LOOPBACK, friend.address().port)
		stranger.send('stranger', udp.port, '127.0.0.1')
		friend.send('friend', udp.port, '127.0.0.1')
		await collector.until(1)
		t.deepEqual(collector.got.map((one) => one.text), ['friend'])
		udp.connect(LOOPBACK, closedPort)
		udp.sendBatch([fillSlot(makeSlots(1)[0]!, 'anybody?', LOOPBACK, closedPort)], 0, 1)
		await collector.until(2)
		t.deepEqual(collector.unreachable, [{ address: LOOPBACK, port: closedPort }])
		udp.connect(0, 0)
		stranger.send('again', udp.port, '127.0.0.1')
		await collector.until(3)
		t.is(collector.got[1]?.text, 'again')
		for (const socket of [friend, stranger, closed]) socket.close()
		udp.close()
	})

	test(title('after close every call is harmless'), async (t) => {
		const udp = await platform.open(options(0, true))
		const slots = makeSlots(2)
		udp.close()
		udp.close()
		t.is(udp.receiveBatch(slots, 2), 0)
		t.is(udp.sendBatch(slots, 0, 2), 2)
		udp.connect(LOOPBACK, 9)
		const again = await platform.open(options(0, true, udp.port))
		t.is(again.port, udp.port)
		again.close()
	})
}
