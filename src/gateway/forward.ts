// The decision: one packet and the side it came from → where it goes, rewritten in place, or why
// not. Every datapath carries out exactly this; what is not ours it leaves to the kernel. spec:
// gateway.md

import { readU16BE, writeU16BE, writeU32BE, type Bytes } from '../base/bytes.ts'
import type { Nanos } from '../base/time.ts'
import { makeDropCounts, type Drop, type DropCounts } from '../wire/drop.ts'
import { PACKET_RECEIVER_EXTENSION, PACKET_SENDER_EXTENSION } from '../wire/packets.ts'
import { checkDatagram } from './datagram.ts'
import {
	fold, FRAGMENT_MASK, IPV4_BYTES, IPV4_DESTINATION, IPV4_FRAGMENT, IPV4_LENGTH, IPV4_PROTOCOL,
	IPV4_SOURCE, IPV4_TTL, ipv4HeaderIsSound, OFFSET_MASK, PROTOCOL_ICMP, PROTOCOL_UDP, pseudoSum,
	readAddress,
	SUM_NONE, SUM_WRONG, UDP_BYTES, UDP_DESTINATION, UDP_LENGTH, UDP_SOURCE, udpSum, wireOrder,
	writeIpv4Checksum, writeUdpChecksum, type Frame,
} from './frame.ts'
import { errorFromLan, errorFromWan } from './icmp.ts'
import { fromIpv6, toIpv6 } from './ipv6.ts'
import { EXPECTED_MAX } from './key-index.ts'
import { KIND_IPV4, KIND_IPV6, KIND_MAC, KIND_OWN } from './route.ts'
import type { Tables } from './tables.ts'
import { MAC_BYTES } from './target.ts'

export type Side = 'wan' | 'lan'

/** Where a forwarded packet goes: its destination stands in its header, a MAC in the verdict. */
export type Way = 'lan' | 'wan' | 'mac' | 'own'

export interface Verdict {
	/** 'pass': not a packet for the gateway; leave it to the kernel. */
	action: 'forward' | 'drop' | 'pass'
	/** Why it is dropped, when it is. */
	drop: Drop
	way: Way
	/** The outgoing IP packet is frame.bytes[at, at + length). */
	at: number
	length: number
	/** For way 'mac'. */
	readonly mac: Bytes
	/** The route's row; -1 when the extension carried its own address, or on the way out. */
	row: number
}

/** The receiver's extension in a packet without options. */
const RECEIVER = IPV4_BYTES + UDP_BYTES + PACKET_RECEIVER_EXTENSION

export class Forwarder {
	readonly tables: Tables
	readonly drops: DropCounts = makeDropCounts()
	/** Packets sent on inward and outward, and those that were not ours. */
	forwardedIn = 0
	forwardedOut = 0
	passed = 0
	/** The one verdict; valid until the next decision. */
	readonly verdict: Verdict = {
		action: 'pass', drop: 'length', way: 'lan', at: 0, length: 0, mac: new Uint8Array(MAC_BYTES),
			row: -1,
	}

	constructor(tables: Tables) {
		this.tables = tables
	}

	/** The first n of these came from the Internet and are decided next. Saves time, nothing else. */
	expect(frames: readonly Frame[], n: number): void {
		const { routes } = this.tables
		if (!routes.isFar) return
		const count = Math.min(n, EXPECTED_MAX)
		for (let i = 0; i < count; i++) routes.expect(i, frames[i]!.bytes, frames[i]!.at + RECEIVER)
		routes.fetch(count)
	}

	decide(frame: Frame, side: Side, now: Nanos): Verdict {
		const verdict = this.verdict
		verdict.at = frame.at
		verdict.row = -1
		const no = side === 'wan' ? this.#fromWan(frame, now) : this.#fromLan(frame, now)
		if (no === 'pass') {
			verdict.action = 'pass'
			this.passed++
		} else if (no !== undefined) {
			verdict.action = 'drop'
			verdict.drop = no
			this.drops[no]++
		} else {
			verdict.action = 'forward'
			if (side === 'lan') this.forwardedOut++
			else this.forwardedIn++
			if (verdict.row >= 0) this.tables.routes.countPacket(verdict.row)
		}
		return verdict
	}

