// A Linux packet socket for receiving: IP packets of one interface, chosen by a BPF filter in the
// kernel, by recvmmsg into frames that were made once. The kernel keeps its own copy of each
// packet.

import os from 'node:os'
import { assert } from '../../base/assert.ts'
import { makeFrame, FRAME_AT, FRAME_BYTES, type Frame } from '../../gateway/frame.ts'
import { Trouble } from '../trouble.ts'
import { arena, reserve } from './arena.ts'
import type { Instruction } from './bpf.ts'
import { fail, libc, type Libc } from './libc.ts'

export const ETHERTYPE_IPV4 = 0x0800
export const ETHERTYPE_IPV6 = 0x86dd

const AF_INET = 2
const AF_PACKET = 17
const SOCK_DGRAM = 2
const SOCK_RAW = 3
const IPPROTO_UDP = 17
const NONBLOCK_CLOEXEC = 0x80800
const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33
const SO_ATTACH_FILTER = 26
const SOL_PACKET = 263
const PACKET_STATISTICS = 6
const PACKET_IGNORE_OUTGOING = 23
const MSG_DONTWAIT = 0x40

/** struct mmsghdr and struct iovec of 64-bit Linux, in 32-bit words. */
export const MESSAGE_WORDS = 16
export const MESSAGE_NAME = 0
export const MESSAGE_NAME_BYTES = 2
export const MESSAGE_IOVEC = 4
export const MESSAGE_IOVECS = 6
export const MESSAGE_BYTES = 14
export const IOVEC_WORDS = 4
export const SOCKADDR_LL_BYTES = 20

/** Packets that one call takes at most. */
export const BATCH = 64
const RECEIVE_BUFFER = 8 << 20

export class PacketSocket {
	readonly fd: number
	readonly ifname: string
	readonly frames: readonly Frame[]
	readonly #libc: Libc = libc()
	readonly #headers: number

