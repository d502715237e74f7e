// What carries out the gateway's decisions: the four datapaths behind one interface, and the frame
// that is built around a datagram which arrived without its headers.

import { copy, writeU16BE, writeU32BE, type Bytes } from '../base/bytes.ts'
import {
	DONT_FRAGMENT, FRAME_AT, FRAME_BYTES, IPV4_BYTES, IPV4_DESTINATION, IPV4_FRAGMENT, IPV4_ID,
	IPV4_LENGTH, IPV4_PROTOCOL, IPV4_SOURCE, IPV4_TOS, IPV4_TTL, PROTOCOL_UDP, UDP_BYTES,
	UDP_CHECKSUM, UDP_DESTINATION, UDP_LENGTH, UDP_SOURCE, pseudoSum, sum, writeIpv4Checksum,
	writeUdpChecksum, type Frame,
} from '../gateway/frame.ts'

export type DatapathName = 'nftables' | 'packet' | 'raw' | 'relay'

export interface Datapath {
	readonly name: DatapathName
	/** What a person should know: what this datapath cannot do with these tables. */
	readonly notes: readonly string[]
	start(): Promise<void>
	/**
	 * Brings a datapath with its own copy of the tables up to date, all at once or not at all; rules:
	 * the fence or the keys are others as well.
	 */
	refresh(rules?: boolean): Promise<void>
	/** Packets that got lost below the decision, by reason. */
	losses(): Map<string, number>
	/** Everything that was put into the kernel is gone on return. */
	stop(): void
}

/** Called once when a running datapath cannot go on. */
export type Broken = (error: unknown) => void

/** The largest datagram that a frame has room for. */
export const DATAGRAM_MAX = FRAME_BYTES - FRAME_AT - IPV4_BYTES - UDP_BYTES
const TTL = 64

export interface Ends {
	readonly from: number
	readonly fromPort: number
	readonly to: number
	readonly toPort: number
}

/** Makes the frame an IPv4 packet of a datagram, as it would have come from the wire. */
export function frameDatagram(frame: Frame, ends: Ends, datagram: Bytes): void {
	const p = frame.bytes
	const at = FRAME_AT
	const udp = at + IPV4_BYTES
	const n = UDP_BYTES + datagram.length
	p[at] = 0x45
	p[at + IPV4_TOS] = 0
	writeU16BE(p, at + IPV4_LENGTH, IPV4_BYTES + n)
	writeU16BE(p, at + IPV4_ID, 0)
	writeU16BE(p, at + IPV4_FRAGMENT, DONT_FRAGMENT)
	p[at + IPV4_TTL] = TTL
	p[at + IPV4_PROTOCOL] = PROTOCOL_UDP
	writeU32BE(p, at + IPV4_SOURCE, ends.from)
	writeU32BE(p, at + IPV4_DESTINATION, ends.to)
	writeIpv4Checksum(frame, at)
	writeU16BE(p, udp + UDP_SOURCE, ends.fromPort)
	writeU16BE(p, udp + UDP_DESTINATION, ends.toPort)
	writeU16BE(p, udp + UDP_LENGTH, n)
	writeU16BE(p, udp + UDP_CHECKSUM, 0)
	copy(p, udp + UDP_BYTES, datagram, 0, datagram.length)
	writeUdpChecksum(frame, udp, sum(frame, udp, n), pseudoSum(frame, at + IPV4_SOURCE, 8, n))
	frame.at = at
	frame.length = IPV4_BYTES + n
}