	#fromWan(frame: Frame, now: Nanos): Drop | 'pass' | undefined {
		const { bytes: p, at } = frame
		const tables = this.tables
		if (frame.length < IPV4_BYTES || p[at]! >> 4 !== 4) return 'pass'
		if (readAddress(p, at + IPV4_DESTINATION) !== tables.address) return 'pass'
		if (p[at + IPV4_PROTOCOL] === PROTOCOL_ICMP) return errorFromWan(tables, frame, now,
			this.verdict)
		const port = portOf(frame, UDP_DESTINATION)
		if (port < 0 || !tables.isPort(port)) return 'pass'
		const n = readU16BE(p, at + IPV4_LENGTH)
		const udp = at + IPV4_BYTES
		const datagram = udp + UDP_BYTES
		const no = checkHeaders(frame)
			?? checkDatagram(p, datagram, n - IPV4_BYTES - UDP_BYTES)
			?? (tables.sources.take(readAddress(p, at + IPV4_SOURCE), now) ? undefined : 'rate')
			?? tables.lookUp(p, datagram + PACKET_RECEIVER_EXTENSION, port)
			?? (tables.targets.take(targetKey(tables), now) ? undefined : 'rate')
		if (no !== undefined) return no
		this.verdict.length = n
		this.verdict.row = tables.row
		return this.#toTarget(frame, port, now)
	}

	#toTarget(frame: Frame, port: number, now: Nanos): Drop | undefined {
		const { tables, verdict } = this
		const to = tables.to
		switch (to.kind) {
			case KIND_IPV4:
				verdict.way = 'lan'
				this.#learnPort(frame, port, now)
				return rewrite(frame, IPV4_DESTINATION, to.address, UDP_DESTINATION, to.port, 1)
			case KIND_OWN:
				verdict.way = 'own'
				this.#learnPort(frame, port, now)
				return rewrite(frame, IPV4_DESTINATION, tables.address, UDP_DESTINATION, to.port, 0)
			case KIND_MAC:
				verdict.way = 'mac'
				for (let i = 0; i < MAC_BYTES; i++) verdict.mac[i] = to.place[i]!
				// Nothing changes but an unfinished checksum.
				return rewrite(frame, IPV4_DESTINATION, tables.address, UDP_DESTINATION, 0, 0)
			case KIND_IPV6:
				verdict.way = 'lan'
				this.#learnPort(frame, port, now)
				return toIpv6(tables, frame, verdict)
		}
		return 'route'
	}

	#learnPort(frame: Frame, port: number, now: Nanos): void {
		const { bytes: p, at } = frame
		const to = this.tables.to.port
		if (to === 0 || to === port) return
		const extension = at + IPV4_BYTES + UDP_BYTES + PACKET_RECEIVER_EXTENSION
		const client = readAddress(p, at + IPV4_SOURCE)
		const clientPort = readU16BE(p, at + IPV4_BYTES + UDP_SOURCE)
		this.tables.learnPort(p, extension, client, clientPort, port, now)
	}

	#fromLan(frame: Frame, now: Nanos): Drop | 'pass' | undefined {
		const { bytes: p, at } = frame
		const tables = this.tables
		this.verdict.way = 'wan'
		if (frame.length < IPV4_BYTES) return 'pass'
		if (p[at]! >> 4 === 6) return fromIpv6(tables, frame, now, this.verdict)
		if (p[at]! >> 4 !== 4) return 'pass'
		const client = readAddress(p, at + IPV4_DESTINATION)
		if (client === tables.address) return 'pass'
		if (p[at + IPV4_PROTOCOL] === PROTOCOL_ICMP) {
			return errorFromLan(tables, frame, now, this.verdict)
		}
		const port = portOf(frame, UDP_SOURCE)
		const server = readAddress(p, at + IPV4_SOURCE)
		if (port < 0 || !tables.isLocal4(server, port)) return 'pass'
		const n = readU16BE(p, at + IPV4_LENGTH)
		const udp = at + IPV4_BYTES
		const no = checkHeaders(frame) ?? checkDatagram(p, udp + UDP_BYTES, n - IPV4_BYTES - UDP_BYTES)
		if (no !== undefined) return no
		this.verdict.length = n
		const clientPort = readU16BE(p, udp + UDP_DESTINATION)
		const publicPort = tables.publicPort(p, udp + UDP_BYTES + PACKET_SENDER_EXTENSION,
			client, clientPort, port, now)
		return rewrite(frame, IPV4_SOURCE, tables.address, UDP_SOURCE, publicPort, 1)
	}
}

