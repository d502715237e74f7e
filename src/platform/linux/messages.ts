// The kernel's structures of 64-bit Linux, as offsets in the arena: arrays of struct mmsghdr with
// their iovec, sockaddr_in and control messages. One block is made for a socket and used again by
// the next one when it is closed.

import { Trouble } from '../trouble.ts'
import { arena, reserve } from './arena.ts'

/** struct mmsghdr, in 32-bit words. */
export const MESSAGE_WORDS = 16
export const NAME = 0
export const NAME_BYTES = 2
export const IOVEC = 4
export const IOVEC_COUNT = 6
export const CONTROL = 8
export const CONTROL_BYTES = 10
export const FLAGS = 12
export const DATA_BYTES = 14

/** struct iovec */
export const IOVEC_WORDS = 4
export const IOVEC_LENGTH = 2

/** struct sockaddr_in: family and port (high byte first) in the first word, the address next. */
export const NAME_WORDS = 4
export const AF_INET = 2
export const NAME_SIZE = 16

/** struct cmsghdr: length, level, type; then the data. */
export const CONTROL_LEVEL = 2
export const CONTROL_TYPE = 3
export const CONTROL_DATA = 4
export const CONTROL_SPACE = 64

/** struct in_pktinfo: interface, our own address, the header's. */
export const PKTINFO_LENGTH = 16 + 12
export const PKTINFO_SPACE = 32
export const PKTINFO_LOCAL = CONTROL_DATA + 1
export const SEGMENT_LENGTH = 16 + 2
export const SEGMENT_SPACE = 24

export const IPPROTO_IP = 0
export const IP_PKTINFO = 8
export const SOL_UDP = 17
export const UDP_SEGMENT = 103
export const UDP_GRO = 104

/** Where the parts of one array of messages begin, in bytes from the arena's start. */
export interface Messages {
	readonly count: number
	readonly headers: number
	readonly iovecs: number
	readonly names: number
	readonly controls: number
	/** count × bufferBytes; for sending, where the data is in slots, none. */
	readonly buffers: number
	readonly bufferBytes: number
}

/** Blocks of closed sockets, by their kind. */
const spare = new Map<string, Messages[]>()

function kind(count: number, iovecs: number, bufferBytes: number): string {
	return `${count} ${iovecs} ${bufferBytes}`
}

export function makeMessages(count: number, iovecs: number, bufferBytes: number): Messages {
	const used = spare.get(kind(count, iovecs, bufferBytes))?.pop()
	if (used !== undefined) return used
	const sizes = [64 * count, 16 * iovecs, 16 * count, CONTROL_SPACE * count, bufferBytes * count]
	let at = reserve(sizes.reduce((sum, size) => sum + size))
	if (at < 0) throw new Trouble('open', 'one more socket', 'memory for fast sockets is used up')
	const [headers = 0, iovecAt = 0, names = 0, controls = 0, buffers = 0] = sizes.map((size) => {
		at += size
		return at - size
	})
	return { count, headers, iovecs: iovecAt, names, controls, buffers, bufferBytes }
}

export function freeMessages(messages: Messages, iovecs: number): void {
	const name = kind(messages.count, iovecs, messages.bufferBytes)
	const list = spare.get(name)
	if (list === undefined) spare.set(name, [messages])
	else list.push(messages)
}

/** Writes a pointer: two words, whatever its height. */
export function writeAddress(word: number, address: number): void {
	const { words } = arena()
	words[word] = address
	words[word + 1] = address < 0x100000000 ? 0 : address / 0x100000000
}
