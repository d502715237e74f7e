// ICMP errors about forwarded packets, both ways. The quoted packet is translated back, so that
// whoever receives the error recognises what he sent and no local address leaves. Errors about
// anything else are not ours. spec: gateway.md 5

import { readU16BE, writeU16BE, writeU32BE } from '../base/bytes.ts'
import type { Nanos } from '../base/time.ts'
import type { Drop } from '../wire/drop.ts'
import {
	CLIENT_MAGIC, EXTENSION_BYTES, PACKET_RECEIVER_EXTENSION, PACKET_SENDER_EXTENSION, SERVER_MAGIC,
} from '../wire/packets.ts'
import { startsWith } from './datagram.ts'
import type { Verdict } from './forward.ts'
import {
	fold, FRAGMENT_MASK, ICMP_BYTES, ICMP_CHECKSUM, IPV4_BYTES, IPV4_CHECKSUM, IPV4_DESTINATION,
	IPV4_FRAGMENT, IPV4_LENGTH, IPV4_PROTOCOL, IPV4_SOURCE, IPV4_TTL, ipv4HeaderIsSound,
	PROTOCOL_ICMP, PROTOCOL_UDP, readAddress, sum, UDP_BYTES, UDP_CHECKSUM, UDP_DESTINATION,
	UDP_SOURCE,
	writeIpv4Checksum, type Frame,
} from './frame.ts'
import { KIND_IPV4, KIND_MAC, KIND_OWN } from './route.ts'
import type { Tables } from './tables.ts'
import { MAC_BYTES } from './target.ts'

const UNREACHABLE = 3
const TIME_EXCEEDED = 11
const PARAMETER_PROBLEM = 12

/** Where the quoted IP header starts behind an outer header without options. */
const QUOTE = IPV4_BYTES + ICMP_BYTES
const QUOTED_UDP = QUOTE + IPV4_BYTES
const QUOTED_DATAGRAM = QUOTED_UDP + UDP_BYTES

/**
 * From the Internet, about a packet that a local server or client sent under the public address.
 */
export function errorFromWan(
	tables: Tables, frame: Frame, now: Nanos, verdict: Verdict,
): Drop | 'pass' | undefined {
	const { bytes: p, at } = frame
	if (!quotesUdp(frame)) return 'pass'
	const port = readU16BE(p, at + QUOTED_UDP + UDP_SOURCE)
	if (readAddress(p, at + QUOTE + IPV4_SOURCE) !== tables.address
		|| !tables.isPort(port)) return 'pass'
	// The sender's extension tells whose packet it was.
	const extension = at + QUOTED_DATAGRAM + PACKET_SENDER_EXTENSION
	const n = readU16BE(p, at + IPV4_LENGTH)
	const no = checkError(frame, extension + EXTENSION_BYTES - at)
		?? (isCurveCp(frame) ? undefined : 'magic')
		?? (tables.icmp.take(0, now) ? undefined : 'rate')
		?? tables.lookUp(p, extension, port)
	if (no !== undefined) return no
	verdict.length = n
	const to = tables.to
	switch (to.kind) {
		case KIND_OWN:
			// The kernel has told the socket already.
			return 'pass'
		case KIND_MAC:
			verdict.way = 'mac'
			for (let i = 0; i < MAC_BYTES; i++) verdict.mac[i] = to.place[i]!
			return undefined
		case KIND_IPV4:
			verdict.way = 'lan'
			requote(frame, IPV4_SOURCE, to.address, UDP_SOURCE, to.port === 0 ? port : to.port)
			finish(frame, IPV4_DESTINATION, to.address, n)
			return undefined
		default:
			// Errors are not translated to IPv6.
			return 'policy'
	}
}

/** From the local side, about a packet that we sent there. */
export function errorFromLan(
	tables: Tables, frame: Frame, now: Nanos, verdict: Verdict,
): Drop | 'pass' | undefined {
	const { bytes: p, at } = frame
	if (!quotesUdp(frame)) return 'pass'
	const server = readAddress(p, at + QUOTE + IPV4_DESTINATION)
	const port = readU16BE(p, at + QUOTED_UDP + UDP_DESTINATION)
	if (!tables.isLocal4(server, port)) return 'pass'
	const n = readU16BE(p, at + IPV4_LENGTH)
	const client = readAddress(p, at + QUOTE + IPV4_SOURCE)
	const no = checkError(frame, QUOTED_DATAGRAM)
		// An error goes to who sent the quoted packet, and to nobody else.
		?? (client === readAddress(p, at + IPV4_DESTINATION) ? undefined : 'policy')
		?? (tables.icmp.take(0, now) ? undefined : 'rate')
	if (no !== undefined) return no
	const clientPort = readU16BE(p, at + QUOTED_UDP + UDP_SOURCE)
	// What we sent inward carries the server's extension as the receiver's.
	const extension = at + QUOTED_DATAGRAM + PACKET_RECEIVER_EXTENSION
	const whole = at + n >= extension + EXTENSION_BYTES
	const publicPort = tables.publicPort(p, whole ? extension : -1, client, clientPort, port, now)
	requote(frame, IPV4_DESTINATION, tables.address, UDP_DESTINATION, publicPort)
	finish(frame, IPV4_SOURCE, tables.address, n)
	verdict.length = n
	return undefined
}

