// The drain rule over a socket that the test controls.

import test from 'ava'
import { makeSlot, type Slot } from '../../../src/base/slots.ts'
import { MILLISECOND, NEVER, type Nanos } from '../../../src/base/time.ts'
import { now } from '../../../src/platform/clock.ts'
import { Loop, type Machine } from '../../../src/platform/loop.ts'
import { openPortableUdp } from '../../../src/platform/portable/udp.ts'
import type { Udp, UdpHandlers } from '../../../src/platform/udp.ts'

/** Takes `room` datagrams a call, gives what is put into `incoming`. */
class FakeUdp implements Udp {
	readonly name = 'fake'
	readonly address = 0
	readonly port = 1
	readonly counters = new Map<string, number>()
	readonly notes: string[] = []
	readonly incoming: number[] = []
	readonly sent: number[] = []
	handlers: UdpHandlers | undefined
	room = Infinity
	closed = false

	listen(handlers: UdpHandlers): void { this.handlers = handlers }

	receiveBatch(slots: readonly Slot[], count: number): number {
		let n = 0
		for (; n < count && this.incoming.length > 0; n++) {
			slots[n]!.bytes[0] = this.incoming.shift()!
			slots[n]!.length = 1
		}
		return n
	}

	sendBatch(slots: readonly Slot[], from: number, count: number): number {
		const n = Math.min(count, this.room)
		for (let i = from; i < from + n; i++) this.sent.push(slots[i]!.bytes[0]!)
		return n
	}

	wakeAfter(): boolean { return false }
	connect(): void {}
	close(): void { this.closed = true }
}

/** Answers each byte with itself; says 200 at wake. */
class Echo implements Machine {
	readonly queue: number[] = []
	readonly calls: string[] = []
	at: Nanos = NEVER
	last: Nanos = 0

	#seen(now: Nanos): void {
		if (now < this.last) this.calls.push('time went backwards')
		this.last = now
	}

	receive(packet: Slot, now: Nanos): undefined {
		this.#seen(now)
		this.queue.push(packet.bytes[0]!)
	}

	transmit(out: Slot, now: Nanos): boolean {
		this.#seen(now)
		const byte = this.queue.shift()
		if (byte === undefined) return false
		out.bytes[0] = byte
		out.length = 1
		return true
	}

	wakeAt(): Nanos { return this.at }

	wake(now: Nanos): void {
		this.#seen(now)
		this.calls.push(now >= this.at ? 'wake' : 'early')
		this.at = NEVER
		this.queue.push(200)
	}
}

const OPTIONS = { batch: 4, slotBytes: 128, spinNanos: 0, drained: (): void => {} }

async function settled(loop: Loop): Promise<void> {
	for (let before = -1; before !== loop.turns;) {
		before = loop.turns
		await new Promise((resolve) => setImmediate(resolve))
		await new Promise((resolve) => setImmediate(resolve))
	}
}

async function until(condition: () => boolean): Promise<void> {
	while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

/** What one look at the clock takes; packets of the first turn, and turns for all. */
for (const [tick, first, turns] of [[0, 16, 2], [MILLISECOND, 4, 5]] as const) {
	test(`${first} packets are received in a turn, and answered in order`, async (t) => {
		let at = now()
		const clock = (): Nanos => at += tick
		const udp = new FakeUdp()
		const machine = new Echo()
		const loop = new Loop(machine, udp, clock, OPTIONS)
		loop.start()
		await settled(loop)
		const before = loop.turns
		for (let i = 0; i < 18; i++) udp.incoming.push(i)
		udp.handlers?.readable()
		t.is(udp.sent.length, first)
		await settled(loop)
		t.deepEqual(udp.sent, Array.from({ length: 18 }, (_, i) => i))
		t.is(loop.turns - before, turns)
		t.deepEqual(machine.calls, [])
		loop.stop()
		t.true(udp.closed)
	})
}

test('what a full socket did not take is kept and sent later, nothing twice', async (t) => {
	const udp = new FakeUdp()
	const loop = new Loop(new Echo(), udp, now, OPTIONS)
	loop.start()
	udp.room = 3
	udp.incoming.push(1, 2, 3, 4, 5, 6, 7)
	udp.handlers?.readable()
	t.deepEqual(udp.sent, [1, 2, 3])
	await until(() => udp.sent.length === 7)
	t.deepEqual(udp.sent, [1, 2, 3, 4, 5, 6, 7])
	loop.stop()
})

test('an idle loop takes no turns', async (t) => {
	const loop = new Loop(new Echo(), new FakeUdp(), now, { ...OPTIONS, spinNanos: MILLISECOND })
	loop.start()
	await settled(loop)
	const turns = loop.turns
	for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve))
	t.is(loop.turns, turns)
	loop.stop()
})

