// Holds a UDP port that userspace serves through packet sockets: the kernel sees every packet too, and
// would answer "port unreachable" if nobody listened. The socket's filter refuses them all unread.

import { writeU16BE, writeU32BE } from '../../base/bytes.ts'
import { arena } from './arena.ts'
import { REFUSE_ALL } from './bpf.ts'
import { fail, libc } from './libc.ts'
import { attachFilter, scratch } from './packet-socket.ts'

const AF_INET = 2
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000
const SOCKADDR_IN_BYTES = 16

/** Returns what releases it; undefined when somebody else has the port. */
export function holdPort(address: number, port: number): (() => void) | undefined {
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
	if (c.bind(fd, base + at, SOCKADDR_IN_BYTES) === 0) return () => void c.close(fd)
	c.close(fd)
	return undefined
}
