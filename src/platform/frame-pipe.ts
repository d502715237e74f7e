// A message handler's side of descriptors 8 and 9: frames of one length byte (in units of 16) and a
// message. It has the form of a socket, so that the same loop drives it. spec: protocol.md 6.1

import net from 'node:net'
import type { Bytes } from '../base/bytes.ts'
import type { Slot } from '../base/slots.ts'
import { MESSAGE_MAX, MESSAGE_MIN as UNIT } from '../wire/packets.ts'
import { Trouble, causeOf } from './trouble.ts'
import type { Udp, UdpCounters, UdpHandlers } from './udp.ts'

const IN = 8
const OUT = 9
/** Bytes that wait here in either direction; more wait with whoever wrote them. */
const WAITING_MAX = 65_536

export class FramePipe implements Udp {
	readonly name = 'frames'
	readonly address = 0
	readonly port = 0
	readonly counters: UdpCounters = new Map()
	readonly notes: readonly string[] = []
	/** Rejects when a descriptor is of no use any more. */
	readonly broken: Promise<never>
	readonly #in: net.Socket
	readonly #out: net.Socket
	#waiting: Bytes = new Uint8Array(0)
	#handlers: UdpHandlers | undefined
	#break: (trouble: Trouble) => void = () => {}

	constructor() {
		this.#in = openPipe(IN, 'read from')
		this.#out = openPipe(OUT, 'write')
		this.broken = new Promise((_, reject) => {
			this.#break = reject
		})
		this.broken.catch(() => {})
	}

	listen(handlers: UdpHandlers): void {
		this.#handlers = handlers
		this.#in.on('data', (chunk: Uint8Array) => this.#took(chunk))
		this.#in.on('end', () => this.#refuse('protocol error'))
		this.#in.on('error', (error) => this.#refuse(causeOf(error)))
		this.#out.on('error', (error) =>
			this.#break(new Trouble('write', `descriptor ${OUT}`, causeOf(error))))
	}

	receiveBatch(slots: readonly Slot[], count: number): number {
		let at = 0
		let received = 0
		while (received < count && at < this.#waiting.length) {
			const n = this.#waiting[at]! * UNIT
			if (n === 0 || n > MESSAGE_MAX) {
				this.#refuse('protocol error')
				at = this.#waiting.length
				break
			}
			if (at + 1 + n > this.#waiting.length) break
			const slot = slots[received++]!
			slot.bytes.set(this.#waiting.subarray(at + 1, at + 1 + n))
			slot.length = n
			at += 1 + n
		}
		this.#waiting = this.#waiting.subarray(at)
		if (this.#waiting.length < WAITING_MAX) this.#in.resume()
		return received
	}

	sendBatch(slots: readonly Slot[], from: number, count: number): number {
		if (this.#out.destroyed) return count
		if (this.#out.writableLength > WAITING_MAX) return 0
		this.#out.cork()
		for (let i = from; i < from + count; i++) {
			const { bytes, length } = slots[i]!
			const frame = new Uint8Array(1 + length)
			frame[0] = length / UNIT
			frame.set(bytes.subarray(0, length), 1)
			this.#out.write(frame)
		}
		this.#out.uncork()
		return count
	}

	wakeAfter(): boolean {
		return false
	}

	connect(): void {}

	close(): void {
		this.#in.destroy()
		this.#out.end()
	}

	#took(chunk: Uint8Array): void {
		const before = this.#waiting
		this.#waiting = before.length === 0 ? chunk : Buffer.concat([before, chunk])
		if (this.#waiting.length >= WAITING_MAX) this.#in.pause()
		this.#handlers?.readable()
	}

	#refuse(cause: string): void {
		this.#break(new Trouble('read from', `file descriptor ${IN}`, cause))
	}
}

function openPipe(fd: number, action: string): net.Socket {
	try {
		return new net.Socket({ fd, readable: fd === IN, writable: fd === OUT })
	} catch {
		const cause = 'no pipe; a handler is started by curvecpserver or curvecpclient'
		throw new Trouble(action, `file descriptor ${fd}`, cause)
	}
}
