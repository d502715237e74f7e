// The kernel's structures of 64-bit Linux, as offsets in the arena: arrays of struct mmsghdr with
// their iovec, sockaddr_in and control messages.

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
	readonly headers: number
	readonly iovecs: number
	readonly names: number
	readonly controls: number
	/** count × bufferBytes; for sending, where the data is in slots, none. */
	readonly buffers: number
}

/** undefined: the arena is full. */
export function makeMessages(count: number, bufferBytes: number): Messages | undefined {
	const header = 4 * MESSAGE_WORDS
	const head = count * (header + 4 * IOVEC_WORDS + NAME_SIZE + CONTROL_SPACE)
	const headers = reserve(head + count * bufferBytes)
	if (headers < 0) return undefined
	const iovecs = headers + count * header
	const names = iovecs + count * 4 * IOVEC_WORDS
	const controls = names + count * NAME_SIZE
	const messages = { headers, iovecs, names, controls, buffers: headers + head }
	const { address } = arena()
	for (let i = 0; i < count; i++) {
		const word = (headers >> 2) + i * MESSAGE_WORDS
		writeAddress(word + NAME, address + names + NAME_SIZE * i)
		writeAddress(word + IOVEC, address + iovecs + 4 * IOVEC_WORDS * i)
		writeAddress(word + CONTROL, address + controls + CONTROL_SPACE * i)
	}
	return messages
}

/** Writes a pointer: two words, whatever its height. */
export function writeAddress(word: number, address: number): void {
	const { words } = arena()
	words[word] = address
	words[word + 1] = address < 0x100000000 ? 0 : address / 0x100000000
}