/** An error that quotes at least the head of an unfragmented UDP packet without options. */
function quotesUdp(frame: Frame): boolean {
	const { bytes: p, at } = frame
	if (p[at] !== 0x45 || frame.length < QUOTED_DATAGRAM) return false
	if ((readU16BE(p, at + IPV4_FRAGMENT) & FRAGMENT_MASK) !== 0) return false
	const type = p[at + IPV4_BYTES]
	if (type !== UNREACHABLE && type !== TIME_EXCEEDED && type !== PARAMETER_PROBLEM) return false
	if (readU16BE(p, at + IPV4_LENGTH) < QUOTED_DATAGRAM) return false
	return p[at + QUOTE] === 0x45 && p[at + QUOTE + IPV4_PROTOCOL] === PROTOCOL_UDP
		&& (readU16BE(p, at + QUOTE + IPV4_FRAGMENT) & FRAGMENT_MASK) === 0
}

function checkError(frame: Frame, least: number): Drop | undefined {
	const { bytes: p, at } = frame
	const n = readU16BE(p, at + IPV4_LENGTH)
	if (n > frame.length || n < least || p[at + IPV4_PROTOCOL] !== PROTOCOL_ICMP) return 'length'
	if (!ipv4HeaderIsSound(frame, at, IPV4_BYTES)) return 'checksum'
	if (p[at + IPV4_TTL]! < 2) return 'ttl'
	return sum(frame, at + IPV4_BYTES, n - IPV4_BYTES) === 0xffff ? undefined : 'checksum'
}

function isCurveCp(frame: Frame): boolean {
	const datagram = frame.at + QUOTED_DATAGRAM
	return startsWith(frame.bytes, datagram, SERVER_MAGIC)
		|| startsWith(frame.bytes, datagram, CLIENT_MAGIC)
}

/** Replaces an address and a port in the quoted packet; its sums change by the difference only. */
function requote(
	frame: Frame, addressField: number, address: number, portField: number, port: number,
): void {
	const { bytes: p, at } = frame
	const addressAt = at + QUOTE + addressField
	const portAt = at + QUOTED_UDP + portField
	const oldAddress = sum(frame, addressAt, 4)
	const oldPort = sum(frame, portAt, 2)
	writeU32BE(p, addressAt, address)
	writeU16BE(p, portAt, port)
	const newAddress = sum(frame, addressAt, 4)
	adjust(frame, at + QUOTE + IPV4_CHECKSUM, oldAddress, newAddress)
	// Zero: the quoted datagram carried no checksum.
	if (frame.halves[(at + QUOTED_UDP + UDP_CHECKSUM) >> 1] === 0) return
	adjust(frame, at + QUOTED_UDP + UDP_CHECKSUM, oldAddress + oldPort,
		newAddress + sum(frame, portAt, 2))
}

/** RFC 1624, equation 3. */
function adjust(frame: Frame, at: number, before: number, after: number): void {
	const field = frame.halves[at >> 1]!
	const value = ~fold((~field & 0xffff) + (~fold(before) & 0xffff) + after) & 0xffff
	// Both are zero in one's complement, but only one says "no checksum" in UDP.
	frame.halves[at >> 1] = value === 0 && field !== 0 ? 0xffff : value
}

function finish(frame: Frame, addressField: number, address: number, n: number): void {
	const { bytes: p, at } = frame
	writeU32BE(p, at + addressField, address)
	p[at + IPV4_TTL]! -= 1
	writeIpv4Checksum(frame, at)
	frame.halves[(at + IPV4_BYTES + ICMP_CHECKSUM) >> 1] = 0
	frame.halves[(at + IPV4_BYTES + ICMP_CHECKSUM) >> 1] =
		~sum(frame, at + IPV4_BYTES, n - IPV4_BYTES)
}
