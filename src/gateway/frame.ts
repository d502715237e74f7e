// Internet headers in place: offsets of IPv4, IPv6, UDP and ICMP, and the Internet checksum. A
// frame is one IP packet in a fixed piece of memory, with room before it for the longer header of
// IPv6.

import type { Bytes } from '../base/bytes.ts'

// IPv4: 20 bytes without options
export const IPV4_TOS = 1
export const IPV4_LENGTH = 2
export const IPV4_ID = 4
export const IPV4_FRAGMENT = 6
export const IPV4_TTL = 8
export const IPV4_PROTOCOL = 9
export const IPV4_CHECKSUM = 10
export const IPV4_SOURCE = 12
export const IPV4_DESTINATION = 16
export const IPV4_BYTES = 20

export const DONT_FRAGMENT = 0x4000
/** More fragments, or an offset. */
export const FRAGMENT_MASK = 0x3fff
export const OFFSET_MASK = 0x1fff

// IPv6: 40 bytes
export const IPV6_LENGTH = 4
export const IPV6_NEXT = 6
export const IPV6_HOPS = 7
export const IPV6_SOURCE = 8
export const IPV6_DESTINATION = 24
export const IPV6_HEADER_BYTES = 40
export const IPV6_FRAGMENT_HEADER = 44

// UDP: 8 bytes
export const UDP_SOURCE = 0
export const UDP_DESTINATION = 2
export const UDP_LENGTH = 4
export const UDP_CHECKSUM = 6
export const UDP_BYTES = 8

// ICMP errors: 8 bytes, then the quoted packet
export const ICMP_CHECKSUM = 2
export const ICMP_BYTES = 8

export const PROTOCOL_ICMP = 1
export const PROTOCOL_UDP = 17

/** Where a received packet starts in its frame: room for 20 more header bytes, on a cache line. */
export const FRAME_AT = 64
/** A frame holds a packet of an Ethernet's full length. */
export const FRAME_BYTES = FRAME_AT + 1536
/** One that holds a train of them: the longest IP packet. */
export const TRAIN_BYTES = FRAME_AT + 65_536

/** An IPv4 address as a signed integer: such a number is never boxed, wherever it is passed. */
export function readAddress(p: Bytes, at: number): number {
	return (p[at]! << 24) | (p[at + 1]! << 16) | (p[at + 2]! << 8) | p[at + 3]!
}

export interface Frame {
	readonly bytes: Bytes
	/** The same memory as 16-bit words in the machine's own order, which checksums do not mind. */
	readonly halves: Uint16Array
	/** Start of the IP header; even. */
	at: number
	/** Bytes of the IP packet as received; some may be the link's padding. */
	length: number
}

/** A frame in n bytes of memory; byteOffset and n are even. */
export function makeFrame(memory: ArrayBuffer, byteOffset: number, n = FRAME_BYTES): Frame {
	return {
		bytes: new Uint8Array(memory, byteOffset, n),
		halves: new Uint16Array(memory, byteOffset, n / 2),
		at: FRAME_AT,
		length: 0,
	}
}

/**
 * Sum of n bytes from at, an even offset; folded to 16 bits. An odd last byte counts with a zero.
 */
export function sum(frame: Frame, at: number, n: number): number {
	// The byte behind the packet is inside the frame and nobody's.
	if ((n & 1) !== 0) frame.bytes[at + n] = 0
	const halves = frame.halves
	const end = (at + n + 1) >> 1
	let i = at >> 1
	let a = 0
	let b = 0
	for (; i + 3 < end; i += 4) {
		a = (a + halves[i]! + halves[i + 1]!) | 0
		b = (b + halves[i + 2]! + halves[i + 3]!) | 0
	}
	for (; i < end; i++) a = (a + halves[i]!) | 0
	return fold(a + b)
}

export function fold(total: number): number {
	const once = (total & 0xffff) + (total >>> 16)
	return (once & 0xffff) + (once >>> 16)
}

/** A 16-bit number as the machine's own order has it on the wire. */
export function wireOrder(value: number): number {
	ORDER_BYTES[0] = value >>> 8
	ORDER_BYTES[1] = value
	return ORDER_HALF[0]!
}

const ORDER_BYTES = new Uint8Array(2)
const ORDER_HALF = new Uint16Array(ORDER_BYTES.buffer)

/** True when the IPv4 header of 20 bytes at `at` adds up. */
export function ipv4HeaderIsSound(frame: Frame, at: number, n: number): boolean {
	return sum(frame, at, n) === 0xffff
}

export function writeIpv4Checksum(frame: Frame, at: number): void {
	frame.halves[(at + IPV4_CHECKSUM) >> 1] = 0
	frame.halves[(at + IPV4_CHECKSUM) >> 1] = ~sum(frame, at, IPV4_BYTES)
}

/**
 * Sum of the pseudo header: addressBytes from addressAt (source, destination), UDP and its length.
 */
export function pseudoSum(
	frame: Frame, addressAt: number, addressBytes: number, n: number,
): number {
	return fold(sum(frame, addressAt, addressBytes) + wireOrder(PROTOCOL_UDP) + wireOrder(n))
}

export const SUM_NONE = -1
export const SUM_WRONG = -2

/**
 * The sum of a UDP datagram of n bytes at `at` without its checksum field, if its checksum is right
 * or unfinished (a sender on this host or a veth leaves the pseudo header's sum there for the
 * hardware); SUM_NONE: it carries none; SUM_WRONG.
 */
export function udpSum(frame: Frame, at: number, n: number, pseudo: number): number {
	const field = frame.halves[(at + UDP_CHECKSUM) >> 1]!
	if (field === 0) return SUM_NONE
	const all = sum(frame, at, n)
	const right = fold(all + pseudo) === 0xffff
	if (!right && field !== pseudo) return SUM_WRONG
	return fold(all + (~field & 0xffff))
}

/** Writes the checksum of a datagram whose other bytes sum to `total`. */
export function writeUdpChecksum(frame: Frame, at: number, total: number, pseudo: number): void {
	const value = ~fold(total + pseudo) & 0xffff
	frame.halves[(at + UDP_CHECKSUM) >> 1] = value === 0 ? 0xffff : value
}

/**
 * Replaces a port of the UDP header at `udp`; its checksum changes by the difference (RFC 1624).
 */
export function replacePort(frame: Frame, udp: number, field: number, port: number): void {
	const { halves } = frame
	const old = halves[(udp + field) >> 1]!
	const fresh = wireOrder(port)
	halves[(udp + field) >> 1] = fresh
	const checksum = halves[(udp + UDP_CHECKSUM) >> 1]!
	const n = wireOrder(halves[(udp + UDP_LENGTH) >> 1]!)
	// Unfinished: it covers no ports yet.
	if (checksum === 0 || checksum === pseudoSum(frame, udp - 8, 8, n)) return
	const value = ~fold((~checksum & 0xffff) + (~old & 0xffff) + fresh) & 0xffff
	halves[(udp + UDP_CHECKSUM) >> 1] = value === 0 ? 0xffff : value
}
