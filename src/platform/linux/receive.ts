// recvmmsg into buffers of our own, 64 KiB each, because with UDP_GRO the kernel hands over up to
// 64 datagrams of one sender as one; they are copied apart into slots (40 ns each, where a datagram
// of its own costs the kernel some 600). A socket borrows a set of buffers while it has something
// in it; so that many idle sockets cost nothing.

import { readU32BE } from '../../base/bytes.ts'
import type { Slot } from '../../base/slots.ts'
import { count, type UdpCounters } from '../udp.ts'
import { arena, type Arena } from './arena.ts'
import { libc, type Libc } from './libc.ts'
import * as m from './messages.ts'

const MESSAGES = 16
const BUFFER_BYTES = 65536
/** Where messages hold many datagrams each, more of them are only cold memory. */
const MESSAGES_FULL = 2
const FULL_DATAGRAMS = 16
const MSG_DONTWAIT = 0x40

/** Sets that no socket has anything in. */
const spare: m.Messages[] = []

function borrow(): m.Messages | undefined {
	const set = spare.pop()
	if (set !== undefined) return set
	const made = m.makeMessages(MESSAGES, BUFFER_BYTES)
	if (made === undefined) return undefined
	const { address, words } = arena()
	for (let i = 0; i < MESSAGES; i++) {
		words[(made.headers >> 2) + i * m.MESSAGE_WORDS + m.IOVEC_COUNT] = 1
		const iovec = (made.iovecs >> 2) + i * m.IOVEC_WORDS
		m.writeAddress(iovec, address + made.buffers + BUFFER_BYTES * i)
		words[iovec + m.IOVEC_LENGTH] = BUFFER_BYTES
	}
	return made
}

export class Receive {
	readonly #arena: Arena = arena()
	readonly #libc: Libc = libc()
	readonly #fd: number
	readonly #counters: UdpCounters
	readonly #namesLocal: boolean
	#set: m.Messages | undefined
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
	/** Messages to ask for. */
	#ask = MESSAGES

	constructor(fd: number, counters: UdpCounters, namesLocal: boolean) {
		this.#fd = fd
		this.#counters = counters
		this.#namesLocal = namesLocal
	}

	/** Fills slots as far as there is something; -1: the call failed, errno says why. */
	batch(slots: readonly Slot[], max: number): number {
		// When all memory is lent out, others will have given theirs back by the next call.
		const set = this.#set ??= borrow()
		if (set === undefined) return 0
		let n = 0
		let failed = false
		this.#drained = false
		while (n < max) {
			if (this.#at < this.#got) {
				if (this.#take(set, slots[n]!)) n++
			} else {
				if (this.#drained) break
				failed = !this.#call(set)
			}
		}
		if (this.#at === this.#got) this.#giveBack()
		return failed && n === 0 ? -1 : n
	}

	#giveBack(): void {
		if (this.#set !== undefined) spare.push(this.#set)
		this.#set = undefined
		this.#at = 0
		this.#got = 0
	}

	#call(set: m.Messages): boolean {
		const { address, words } = this.#arena
		const ask = this.#ask
		for (let i = 0; i < ask; i++) {
			// The kernel writes its lengths over ours.
			const header = (set.headers >> 2) + i * m.MESSAGE_WORDS
			words[header + m.NAME_BYTES] = m.NAME_SIZE
			words[header + m.CONTROL_BYTES] = m.CONTROL_SPACE
		}
		const got = this.#libc.recvmmsg(this.#fd, address + set.headers, ask, MSG_DONTWAIT, 0)
		this.#at = 0
		this.#got = Math.max(got, 0)
		this.#drained = got < ask
		if (got > 0) this.#open(set)
		this.#ask = this.#bytes > FULL_DATAGRAMS * this.#segment ? MESSAGES_FULL : MESSAGES
		return got >= 0
	}

	/** Reads what the kernel says of message #at. */
	#open(set: m.Messages): void {
		const { words } = this.#arena
		const header = (set.headers >> 2) + this.#at * m.MESSAGE_WORDS
		this.#bytes = words[header + m.DATA_BYTES]!
		this.#segment = this.#bytes
		this.#local = 0
		this.#offset = 0
		let control = (set.controls + m.CONTROL_SPACE * this.#at) >> 2
		const end = control + (words[header + m.CONTROL_BYTES]! >> 2)
		while (control + m.CONTROL_DATA < end) {
			const level = words[control + m.CONTROL_LEVEL]!
			const type = words[control + m.CONTROL_TYPE]!
			if (level === m.SOL_UDP && type === m.UDP_GRO) {
				this.#segment = words[control + m.CONTROL_DATA]!
			} else if (level === m.IPPROTO_IP && type === m.IP_PKTINFO && this.#namesLocal) {
				this.#local = readU32BE(this.#arena.bytes, (control + m.PKTINFO_LOCAL) << 2)
			}
			control += (words[control]! + 7) >> 3 << 1
		}
	}

	/** Copies the next datagram of message #at; false: it was too large. */
	#take(set: m.Messages, slot: Slot): boolean {
		const { bytes } = this.#arena
		const n = Math.min(this.#segment, this.#bytes - this.#offset)
		const from = set.buffers + BUFFER_BYTES * this.#at + this.#offset
		const name = set.names + m.NAME_SIZE * this.#at
		const fits = n <= slot.bytes.length
		if (fits) {
			const to = slot.bytes
			if (to.buffer === bytes.buffer) bytes.copyWithin(to.byteOffset, from, from + n)
			else to.set(bytes.subarray(from, from + n))
			slot.length = n
			slot.address = readU32BE(bytes, name + 4)
			slot.port = bytes[name + 2]! * 256 + bytes[name + 3]!
			slot.local = this.#local
		} else count(this.#counters, 'truncated')
		this.#offset += n
		if (this.#offset >= this.#bytes) {
			this.#at++
			if (this.#at < this.#got) this.#open(set)
		}
		return fits
	}

	close(): void {
		this.#giveBack()
	}
}