/** Sources are counted by address; targets by address, or by what else tells one from another. */
function targetKey(tables: Tables): number {
	const to = tables.to
	switch (to.kind) {
		case KIND_IPV4: return to.address
		case KIND_OWN: return to.port
		case KIND_MAC: return readAddress(to.place, 2)
		default: return readAddress(to.place, 12)
	}
}

/** The source or destination port of a UDP packet that carries one; -1 when it does not. */
function portOf(frame: Frame, field: number): number {
	const { bytes: p, at } = frame
	if (p[at + IPV4_PROTOCOL] !== PROTOCOL_UDP) return -1
	if ((readU16BE(p, at + IPV4_FRAGMENT) & OFFSET_MASK) !== 0) return -1
	const header = 4 * (p[at]! & 15)
	if (header < IPV4_BYTES || frame.length < header + UDP_BYTES) return -1
	return readU16BE(p, at + header + field)
}

/**
 * Everything of a packet's headers but the UDP checksum, which is checked while it is rewritten.
 */
function checkHeaders(frame: Frame): Drop | undefined {
	const { bytes: p, at } = frame
	const n = readU16BE(p, at + IPV4_LENGTH)
	const header = 4 * (p[at]! & 15)
	if (n < header + UDP_BYTES || n > frame.length) return 'length'
	if (!ipv4HeaderIsSound(frame, at, header)) return 'checksum'
	if ((readU16BE(p, at + IPV4_FRAGMENT) & FRAGMENT_MASK) !== 0) return 'fragment'
	if (header !== IPV4_BYTES) return 'options'
	if (p[at + IPV4_TTL]! < 2) return 'ttl'
	return readU16BE(p, at + IPV4_BYTES + UDP_LENGTH) === n - IPV4_BYTES ? undefined : 'length'
}

/** Replaces an address and a port (0: not), takes `hops` off the TTL, and makes the sums right. */
function rewrite(
	frame: Frame, addressField: number, address: number, portField: number, port: number,
		hops: number,
): 'checksum' | undefined {
	const { bytes: p, at } = frame
	const n = readU16BE(p, at + IPV4_LENGTH) - IPV4_BYTES
	const udp = at + IPV4_BYTES
	let total = udpSum(frame, udp, n, pseudoSum(frame, at + IPV4_SOURCE, 8, n))
	if (total === SUM_WRONG) return 'checksum'
	writeU32BE(p, at + addressField, address)
	p[at + IPV4_TTL]! -= hops
	writeIpv4Checksum(frame, at)
	if (port !== 0) {
		if (total !== SUM_NONE) {
			const old = frame.halves[(udp + portField) >> 1]!
			total = fold(total + (~old & 0xffff) + wireOrder(port))
		}
		writeU16BE(p, udp + portField, port)
	}
	if (total !== SUM_NONE) {
		writeUdpChecksum(frame, udp, total, pseudoSum(frame, at + IPV4_SOURCE, 8, n))
	}
	return undefined
}
