// A train: datagrams of one length, the last perhaps shorter, under one header, as the kernel
// passes them on while nobody needs them apart (segmentation offload, between namespaces and from
// virtual machines). Cut up here, each as the kernel would have made it.

import { copy, readU16BE, writeU16BE, type Bytes } from '../base/bytes.ts'
import {
	CLIENT_MESSAGE_BOX, MESSAGE_MIN, SERVER_MESSAGE_BOX, TO_SERVER_MAX,
} from '../wire/packets.ts'
import { checkDatagram } from './datagram.ts'
import {
	FRAGMENT_MASK, IPV4_BYTES, IPV4_FRAGMENT, IPV4_ID, IPV4_LENGTH, IPV4_PROTOCOL, IPV4_SOURCE,
	ipv4HeaderIsSound, IPV6_HEADER_BYTES, IPV6_LENGTH, IPV6_NEXT, IPV6_SOURCE, PROTOCOL_UDP,
	pseudoSum, UDP_BYTES, UDP_CHECKSUM, UDP_LENGTH, writeIpv4Checksum, type Frame,
} from './frame.ts'

/** What all packets of one sender on one path begin with: magic, kind and both extensions. */
const HEAD_BYTES = 40
const STEP_MIN = Math.min(CLIENT_MESSAGE_BOX, SERVER_MESSAGE_BOX) + MESSAGE_MIN

/** The length of each datagram of a train; 0: this is none that could be cut up. */
export function trainStep(train: Frame): number {
	const { bytes: p, at } = train
	const header = headerOf(train)
	if (header === 0) return 0
	const datagram = at + header + UDP_BYTES
	const n = lengthOf(train) - header - UDP_BYTES
	for (let step = STEP_MIN; step <= TO_SERVER_MAX && step + HEAD_BYTES <= n; step += 16) {
		if (!beginsAlike(p, datagram, datagram + step)) continue
		return checkDatagram(p, datagram, step) === undefined ? step : 0
	}
	return 0
}

/**
 * Makes `to` the packet with this index in the train; false: there are no more. Its checksum is
 * left unfinished, for whoever rewrites it.
 */
export function cutTrain(train: Frame, step: number, index: number, to: Frame): boolean {
	const { bytes: p, at } = train
	const header = p[at]! >> 4 === 6 ? IPV6_HEADER_BYTES : IPV4_BYTES
	const from = index * step
	const left = lengthOf(train) - header - UDP_BYTES - from
	if (left <= 0) return false
	const n = UDP_BYTES + Math.min(step, left)
	const out = to.bytes
	copy(out, to.at, p, at, header + UDP_BYTES)
	copy(out, to.at + header + UDP_BYTES, p, at + header + UDP_BYTES + from, n - UDP_BYTES)
	to.length = header + n
	const udp = to.at + header
	writeU16BE(out, udp + UDP_LENGTH, n)
	if (header === IPV4_BYTES) {
		writeU16BE(out, to.at + IPV4_LENGTH, header + n)
		writeU16BE(out, to.at + IPV4_ID, (readU16BE(p, at + IPV4_ID) + index) & 0xffff)
		writeIpv4Checksum(to, to.at)
		to.halves[(udp + UDP_CHECKSUM) >> 1] = pseudoSum(to, to.at + IPV4_SOURCE, 8, n)
	} else {
		writeU16BE(out, to.at + IPV6_LENGTH, n)
		to.halves[(udp + UDP_CHECKSUM) >> 1] = pseudoSum(to, to.at + IPV6_SOURCE, 32, n)
	}
	return true
}

/** Bytes before the UDP header of a sound, unfragmented packet without options; else 0. */
function headerOf(train: Frame): number {
	const { bytes: p, at, length } = train
	if (p[at]! >> 4 === 6) {
		const whole = length >= IPV6_HEADER_BYTES + UDP_BYTES && lengthOf(train) <= length
		return whole && p[at + IPV6_NEXT] === PROTOCOL_UDP ? IPV6_HEADER_BYTES : 0
	}
	if (p[at] !== 0x45 || length < IPV4_BYTES + UDP_BYTES || lengthOf(train) > length) return 0
	if (p[at + IPV4_PROTOCOL] !== PROTOCOL_UDP || !ipv4HeaderIsSound(train, at, IPV4_BYTES)) return 0
	return (readU16BE(p, at + IPV4_FRAGMENT) & FRAGMENT_MASK) === 0 ? IPV4_BYTES : 0
}

function lengthOf({ bytes: p, at }: Frame): number {
	return p[at]! >> 4 === 6 ? IPV6_HEADER_BYTES + readU16BE(p, at + IPV6_LENGTH)
		: readU16BE(p, at + IPV4_LENGTH)
}

function beginsAlike(p: Bytes, a: number, b: number): boolean {
	for (let i = 0; i < HEAD_BYTES; i++) if (p[a + i] !== p[b + i]) return false
	return true
}
