// Classic BPF programs for packet sockets: the kernel hands over only what may be the gateway's. It
// sees packets from their IP header on. Pure; linux/packet-socket.ts attaches them.

import type { Bytes } from '../../base/bytes.ts'
import {
	FRAME_AT, FRAME_BYTES, IPV4_DESTINATION, IPV4_FRAGMENT, IPV4_PROTOCOL, IPV6_DESTINATION,
	OFFSET_MASK, PROTOCOL_ICMP, PROTOCOL_UDP, UDP_DESTINATION, UDP_SOURCE,
} from '../../gateway/frame.ts'

/** struct sock_filter: code, jump if true, jump if false, operand. */
export type Instruction = readonly [code: number, jt: number, jf: number, k: number]

const LOAD_WORD = 0x20
const LOAD_HALF = 0x28
const LOAD_BYTE = 0x30
const LOAD_LENGTH = 0x80
const LOAD_HALF_X = 0x48
const LOAD_BYTE_X = 0x50
/** X = length of the IPv4 header at [k]. */
const HEADER_LENGTH = 0xb1
const IF_EQUAL = 0x15
const IF_GREATER = 0x25
const IF_SET = 0x45
const RETURN = 0x06

/** SKF_AD_OFF + SKF_AD_PKTTYPE: 0 is "for this machine". */
const PACKET_TYPE = 0xfffff004
const ALL = 0xffff

/** More ports than this are let through to the decision, which looks again anyway. */
const PORTS_MAX = 64

type Step =
	| { readonly load: number, readonly k: number }
	| { readonly test: number, readonly k: number, readonly yes?: string, readonly no?: string }
	| { readonly label: string }
	| { readonly result: number }

/** Only packets that fit into a frame, or only those that do not: trains. */
export type Size = 'packets' | 'trains'

/** The same program, for packets of one size. */
export function ofSize(size: Size, program: readonly Instruction[]): readonly Instruction[] {
	const most = FRAME_BYTES - FRAME_AT
	const [yes, no] = size === 'trains' ? [1, 0] : [0, 1]
	return [[LOAD_LENGTH, 0, 0, 0], [IF_GREATER, yes, no, most], [RETURN, 0, 0, 0], ...program]
}

/** Drops everything: for a socket that only holds a port. */
export const REFUSE_ALL: readonly Instruction[] = [[RETURN, 0, 0, 0]]

export interface FilterSides {
	readonly address: number
	/** Public ports, when packets from the Internet come in here. */
	readonly wanPorts: readonly number[] | undefined
	/** Source ports of local servers, when their packets come in here. */
	readonly lanPorts: readonly number[] | undefined
}

/** IPv4 packets to the public address, or from local servers, and ICMP errors. */
export function filterIpv4(sides: FilterSides): readonly Instruction[] {
	const steps: Step[] = [
		{ load: LOAD_WORD, k: PACKET_TYPE },
		{ test: IF_EQUAL, k: 0, no: 'drop' },
		{ load: LOAD_WORD, k: IPV4_DESTINATION },
		{ test: IF_EQUAL, k: sides.address >>> 0, no: 'lan' },
		...side(sides.wanPorts, UDP_DESTINATION),
		{ label: 'lan' },
		...side(sides.lanPorts, UDP_SOURCE),
		...ends(),
	]
	return assemble(steps)
}

/** IPv6 packets to the prefix under which local servers see IPv4 clients. */
export function filterIpv6(prefix: Bytes): readonly Instruction[] {
	const steps: Step[] = [{ load: LOAD_WORD, k: PACKET_TYPE }, { test: IF_EQUAL, k: 0, no: 'drop' }]
	for (let i = 0; i < prefix.length; i += 4) {
		const word = new DataView(prefix.buffer, prefix.byteOffset).getUint32(i)
		steps.push({ load: LOAD_WORD, k: IPV6_DESTINATION + i })
		steps.push({ test: IF_EQUAL, k: word, no: 'drop' })
	}
	return assemble([...steps, { result: ALL }, { label: 'drop' }, { result: 0 }])
}

/** UDP packets to some local ports, of those that a raw socket hears. */
export function filterLocal(ports: readonly number[]): readonly Instruction[] {
	return assemble([...side(ports, UDP_DESTINATION), ...ends()])
}

function ends(): Step[] {
	return [{ label: 'drop' }, { result: 0 }, { label: 'accept' }, { result: ALL }]
}

function side(ports: readonly number[] | undefined, field: number): Step[] {
	if (ports === undefined) return [{ result: 0 }]
	const name = `udp${field}`
	const error = `icmp${field}`
	const steps: Step[] = [
		{ load: HEADER_LENGTH, k: 0 },
		{ load: LOAD_BYTE, k: IPV4_PROTOCOL },
		{ test: IF_EQUAL, k: PROTOCOL_UDP, yes: name },
		{ test: IF_EQUAL, k: PROTOCOL_ICMP, yes: error },
		{ result: 0 },
		{ label: error },
		{ load: LOAD_BYTE_X, k: 0 },
		...[3, 11, 12].map((k): Step => ({ test: IF_EQUAL, k, yes: 'accept' })),
		{ result: 0 },
		{ label: name },
		{ load: LOAD_HALF, k: IPV4_FRAGMENT },
		{ test: IF_SET, k: OFFSET_MASK, yes: 'drop' },
	]
	if (ports.length > PORTS_MAX) return [...steps, { result: ALL }]
	return [
		...steps,
		{ load: LOAD_HALF_X, k: field },
		...ports.map((k): Step => ({ test: IF_EQUAL, k, yes: 'accept' })),
		{ result: 0 },
	]
}

/** Resolves labels; every jump is forward and short. */
function assemble(steps: readonly Step[]): Instruction[] {
	const labels = new Map<string, number>()
	let length = 0
	for (const step of steps) {
		if ('label' in step) labels.set(step.label, length)
		else length++
	}
	const program: Instruction[] = []
	for (const step of steps) {
		const next = program.length + 1
		const to = (label: string | undefined): number =>
			label === undefined ? 0 : labels.get(label)! - next
		if ('load' in step) program.push([step.load, 0, 0, step.k])
		else if ('test' in step) program.push([step.test, to(step.yes), to(step.no), step.k])
		else if ('result' in step) program.push([RETURN, 0, 0, step.result])
	}
	return program
}
