// Sends whole IP packets by sendmmsg, straight from the frames that they were received in: raw
// sockets, where the kernel routes and finds the neighbour, and a packet socket for a given MAC. A
// packet lies still from put to flush.

import { writeU16BE, type Bytes } from '../../base/bytes.ts'
import { IPV4_DESTINATION, IPV6_DESTINATION } from '../../gateway/frame.ts'
import { MAC_BYTES } from '../../gateway/target.ts'
import { arena } from './arena.ts'
import { errnoName, fail, libc, type Libc } from './libc.ts'
import {
	BATCH, ETHERTYPE_IPV4, ETHERTYPE_IPV6, interfaceIndex, IOVEC_WORDS, MESSAGE_IOVEC,
	MESSAGE_IOVECS, MESSAGE_NAME, MESSAGE_NAME_BYTES, MESSAGE_WORDS, setOption, SOCKADDR_LL_BYTES,
	take, writeLinkAddress,
	writePointer,
} from './packet-socket.ts'

const AF_INET = 2
const AF_INET6 = 10
const AF_PACKET = 17
const SOCK_DGRAM = 2
const SOCK_RAW = 3
const CLOEXEC = 0x80000
const IPPROTO_RAW = 255
const IPPROTO_IPV6 = 41
const IPV6_HDRINCL = 36
const SOL_SOCKET = 1
const SO_BINDTODEVICE = 25
const SO_SNDBUFFORCE = 32
const SEND_BUFFER = 8 << 20
const MSG_DONTWAIT = 0x40

const NAME_BYTES = 32
const SOCKADDR_IN_BYTES = 16
const SOCKADDR_IN6_BYTES = 28

export type SenderKind = 'ipv4' | 'ipv6' | 'mac'

export class RawSender {
	/** Packets that the kernel refused, by errno name. */
	readonly losses = new Map<string, number>()
	readonly #libc: Libc = libc()
	readonly #fd: number
	readonly #kind: SenderKind
	readonly #headers: number
	readonly #iovecs: number
	readonly #names: number
	#count = 0

	/** ifname undefined: by the routing table alone (for servers on this machine). */
	constructor(kind: SenderKind, ifname: string | undefined) {
		const c = this.#libc
		this.#kind = kind
		const family = kind === 'ipv4' ? AF_INET : kind === 'ipv6' ? AF_INET6 : AF_PACKET
		const raw = kind !== 'mac'
		this.#fd = c.socket(family, (raw ? SOCK_RAW : SOCK_DGRAM) | CLOEXEC, raw ? IPPROTO_RAW : 0)
		if (this.#fd < 0) fail('open', 'raw socket (needs CAP_NET_RAW)')
		setOption(this.#fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER)
		if (kind === 'ipv6') setOption(this.#fd, IPPROTO_IPV6, IPV6_HDRINCL, 1)
		if (ifname !== undefined && raw) this.#bindTo(ifname)
		this.#headers = take(BATCH * 4 * MESSAGE_WORDS)
		this.#iovecs = take(BATCH * 4 * IOVEC_WORDS)
		this.#names = take(BATCH * NAME_BYTES)
		this.#prepare(kind === 'mac' ? interfaceIndex(ifname ?? '') : 0)
	}

	#bindTo(ifname: string): void {
		const { address, bytes } = arena()
		const at = take(16)
		for (let i = 0; i < Math.min(15, ifname.length); i++) bytes[at + i] = ifname.charCodeAt(i)
		const n = ifname.length + 1
		if (this.#libc.setsockopt(this.#fd, SOL_SOCKET, SO_BINDTODEVICE, address + at, n) !== 0) {
			fail('bind', `raw socket to ${ifname}`)
		}
	}

	#prepare(ifindex: number): void {
		const { address, words } = arena()
		const nameBytes = this.#kind === 'ipv4' ? SOCKADDR_IN_BYTES
			: this.#kind === 'ipv6' ? SOCKADDR_IN6_BYTES : SOCKADDR_LL_BYTES
		for (let i = 0; i < BATCH; i++) {
			const header = (this.#headers >> 2) + i * MESSAGE_WORDS
			const name = this.#names + i * NAME_BYTES
			words.fill(0, header, header + MESSAGE_WORDS)
			words.fill(0, name >> 2, (name + NAME_BYTES) >> 2)
			if (this.#kind === 'mac') {
				writeLinkAddress(name, ETHERTYPE_IPV4, ifindex, new Uint8Array(MAC_BYTES))
			} else {
				words[name >> 2] = this.#kind === 'ipv4' ? AF_INET : AF_INET6
			}
			writePointer(header + MESSAGE_NAME, address + name)
			words[header + MESSAGE_NAME_BYTES] = nameBytes
			writePointer(header + MESSAGE_IOVEC, address + this.#iovecs + i * 4 * IOVEC_WORDS)
			words[header + MESSAGE_IOVECS] = 1
		}
	}

	/** Queues the IP packet p[at, at + n), p in the arena; mac: for kind 'mac'. */
	put(p: Bytes, at: number, n: number, mac: Bytes): void {
		if (this.#count === BATCH) this.flush()
		const { address, bytes, words } = arena()
		const iovec = (this.#iovecs >> 2) + this.#count * IOVEC_WORDS
		writePointer(iovec, address + p.byteOffset + at)
		words[iovec + 2] = n
		words[iovec + 3] = 0
		const name = this.#names + this.#count * NAME_BYTES
		switch (this.#kind) {
			case 'ipv4':
				for (let i = 0; i < 4; i++) bytes[name + 4 + i] = p[at + IPV4_DESTINATION + i]!
				break
			case 'ipv6':
				for (let i = 0; i < 16; i++) bytes[name + 8 + i] = p[at + IPV6_DESTINATION + i]!
				break
			case 'mac':
				writeU16BE(bytes, name + 2, p[at]! >> 4 === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4)
				for (let i = 0; i < MAC_BYTES; i++) bytes[name + 12 + i] = mac[i]!
		}
		this.#count++
	}

	/** Hands everything queued to the kernel; what it refuses is lost and counted, as in a router. */
	flush(): void {
		const { address } = arena()
		let done = 0
		while (done < this.#count) {
			const from = address + this.#headers + done * 4 * MESSAGE_WORDS
			const sent = this.#libc.sendmmsg(this.#fd, from, this.#count - done, MSG_DONTWAIT)
			if (sent > 0) {
				done += sent
				continue
			}
			const name = errnoName(this.#libc.errno())
			this.losses.set(name, (this.losses.get(name) ?? 0) + 1)
			done++
		}
		this.#count = 0
	}

	close(): void {
		this.#libc.close(this.#fd)
	}
}
