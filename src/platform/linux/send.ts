// sendmmsg out of the slots themselves. Consecutive slots of one length to one place are one
// message with UDP_SEGMENT (the last may be shorter): the kernel walks its stack once for up to 64
// of them.

import { assert } from '../../base/assert.ts'
import type { Slot } from '../../base/slots.ts'
import { count, type UdpCounters } from '../udp.ts'
import { arena, pointer, type Arena } from './arena.ts'
import { errnoName, libc, type Libc } from './libc.ts'
import * as m from './messages.ts'

const SLOTS = 64
/** Limits of one message with UDP_SEGMENT. */
const SEGMENTS_MAX = 64
const MESSAGE_BYTES_MAX = 65507
/** Messages after which segmentation is tried again where a path refused it. */
const PAUSE = 1000
/** The path's MTU is smaller than a segment, or its device cannot: one by one they may pass. */
const UNSEGMENTED: ReadonlySet<string> = new Set(['EINVAL', 'EIO', 'EMSGSIZE', 'EOPNOTSUPP'])
const MSG_DONTWAIT = 0x40

/** Nothing stays in it between two calls: so one is enough for all sockets. */
let shared: m.Messages | undefined

function messages(): m.Messages {
	shared ??= m.makeMessages(SLOTS, 0)
	assert(shared !== undefined, 'the arena has room for what is taken first')
	return shared
}

export class Send {
	readonly #arena: Arena = arena()
	readonly #libc: Libc = libc()
	readonly #messages = messages()
	readonly #fd: number
	readonly #counters: UdpCounters
	/** Whether the kernel knows UDP_SEGMENT; and for how many messages we do without it. */
	readonly #segments: boolean
	#pause = 0
	/** Connected: the kernel has the address already. */
	named = true
	/** Called with the errno name of an ICMP error that a send reports. */
	readonly #refused: (name: string) => void

	constructor(
		fd: number, counters: UdpCounters, segments: boolean, refused: (name: string) => void,
	) {
		this.#fd = fd
		this.#counters = counters
		this.#segments = segments
		this.#refused = refused
		for (let i = 0; i < SLOTS; i++) {
			this.#prepareControl((this.#messages.controls + m.CONTROL_SPACE * i) >> 2)
		}
	}

	/** Source address, then segment length; the fixed parts. */
	#prepareControl(control: number): void {
		const { words } = this.#arena
		words[control] = m.PKTINFO_LENGTH
		words[control + m.CONTROL_LEVEL] = m.IPPROTO_IP
		words[control + m.CONTROL_TYPE] = m.IP_PKTINFO
		const segment = control + (m.PKTINFO_SPACE >> 2)
		words[segment] = m.SEGMENT_LENGTH
		words[segment + m.CONTROL_LEVEL] = m.SOL_UDP
		words[segment + m.CONTROL_TYPE] = m.UDP_SEGMENT
	}

	/** See Udp.sendBatch. */
	batch(slots: readonly Slot[], from: number, n: number): number {
		let done = 0
		while (done < n) {
			const part = Math.min(SLOTS, n - done)
			const sent = this.#part(slots, from + done, part)
			done += sent
			if (sent < part) break
		}
		return done
	}

	#part(slots: readonly Slot[], from: number, n: number): number {
		const { address, words } = this.#arena
		const { headers } = this.#messages
		let done = 0
		let retried = false
		while (done < n) {
			const messages = this.#write(slots, from + done, n - done)
			const sent = this.#libc.sendmmsg(this.#fd, address + headers, messages, MSG_DONTWAIT)
			for (let i = 0; i < sent; i++) {
				done += words[(headers >> 2) + i * m.MESSAGE_WORDS + m.IOVEC_COUNT]!
			}
			if (sent > 0) continue
			const name = errnoName(this.#libc.errno())
			if (name === 'EAGAIN' || name === 'EINTR') break
			if (!retried && (name === 'ECONNREFUSED' || name === 'EHOSTUNREACH')) {
				// The answer to an earlier datagram; this one was not sent yet.
				retried = true
				this.#refused(name)
				continue
			}
			retried = false
			const run = words[(headers >> 2) + m.IOVEC_COUNT]!
			if (run > 1 && UNSEGMENTED.has(name)) {
				count(this.#counters, `segments ${name}`)
				this.#pause = PAUSE
				continue
			}
			count(this.#counters, name, run)
			done += run
		}
		return done
	}

	/** Describes slots[from, from + n) as messages; returns how many. */
	#write(slots: readonly Slot[], from: number, n: number): number {
		const segments = this.#segments && this.#pause === 0
		let messages = 0
		for (let i = 0; i < n; messages++) {
			const run = segments ? runLength(slots, from + i, n - i) : 1
			this.#writeMessage(messages, slots, from + i, i, run)
			i += run
		}
		if (this.#pause > 0) this.#pause = Math.max(0, this.#pause - messages)
		return messages
	}

	#writeMessage(
		index: number, slots: readonly Slot[], from: number, iovecIndex: number, run: number,
	): void {
		const { address, words } = this.#arena
		const { headers, iovecs, names, controls } = this.#messages
		const header = (headers >> 2) + index * m.MESSAGE_WORDS
		const slot = slots[from]!
		for (let k = 0; k < run; k++) {
			const piece = slots[from + k]!
			const iovec = (iovecs >> 2) + (iovecIndex + k) * m.IOVEC_WORDS
			m.writeAddress(iovec, pointer(piece.bytes, 0))
			words[iovec + m.IOVEC_LENGTH] = piece.length
		}
		m.writeAddress(header + m.IOVEC, address + iovecs + 16 * iovecIndex)
		words[header + m.IOVEC_COUNT] = run
		words[header + m.NAME_BYTES] = this.named ? m.NAME_SIZE : 0
		if (this.named) {
			const name = (names + m.NAME_SIZE * index) >> 2
			const port = slot.port
			words[name] = m.AF_INET | ((port >>> 8) << 16) | ((port & 255) << 24)
			words[name + 1] = swap(slot.address)
		}
		this.#writeControl(header, controls + m.CONTROL_SPACE * index, slot, run)
	}

	#writeControl(header: number, control: number, slot: Slot, run: number): void {
		const { address, words } = this.#arena
		const pinned = slot.local !== 0
		const skipped = pinned ? 0 : m.PKTINFO_SPACE
		if (pinned) words[(control >> 2) + m.PKTINFO_LOCAL] = swap(slot.local)
		if (run > 1) words[((control + m.PKTINFO_SPACE) >> 2) + m.CONTROL_DATA] = slot.length
		words[header + m.CONTROL_BYTES] =
			(run > 1 ? m.PKTINFO_SPACE + m.SEGMENT_SPACE : m.PKTINFO_SPACE) - skipped
		m.writeAddress(header + m.CONTROL, address + control + skipped)
	}
}

/** Slots from there on that may be one message. */
function runLength(slots: readonly Slot[], from: number, n: number): number {
	const { address, port, local, length } = slots[from]!
	if (length === 0) return 1
	const max = Math.min(n, SEGMENTS_MAX, Math.floor(MESSAGE_BYTES_MAX / length))
	let run = 1
	while (run < max) {
		const next = slots[from + run]!
		if (next.address !== address || next.port !== port || next.local !== local) break
		if (next.length > length || next.length === 0) break
		run++
		if (next.length < length) break
	}
	return run
}

function swap(n: number): number {
	return (n >>> 24) | ((n >>> 8) & 0xff00) | ((n & 0xff00) << 8) | (n << 24)
}
