// Holds a UDP port that userspace serves through packet sockets: the kernel sees every packet too,
// and would answer "port unreachable" if nobody listened. The socket's filter refuses them all
// unread.

import { readU16BE, writeU16BE, writeU32BE } from '../../base/bytes.ts'
import { arena } from './arena.ts'
import { REFUSE_ALL } from './bpf.ts'
import { fail, libc } from './libc.ts'
import { attachFilter, scratch } from './packet-socket.ts'

const AF_INET = 2
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000
const SOCKADDR_IN_BYTES = 16

export interface HeldPort {
	readonly port: number
	release(): void
}

/** port 0: any free one. undefined when somebody else has it. */
export function holdPort(address: number, port: number): HeldPort | undefined {
	const c = libc()
	const fd = c.socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0)
	if (fd < 0) fail('open', 'UDP socket')
	attachFilter(fd, REFUSE_ALL)
	const at = scratch()
	const { address: base, bytes, words } = arena()
	words.fill(0, at >> 2, (at >> 2) + 4)
	bytes[at] = AF_INET
	writeU16BE(bytes, at + 2, port)
	writeU32BE(bytes, at + 4, address)
	if (c.bind(fd, base + at, SOCKADDR_IN_BYTES) !== 0) {
		c.close(fd)
		return undefined
	}
	words[(at >> 2) + 8] = SOCKADDR_IN_BYTES
	if (c.getsockname(fd, base + at, base + at + 32) !== 0) fail('ask', 'port of a UDP socket')
	return { port: readU16BE(bytes, at + 2), release: () => void c.close(fd) }
}