	/** fd: openPacketSocket or openRawUdp; ifname: for messages. count frames of so many bytes. */
	constructor(fd: number, ifname: string, count = BATCH, frameBytes = FRAME_BYTES) {
		this.fd = fd
		this.ifname = ifname
		const { address, bytes, words } = arena()
		const memory = take(count * frameBytes)
		const buffer = bytes.buffer as ArrayBuffer
		this.frames = Array.from({ length: count }, (_, i) =>
			makeFrame(buffer, memory + i * frameBytes, frameBytes))
		this.#headers = take(count * 4 * MESSAGE_WORDS)
		const iovecs = take(count * 4 * IOVEC_WORDS)
		for (let i = 0; i < count; i++) {
			const header = (this.#headers >> 2) + i * MESSAGE_WORDS
			const iovec = (iovecs >> 2) + i * IOVEC_WORDS
			words.fill(0, header, header + MESSAGE_WORDS)
			writePointer(header + MESSAGE_IOVEC, address + iovecs + i * 4 * IOVEC_WORDS)
			words[header + MESSAGE_IOVECS] = 1
			writePointer(iovec, address + memory + i * frameBytes + FRAME_AT)
			words[iovec + 2] = frameBytes - FRAME_AT
			words[iovec + 3] = 0
		}
	}

	/** Fills the first frames; returns how many. */
	receive(): number {
		const { address, words } = arena()
		const n = this.#libc.recvmmsg(this.fd, address + this.#headers, this.frames.length,
			MSG_DONTWAIT, 0)
		for (let i = 0; i < n; i++) {
			const frame = this.frames[i]!
			frame.at = FRAME_AT
			frame.length = words[(this.#headers >> 2) + i * MESSAGE_WORDS + MESSAGE_BYTES]!
		}
		return n < 0 ? 0 : n
	}

	/** Packets that the kernel dropped for want of room since the last question. */
	overruns(): number {
		const { address, words } = arena()
		const at = scratch()
		words[(at >> 2) + 4] = 8
		const to = address + at
		const no = this.#libc.getsockopt(this.fd, SOL_PACKET, PACKET_STATISTICS, to, to + 16)
		return no === 0 ? words[(at >> 2) + 1]! : 0
	}

	close(): void {
		this.#libc.close(this.fd)
	}
}

/** IP packets of one interface that the filter lets through; the kernel keeps its own copy. */
export function openPacketSocket(
	ifname: string, ethertype: number, filter: readonly Instruction[],
): number {
	const c = libc()
	const ifindex = interfaceIndex(ifname)
	// Protocol 0 receives nothing: the filter is in place before the first packet.
	const fd = c.socket(AF_PACKET, SOCK_DGRAM | NONBLOCK_CLOEXEC, 0)
	if (fd < 0) fail('open', `packet socket on ${ifname} (needs CAP_NET_RAW)`)
	attachFilter(fd, filter)
	setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
	setOption(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
	const at = scratch()
	writeLinkAddress(at, ethertype, ifindex, undefined)
	if (c.bind(fd, arena().address + at, SOCKADDR_LL_BYTES) !== 0) {
		fail('bind', `packet socket on ${ifname}`)
	}
	return fd
}

/** Whole UDP packets that are delivered to this machine, as far as the filter lets them through. */
export function openRawUdp(filter: readonly Instruction[]): number {
	const fd = libc().socket(AF_INET, SOCK_RAW | NONBLOCK_CLOEXEC, IPPROTO_UDP)
	if (fd < 0) fail('open', 'raw socket (needs CAP_NET_RAW)')
	// What comes between the two calls is not for the public address, or looked at and refused.
	attachFilter(fd, filter)
	setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
	return fd
}

/** The index of an interface; Trouble when there is none of that name. */
export function interfaceIndex(name: string): number {
	const c = libc()
	const { address, bytes } = arena()
	const at = scratch()
	bytes.fill(0, at, at + 16)
	for (let i = 0; i < Math.min(name.length, 15); i++) bytes[at + i] = name.charCodeAt(i)
	ifNameToIndex ??= c.load('libc.so.6').func('uint if_nametoindex(uintptr_t)')
	const index = ifNameToIndex(address + at)
	if (index > 0) return index
	const known = Object.keys(os.networkInterfaces()).join(', ')
	throw new Trouble('find', `interface ${name}`, `there are ${known}`, 'ENODEV')
}

let ifNameToIndex: ((...args: number[]) => number) | undefined

/** struct sockaddr_ll at a place in the arena. */
export function writeLinkAddress(
	at: number, ethertype: number, ifindex: number, mac: Uint8Array | undefined,
): void {
	const { bytes, words } = arena()
	bytes.fill(0, at, at + 32)
	words[at >> 2] = AF_PACKET | ((ethertype >>> 8) << 16) | ((ethertype & 255) << 24)
	words[(at >> 2) + 1] = ifindex
	if (mac === undefined) return
	bytes[at + 11] = mac.length
	bytes.set(mac, at + 12)
}

/** Instructions of the longest filter. */
const PROGRAM_MAX = 512
let programAt = -1

/** Replaces the filter at once if there was one. */
export function attachFilter(fd: number, filter: readonly Instruction[]): void {
	const { address, bytes, words } = arena()
	if (programAt < 0) programAt = take(8 * PROGRAM_MAX)
	const program = programAt
	assert(filter.length <= PROGRAM_MAX, 'the program fits')
	filter.forEach(([code, jt, jf, k], i) => {
		bytes[program + 8 * i] = code
		bytes[program + 8 * i + 1] = code >> 8
		bytes[program + 8 * i + 2] = jt
		bytes[program + 8 * i + 3] = jf
		words[(program >> 2) + 2 * i + 1] = k
	})
	const at = scratch()
	words[at >> 2] = filter.length
	writePointer((at >> 2) + 2, address + program)
	if (libc().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, address + at, 16) !== 0) {
		fail('attach', 'packet filter')
	}
}

/** False when the kernel does not know it. */
export function setOption(fd: number, level: number, option: number, value: number): boolean {
	const { address, words } = arena()
	const at = scratch()
	words[at >> 2] = value
	return libc().setsockopt(fd, level, option, address + at, 4) === 0
}

export function writePointer(word: number, address: number): void {
	const { words } = arena()
	words[word] = address
	words[word + 1] = Math.floor(address / 2 ** 32)
}

let scratchAt = -1

/** 64 bytes for the arguments of one call. */
export function scratch(): number {
	if (scratchAt < 0) scratchAt = take(64)
	return scratchAt
}

/** Bytes of the arena for good: sockets of a gateway live as long as its process. */
export function take(n: number): number {
	const at = reserve(n)
	if (at < 0) throw new Trouble('reserve', `${n} bytes`, 'the arena is full')
	return at
}
