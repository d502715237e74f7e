// Builds IP packets for the gateway's tests, field by field, with the Internet checksum written the
// slow way: it shares nothing with src/gateway but the numbers of the RFCs.

import { FRAME_AT, FRAME_BYTES, makeFrame, type Frame } from '../../src/gateway/frame.ts'

export interface Udp4 {
	from: string
	fromPort: number
	to: string
	toPort: number
	payload: Uint8Array
	ttl?: number
	tos?: number
	id?: number
	/** Flags and offset, in the header's 16 bits; Don't Fragment by default. */
	fragment?: number
	options?: number[]
	/** 'zero': none; 'pseudo': left for the hardware; a number: what stands there. */
	checksum?: 'right' | 'zero' | 'pseudo' | number
	headerChecksum?: number
	totalLength?: number
	udpLength?: number
	/** Bytes of link padding after the packet. */
	padding?: number
}

export function address4(text: string): number[] {
	return text.split('.').map(Number)
}

/** One's complement sum over big-endian 16-bit words. */
export function internetSum(bytes: readonly number[]): number {
	let total = 0
	for (let i = 0; i < bytes.length; i += 2) {
		total += bytes[i]! * 256 + (bytes[i + 1] ?? 0)
		if (total > 0xffff) total -= 0xffff
	}
	return total
}

function be16(value: number): number[] {
	return [(value >> 8) & 255, value & 255]
}

export function ip4(
	protocol: number, from: string, to: string, body: readonly number[], more: Partial<Udp4> = {},
): Uint8Array {
	const options = more.options ?? []
	const header = [
		0x45 + options.length / 4, more.tos ?? 0,
			...be16(more.totalLength ?? 20 + options.length + body.length),
		...be16(more.id ?? 0x1234), ...be16(more.fragment ?? 0x4000), more.ttl ?? 64, protocol, 0, 0,
		...address4(from), ...address4(to), ...options,
	]
	const sum = more.headerChecksum ?? 0xffff - internetSum(header)
	header[10] = sum >> 8
	header[11] = sum & 255
	return Uint8Array.from([...header, ...body, ...new Array<number>(more.padding ?? 0).fill(0x5a)])
}

function udpBody(pseudoAddresses: number[], u: Udp4): number[] {
	const length = 8 + u.payload.length
	const udp = [...be16(u.fromPort), ...be16(u.toPort), ...be16(u.udpLength ?? length), 0, 0,
		...u.payload]
	const pseudo = [...pseudoAddresses, 0, 17, ...be16(length)]
	const right = 0xffff - internetSum([...pseudo, ...udp])
	const kind = u.checksum ?? 'right'
	const sum = kind === 'right' ? right || 0xffff : kind === 'zero' ? 0
		: kind === 'pseudo' ? internetSum(pseudo) : kind
	udp[6] = sum >> 8
	udp[7] = sum & 255
	return udp
}

export function udp4(u: Udp4): Uint8Array {
	return ip4(17, u.from, u.to, udpBody([...address4(u.from), ...address4(u.to)], u), u)
}

export interface Udp6 extends Omit<Udp4, 'from' | 'to'> {
	from: Uint8Array
	to: Uint8Array
	next?: number
}

export function udp6(u: Udp6): Uint8Array {
	const body = udpBody([...u.from, ...u.to], { ...u, from: '', to: '' })
	const tos = u.tos ?? 0
	return Uint8Array.from([
		0x60 + (tos >> 4), (tos & 15) << 4, 0, 0, ...be16(u.totalLength ?? body.length), u.next ?? 17,
		u.ttl ?? 64, ...u.from, ...u.to, ...body,
	])
}

export interface Icmp {
	from: string
	to: string
	type: number
	code?: number
	/** Bytes 4 to 8: unused, or an MTU. */
	rest?: number[]
	quote: Uint8Array
	ttl?: number
	checksum?: number
}

export function icmp4(e: Icmp): Uint8Array {
	const body = [e.type, e.code ?? 0, 0, 0, ...(e.rest ?? [0, 0, 0, 0]), ...e.quote]
	const sum = e.checksum ?? 0xffff - internetSum(body)
	body[2] = sum >> 8
	body[3] = sum & 255
	return ip4(1, e.from, e.to, body, { fragment: 0, ttl: e.ttl ?? 64 })
}

export const CLIENT = 'QvnQ5Xl'
export const SERVER = 'RL3aNMX'

/** n bytes that look like a CurveCP packet of a kind: H, I or M to servers, K or M to clients. */
export function curvecp(
	magic: string, kind: string, receiver: Uint8Array, sender: Uint8Array, n: number,
): Uint8Array {
	const p = new Uint8Array(n)
	for (let i = 40; i < n; i++) p[i] = (i * 7 + n) & 255
	for (const [i, c] of [...`${magic}${kind}`].entries()) if (i < n) p[i] = c.charCodeAt(0)
	p.set(receiver.subarray(0, Math.max(0, n - 8)), Math.min(8, n))
	if (n > 24) p.set(sender.subarray(0, n - 24), 24)
	return p
}

export function loadFrame(packet: Uint8Array): Frame {
	const frame = makeFrame(new ArrayBuffer(FRAME_BYTES), 0)
	frame.bytes.fill(0xa5)
	frame.bytes.set(packet, FRAME_AT)
	frame.length = packet.length
	return frame
}
