// recvmmsg into buffers of our own, 64 KiB each, because with UDP_GRO the kernel hands over up to
// 64 datagrams of one sender as one; they are copied apart into slots (40 ns each, where a datagram
// of its own costs the kernel some 600).

import { readU32BE } from '../../base/bytes.ts'
import type { Slot } from '../../base/slots.ts'
import { count, type UdpCounters } from '../udp.ts'
import { arena, type Arena } from './arena.ts'
import { libc, type Libc } from './libc.ts'
import * as m from './messages.ts'

const MESSAGES = 16
const BUFFER_BYTES = 65536
const MSG_DONTWAIT = 0x40

export class Receive {
	readonly #arena: Arena = arena()
	readonly #libc: Libc = libc()
	readonly #messages = m.makeMessages(MESSAGES, MESSAGES, BUFFER_BYTES)
	readonly #fd: number
	readonly #counters: UdpCounters
	readonly #namesLocal: boolean
	/** What the kernel gave last: messages [#at, #got), the first one read up to #offset. */
	#at = 0
	#got = 0
	#offset = 0
	/** Of message #at: bytes, bytes of each datagram in it, and where it came from and to. */
	#bytes = 0
	#segment = 0
	#local = 0
	/** The last call returned less than it could have: nothing more waits. */
	#drained = true

	constructor(fd: number, counters: UdpCounters, namesLocal: boolean) {
		this.#fd = fd
		this.#counters = counters
		this.#namesLocal = namesLocal
		const { address, words } = this.#arena
		const { headers, iovecs, names, controls, buffers } = this.#messages
		for (let i = 0; i < MESSAGES; i++) {
			const header = (headers >> 2) + i * m.MESSAGE_WORDS
			const iovec = iovecs + 16 * i
			words.fill(0, header, header + m.MESSAGE_WORDS)
			m.writeAddress(header + m.NAME, address + names + m.NAME_SIZE * i)
			m.writeAddress(header + m.IOVEC, address + iovec)
			words[header + m.IOVEC_COUNT] = 1
			m.writeAddress(header + m.CONTROL, address + controls + m.CONTROL_SPACE * i)
			m.writeAddress(iovec >> 2, address + buffers + BUFFER_BYTES * i)
			words[(iovec >> 2) + m.IOVEC_LENGTH] = BUFFER_BYTES
			words[(iovec >> 2) + m.IOVEC_LENGTH + 1] = 0
		}
	}

	/** Fills slots as far as there is something; -1: the call failed, errno says why. */
	batch(slots: readonly Slot[], max: number): number {
		let n = 0
		this.#drained = false
		while (n < max) {
			if (this.#at === this.#got) {
				if (this.#drained) break
				if (!this.#call()) return n === 0 ? -1 : n
				continue
			}
			if (this.#take(slots[n]!)) n++
		}
		return n
	}

	#call(): boolean {
		const { address } = this.#arena
		const { headers } = this.#messages
		// The kernel wrote its lengths over ours.
		for (let i = 0; i < this.#got; i++) this.#reset((headers >> 2) + i * m.MESSAGE_WORDS)
		if (this.#got === 0) this.#resetAll()
		const got = this.#libc.recvmmsg(this.#fd, address + headers, MESSAGES, MSG_DONTWAIT, 0)
		this.#at = 0
		this.#got = Math.max(got, 0)
		this.#drained = got < MESSAGES
		if (got > 0) this.#open()
		return got >= 0
	}

	#reset(header: number): void {
		const { words } = this.#arena
		words[header + m.NAME_BYTES] = m.NAME_SIZE
		words[header + m.CONTROL_BYTES] = m.CONTROL_SPACE
	}

	#resetAll(): void {
		for (let i = 0; i < MESSAGES; i++) this.#reset((this.#messages.headers >> 2) + i * m.MESSAGE_WORDS)
	}

	/** Reads what the kernel says of message #at. */
	#open(): void {
		const { words } = this.#arena
		const header = (this.#messages.headers >> 2) + this.#at * m.MESSAGE_WORDS
		this.#bytes = words[header + m.DATA_BYTES]!
		this.#segment = this.#bytes
		this.#local = 0
		this.#offset = 0
		let control = (this.#messages.controls + m.CONTROL_SPACE * this.#at) >> 2
		const end = control + (words[header + m.CONTROL_BYTES]! >> 2)
		while (control + m.CONTROL_DATA < end) {
			const level = words[control + m.CONTROL_LEVEL]!
			const type = words[control + m.CONTROL_TYPE]!
			if (level === m.SOL_UDP && type === m.UDP_GRO) this.#segment = words[control + m.CONTROL_DATA]!
			else if (level === m.IPPROTO_IP && type === m.IP_PKTINFO && this.#namesLocal) {
				this.#local = readU32BE(this.#arena.bytes, (control + m.PKTINFO_LOCAL) << 2)
			}
			control += (words[control]! + 7) >> 3 << 1
		}
	}

	/** Copies the next datagram of message #at; false: it was too large. */
	#take(slot: Slot): boolean {
		const { bytes } = this.#arena
		const n = Math.min(this.#segment, this.#bytes - this.#offset)
		const from = this.#messages.buffers + BUFFER_BYTES * this.#at + this.#offset
		const name = this.#messages.names + m.NAME_SIZE * this.#at
		const fits = n <= slot.bytes.length
		if (fits) {
			if (slot.bytes.buffer === bytes.buffer) bytes.copyWithin(slot.bytes.byteOffset, from, from + n)
			else slot.bytes.set(bytes.subarray(from, from + n))
			slot.length = n
			slot.address = readU32BE(bytes, name + 4)
			slot.port = bytes[name + 2]! * 256 + bytes[name + 3]!
			slot.local = this.#local
		} else count(this.#counters, 'truncated')
		this.#offset += n
		if (this.#offset >= this.#bytes) {
			this.#at++
			if (this.#at < this.#got) this.#open()
		}
		return fits
	}

	close(): void {
		m.freeMessages(this.#messages, MESSAGES)
	}
}
