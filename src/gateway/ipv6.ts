// IPv4 ↔ IPv6 for servers behind the gateway that have only IPv6: the part of RFC 7915 that UDP
// without options and fragments needs. The client's IPv4 address stands in the last 32 bits of its
// IPv6 address, so that the server sees who it is and mobility works.

import { copy, readU16BE, same, writeU16BE, writeU32BE } from '../base/bytes.ts'
import type { Nanos } from '../base/time.ts'
import type { Drop } from '../wire/drop.ts'
import { IPV6_BYTES } from '../wire/ip.ts'
import { PACKET_SENDER_EXTENSION } from '../wire/packets.ts'
import { checkDatagram } from './datagram.ts'
import type { Verdict } from './forward.ts'
import {
	DONT_FRAGMENT, fold, IPV4_BYTES, IPV4_DESTINATION, IPV4_FRAGMENT, IPV4_ID, IPV4_LENGTH,
	IPV4_PROTOCOL, IPV4_SOURCE, IPV4_TOS, IPV4_TTL, IPV6_DESTINATION, IPV6_FRAGMENT_HEADER,
	IPV6_HEADER_BYTES, IPV6_HOPS, IPV6_LENGTH, IPV6_NEXT, IPV6_SOURCE, PROTOCOL_UDP, pseudoSum,
	readAddress, sum,
	SUM_NONE, SUM_WRONG, UDP_BYTES, UDP_DESTINATION, UDP_LENGTH, UDP_SOURCE, udpSum,
	wireOrder, writeIpv4Checksum, writeUdpChecksum, type Frame,
} from './frame.ts'
import { CLIENTS_PREFIX_BYTES, type Tables } from './tables.ts'

const LONGER = IPV6_HEADER_BYTES - IPV4_BYTES
const PROTOCOL_ICMPV6 = 58

/** Replaces the IPv4 header of a checked packet by an IPv6 header to the looked-up server. */
export function toIpv6(tables: Tables, frame: Frame, verdict: Verdict): Drop | undefined {
	const { bytes: p, at } = frame
	const udp = at + IPV4_BYTES
	const n = readU16BE(p, at + IPV4_LENGTH) - IPV4_BYTES
	let total = udpSum(frame, udp, n, pseudoSum(frame, at + IPV4_SOURCE, 8, n))
	if (total === SUM_WRONG) return 'checksum'
	const client = readAddress(p, at + IPV4_SOURCE)
	const tos = p[at + IPV4_TOS]!
	const hops = p[at + IPV4_TTL]! - 1
	if (tables.to.port !== 0) {
		if (total !== SUM_NONE) {
			const old = frame.halves[(udp + UDP_DESTINATION) >> 1]!
			total = fold(total + (~old & 0xffff) + wireOrder(tables.to.port))
		}
		writeU16BE(p, udp + UDP_DESTINATION, tables.to.port)
	}
	const to = at - LONGER
	writeU32BE(p, to, 0x60000000 + tos * 0x100000)
	writeU16BE(p, to + IPV6_LENGTH, n)
	p[to + IPV6_NEXT] = PROTOCOL_UDP
	p[to + IPV6_HOPS] = hops
	copy(p, to + IPV6_SOURCE, tables.clientsPrefix!, 0, CLIENTS_PREFIX_BYTES)
	writeU32BE(p, to + IPV6_SOURCE + CLIENTS_PREFIX_BYTES, client)
	copy(p, to + IPV6_DESTINATION, tables.to.place, 0, IPV6_BYTES)
	// IPv6 knows no datagram without a checksum: one that came without gets its own.
	if (total === SUM_NONE) total = sum(frame, udp, n)
	writeUdpChecksum(frame, udp, total, pseudoSum(frame, to + IPV6_SOURCE, 2 * IPV6_BYTES, n))
	verdict.at = to
	verdict.length = n + IPV6_HEADER_BYTES
	return undefined
}

/** The way back. Only what is sent to the clients' prefix is ours. */
export function fromIpv6(
	tables: Tables, frame: Frame, now: Nanos, verdict: Verdict,
): Drop | 'pass' | undefined {
	const { bytes: p, at } = frame
	const prefix = tables.clientsPrefix
	if (frame.length < IPV6_HEADER_BYTES || prefix === undefined) return 'pass'
	if (!same(p, at + IPV6_DESTINATION, prefix, 0, CLIENTS_PREFIX_BYTES)) return 'pass'
	const udp = at + IPV6_HEADER_BYTES
	const n = readU16BE(p, at + IPV6_LENGTH)
	const no = checkIpv6(frame, n) ?? checkDatagram(p, udp + UDP_BYTES, n - UDP_BYTES)
	if (no !== undefined) return no
	const port = readU16BE(p, udp + UDP_SOURCE)
	if (!tables.isLocal6(p, at + IPV6_SOURCE, port)) return 'route'
	const client = readAddress(p, at + IPV6_DESTINATION + CLIENTS_PREFIX_BYTES)
	if (tables.forbidden.why4(client) !== undefined) return 'fence'
	let total = udpSum(frame, udp, n, pseudoSum(frame, at + IPV6_SOURCE, 2 * IPV6_BYTES, n))
	if (total === SUM_WRONG || total === SUM_NONE) return 'checksum'
	const clientPort = readU16BE(p, udp + UDP_DESTINATION)
	const publicPort = tables.publicPort(p, udp + UDP_BYTES + PACKET_SENDER_EXTENSION, client,
		clientPort, port, now)
	const old = frame.halves[(udp + UDP_SOURCE) >> 1]!
	total = fold(total + (~old & 0xffff) + wireOrder(publicPort))
	writeU16BE(p, udp + UDP_SOURCE, publicPort)
	writeIpv4(tables, frame, n, client)
	const to = at + LONGER
	writeUdpChecksum(frame, udp, total, pseudoSum(frame, to + IPV4_SOURCE, 8, n))
	verdict.at = to
	verdict.length = n + IPV4_BYTES
	return undefined
}

function writeIpv4(tables: Tables, frame: Frame, n: number, client: number): void {
	const { bytes: p, at } = frame
	const to = at + LONGER
	const tos = (readU16BE(p, at) >> 4) & 255
	const hops = p[at + IPV6_HOPS]! - 1
	p[to] = 0x45
	p[to + IPV4_TOS] = tos
	writeU16BE(p, to + IPV4_LENGTH, n + IPV4_BYTES)
	// An atomic datagram needs no identification (RFC 6864).
	writeU16BE(p, to + IPV4_ID, 0)
	writeU16BE(p, to + IPV4_FRAGMENT, DONT_FRAGMENT)
	p[to + IPV4_TTL] = hops
	p[to + IPV4_PROTOCOL] = PROTOCOL_UDP
	writeU32BE(p, to + IPV4_SOURCE, tables.address)
	writeU32BE(p, to + IPV4_DESTINATION, client)
	writeIpv4Checksum(frame, to)
}

function checkIpv6(frame: Frame, n: number): Drop | undefined {
	const { bytes: p, at } = frame
	const next = p[at + IPV6_NEXT]!
	if (next === IPV6_FRAGMENT_HEADER) return 'fragment'
	// Errors are not translated: the client's Hello repeats without them.
	if (next === PROTOCOL_ICMPV6) return 'policy'
	if (next !== PROTOCOL_UDP) return 'options'
	if (n < UDP_BYTES || IPV6_HEADER_BYTES + n > frame.length) return 'length'
	if (p[at + IPV6_HOPS]! < 2) return 'ttl'
	return readU16BE(p, at + IPV6_HEADER_BYTES + UDP_LENGTH) === n ? undefined : 'length'
}
