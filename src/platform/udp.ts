// What the program needs of a UDP socket: batches of slots in and out, and a call when there is
// something to take. Pulled, never pushed, so that the slots' owner decides when memory is used.
// portable/udp.ts stands on node:dgram, linux/udp.ts on the system calls; one test suite runs both.

import type { Slot } from '../base/slots.ts'
import type { Nanos } from '../base/time.ts'

export interface UdpOptions {
	/** Our IPv4 address; 0: every one of this machine. */
	readonly address: number
	/** 0: any free one. */
	readonly port: number
	/**
	 * For servers: Slot.local names the address that was asked, and a datagram with it leaves from
	 * there. For clients off: Slot.local is 0, and routing decides, also after a change of network.
	 */
	readonly answerFromAsked: boolean
	/** What to ask the kernel for; what it gave is in Udp.notes when it is less. */
	readonly receiveBufferBytes: number
	readonly sendBufferBytes: number
}

export interface UdpHandlers {
	/**
	 * Datagrams may be waiting. Called once; a receiveBatch that returns less than it was asked
	 * for arms it again.
	 */
	readable(): void
	/**
	 * The network says that nobody answers there (ICMP). A hint, forgeable; not every platform
	 * hears it.
	 */
	unreachable(address: number, port: number): void
}

/**
 * Losses by name, errno names among them: ENOBUFS, EPERM, EMSGSIZE, ENETUNREACH, truncated, overrun
 * …
 */
export type UdpCounters = Map<string, number>

export interface Udp {
	readonly name: string
	/** What we are bound to. */
	readonly address: number
	readonly port: number
	readonly counters: UdpCounters
	/** What a person should know: buffers smaller than asked for, missing kernel features. */
	readonly notes: readonly string[]

	listen(handlers: UdpHandlers): void

	/** Fills slots[0, count) as far as datagrams wait; returns how many. Never throws. */
	receiveBatch(slots: readonly Slot[], count: number): number

	/**
	 * Sends slots[from, from + count); returns how many it is done with: sent, or lost and counted.
	 * Fewer: the socket is full; keep the rest and come again within a millisecond or so. The slots
	 * are free on return. Never throws.
	 */
	sendBatch(slots: readonly Slot[], from: number, count: number): number

	/**
	 * One more call of readable() after this delay, more exact than the event loop's timers (of the
	 * calls the latest counts). False: not here; use a timer.
	 */
	wakeAfter(delay: Nanos): boolean

	/**
	 * Only this peer from now on: cheaper sends, and its ICMP errors are heard. 0: everybody again.
	 */
	connect(address: number, port: number): void

	close(): void
}

export function count(counters: UdpCounters, name: string, n = 1): void {
	counters.set(name, (counters.get(name) ?? 0) + n)
}

/** The dotted form of an address; text is only for people and for node:dgram. */
export function addressText(address: number): string {
	return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`
}

/** Reads what the kernel or addressText wrote; undefined for anything else. */
export function addressOf(text: string): number | undefined {
	let address = 0
	let octet = -1
	let dots = 0
	for (let i = 0; i < text.length; i++) {
		const c = text.charCodeAt(i)
		if (c === 46) {
			if (octet < 0 || ++dots > 3) return undefined
			address = address * 256 + octet
			octet = -1
		} else {
			if (c < 48 || c > 57 || octet === 0) return undefined
			octet = octet < 0 ? c - 48 : octet * 10 + c - 48
			if (octet > 255) return undefined
		}
	}
	return dots === 3 && octet >= 0 ? address * 256 + octet : undefined
}