for (const spinNanos of [0, 10 * MILLISECOND]) {
	test(`the machine is woken when its time has come, not before (spin ${spinNanos})`, async (t) => {
		const udp = new FakeUdp()
		const machine = new Echo()
		const loop = new Loop(machine, udp, now, { ...OPTIONS, spinNanos })
		loop.start()
		for (const delay of [0.3, 1.4, 5, 0.1]) {
			machine.at = now() + delay * MILLISECOND
			udp.incoming.push(1)
			udp.handlers?.readable()
			const calls = machine.calls.length
			await until(() => machine.calls.length > calls)
		}
		t.deepEqual(machine.calls, ['wake', 'wake', 'wake', 'wake'])
		t.is(udp.sent.filter((byte) => byte === 200).length, 4)
		t.is(loop.spins > 0, spinNanos > 0)
		loop.stop()
	})
}

test('a wake that moves nearer is not missed', async (t) => {
	const udp = new FakeUdp()
	const machine = new Echo()
	const loop = new Loop(machine, udp, now, OPTIONS)
	machine.at = now() + 3_600_000 * MILLISECOND
	loop.start()
	await settled(loop)
	machine.at = now() + 2 * MILLISECOND
	loop.poke()
	await until(() => machine.calls.length > 0)
	t.deepEqual(machine.calls, ['wake'])
	loop.stop()
})

test('stop sends what is left, also when called while draining', async (t) => {
	const udp = new FakeUdp()
	const machine = new Echo()
	const loop: Loop = new Loop(machine, udp, now, { ...OPTIONS, drained: () => {
		if (machine.queue.length > 0) loop.stop()
	} })
	loop.start()
	udp.incoming.push(7)
	udp.handlers?.readable()
	t.deepEqual(udp.sent, [7])
	t.true(udp.closed)
	const turns = loop.turns
	loop.poke()
	await settled(loop)
	t.is(loop.turns, turns)
})

test('over real sockets a ball goes back and forth', async (t) => {
	const open = (): Promise<Udp> => openPortableUdp({
		address: 0x7f000001, port: 0, answerFromAsked: true,
		receiveBufferBytes: 100_000, sendBufferBytes: 100_000,
	})
	const [a, b] = [await open(), await open()]
	let bounces = 0
	await new Promise<void>((resolve) => {
		const player = (to: number): Machine => {
			let ball = false
			return {
				receive: (): void => {
					ball = ++bounces < 1000
					if (!ball) resolve()
				},
				transmit: (out): boolean => {
					if (!ball) return false
					ball = false
					Object.assign(out, { length: 100, address: 0x7f000001, port: to, local: 0 })
					return true
				},
				wakeAt: () => NEVER,
				wake: () => {},
			}
		}
		new Loop(player(b.port), a, now, OPTIONS).start()
		new Loop(player(a.port), b, now, OPTIONS).start()
		const ball = makeSlot(new Uint8Array(100))
		a.sendBatch([Object.assign(ball, { length: 100, address: 0x7f000001, port: b.port })], 0, 1)
	})
	t.is(bounces, 1000)
	a.close()
	b.close()
})
