// Small machines for the tests of the world itself: a source, a sink, an echo.

import { writeU32 } from '../../src/base/bytes.ts'
import type { Slot } from '../../src/base/slots.ts'
import { NEVER, type Nanos } from '../../src/base/time.ts'
import type { Node } from './world.ts'

/** Sends count packets of n bytes, numbered in their first 4 bytes, one each interval. */
export class Source implements Node {
	sent = 0
	received = 0
	readonly #count: number
	readonly #n: number
	readonly #interval: Nanos
	readonly #to: { address: number, port: number }
	#due: Nanos

	constructor(
		to: { address: number, port: number }, count: number, n: number, interval: Nanos, start = 0,
	) {
		this.#to = to
		this.#count = count
		this.#n = n
		this.#interval = interval
		this.#due = start
	}

	receive(): undefined {
		this.received++
	}

	transmit(out: Slot, now: Nanos): boolean {
		if (this.sent === this.#count || now < this.#due) return false
		out.bytes.fill(0, 0, this.#n)
		writeU32(out.bytes, 0, this.sent++)
		out.length = this.#n
		out.address = this.#to.address
		out.port = this.#to.port
		this.#due += this.#interval
		return true
	}

	wakeAt(): Nanos {
		return this.sent === this.#count ? NEVER : this.#due
	}

	wake(): void {}
}

/** Keeps what arrives: number, time and length of each packet, and where it came from last. */
export class Sink implements Node {
	readonly numbers: number[] = []
	readonly times: Nanos[] = []
	bytes = 0
	fromAddress = 0
	fromPort = 0
	local = 0

	receive(packet: Slot, now: Nanos): string | undefined {
		if (packet.length < 4) return 'length'
		const p = packet.bytes
		this.numbers.push(p[0]! + 256 * p[1]! + 65536 * p[2]!)
		this.times.push(now)
		this.bytes += packet.length
		this.fromAddress = packet.address
		this.fromPort = packet.port
		this.local = packet.local
		return undefined
	}

	transmit(): boolean {
		return false
	}

	wakeAt(): Nanos {
		return NEVER
	}

	wake(): void {}
}

/** Sends every packet back to where it came from, from where it arrived. */
export class Echo implements Node {
	readonly #waiting: { bytes: Uint8Array, address: number, port: number, local: number }[] = []

	receive(packet: Slot): undefined {
		this.#waiting.push({
			bytes: packet.bytes.slice(0, packet.length),
			address: packet.address,
			port: packet.port,
			local: packet.local,
		})
	}

	transmit(out: Slot): boolean {
		const next = this.#waiting.shift()
		if (next === undefined) return false
		out.bytes.set(next.bytes)
		out.length = next.bytes.length
		out.address = next.address
		out.port = next.port
		out.local = next.local
		return true
	}

	wakeAt(): Nanos {
		return NEVER
	}

	wake(): void {}
}
