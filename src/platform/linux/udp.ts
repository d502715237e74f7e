// UDP by recvmmsg and sendmmsg: one socket, also on 0.0.0.0, that knows which of our addresses was
// asked (IP_PKTINFO); nothing allocated for a datagram or a batch. The parts: receive.ts, send.ts,
// waker.ts (readiness), arena.ts (memory that the kernel may see).

import type { Slot } from '../../base/slots.ts'
import type { Nanos } from '../../base/time.ts'
import { giveBack } from '../given-back.ts'
import {
	addressText, count, type Udp, type UdpCounters, type UdpHandlers, type UdpOptions,
} from '../udp.ts'
import { arena, reserve, type Arena } from './arena.ts'
import { errnoName, fail, libc, type Libc } from './libc.ts'
import {
	AF_INET, IP_PKTINFO, IPPROTO_IP, NAME_SIZE, SOL_UDP, UDP_GRO, UDP_SEGMENT,
} from './messages.ts'
import { Receive } from './receive.ts'
import { Send } from './send.ts'
import { openWaker, type Waker } from './waker.ts'

const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0x80800
const SOL_SOCKET = 1
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const SO_SNDBUFFORCE = 32
const SO_RCVBUFFORCE = 33
const SO_MEMINFO = 55
/** Of SO_MEMINFO's words: datagrams for which the receive buffer had no room. */
const MEMINFO_DROPS = 8
const IP_MTU_DISCOVER = 10
const IP_PMTUDISC_DONT = 0

/** Throws Trouble. */
export function openLinuxUdp(options: UdpOptions): Udp {
	return new LinuxUdp(options)
}

/** One argument of a system call at a time stands here. */
let scratch = -1

class LinuxUdp implements Udp {
	readonly name = 'linux'
	readonly address: number
	readonly port: number
	readonly notes: string[] = []
	/** The port that was asked for. */
	readonly #asked: number
	readonly #counters: UdpCounters = new Map()
	readonly #arena: Arena
	readonly #libc: Libc
	readonly #fd: number
	readonly #receive: Receive
	readonly #send: Send
	readonly #waker: Waker
	#handlers: UdpHandlers | undefined
	#peerAddress = 0
	#peerPort = 0
	#closed = false

	constructor(options: UdpOptions) {
		this.#asked = options.port
		this.#libc = libc()
		this.#arena = arena()
		if (scratch < 0) scratch = reserve(64)
		const where = `${addressText(options.address)}:${options.port}`
		const [fd, port] = this.#openSocket(options, where)
		this.#fd = fd
		this.address = options.address
		this.port = port
		try {
			this.#waker = openWaker(fd, () => this.#handlers?.readable())
		} catch (error) {
			this.#libc.close(fd)
			throw error
		}
		this.#receive = new Receive(fd, this.#counters, options.answerFromAsked)
		const segments = this.#set(SOL_UDP, UDP_SEGMENT, 0)
		if (!segments) this.notes.push('this kernel has no UDP_SEGMENT (Linux 4.18)')
		this.#send = new Send(fd, this.#counters, segments, (name) => this.#refused(name))
		this.#setOptions(options)
	}

	#setOptions(options: UdpOptions): void {
		// Fragments may arise on the way, as with the reference: protocol.md 3.4
		this.#set(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
		if (options.answerFromAsked) this.#set(IPPROTO_IP, IP_PKTINFO, 1)
		if (!this.#set(SOL_UDP, UDP_GRO, 1)) this.notes.push('this kernel has no UDP_GRO (Linux 5.0)')
		this.#setBuffer('receive', options.receiveBufferBytes, SO_RCVBUFFORCE, SO_RCVBUF)
		this.#setBuffer('send', options.sendBufferBytes, SO_SNDBUFFORCE, SO_SNDBUF)
	}

	/**
	 * Port 0: the kernel's choice is bound once more by its number, because a port that it chose is
	 * lost when the socket is disconnected from its peer (udp_disconnect).
	 */
	#openSocket(options: UdpOptions, where: string): [number, number] {
		for (let port = options.port; ;) {
			const fd = this.#libc.socket(AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0)
			if (fd < 0) fail('make', 'UDP socket')
			this.#writeName(AF_INET, options.address, port)
			if (this.#libc.bind(fd, this.#arena.address + scratch, NAME_SIZE) !== 0) {
				const errno = this.#libc.errno()
				this.#libc.close(fd)
				if (options.port !== 0 || port === 0) fail('bind', where, errno)
				port = 0
				continue
			}
			if (port !== 0) return [fd, port]
			port = this.#boundPort(fd)
			this.#libc.close(fd)
		}
	}

	#boundPort(fd: number): number {
		const { address, bytes, words } = this.#arena
		words[(scratch >> 2) + 8] = NAME_SIZE
		this.#libc.getsockname(fd, address + scratch, address + scratch + 32)
		return bytes[scratch + 2]! * 256 + bytes[scratch + 3]!
	}

	#writeName(family: number, address: number, port: number): void {
		const { bytes } = this.#arena
		bytes.fill(0, scratch, scratch + NAME_SIZE)
		bytes[scratch] = family
		bytes[scratch + 2] = port >>> 8
		bytes[scratch + 3] = port
		for (let i = 0; i < 4; i++) bytes[scratch + 4 + i] = address >>> (24 - 8 * i)
	}

	#set(level: number, option: number, value: number): boolean {
		const { address, words } = this.#arena
		words[scratch >> 2] = value
		return this.#libc.setsockopt(this.#fd, level, option, address + scratch, 4) === 0
	}

	#get(level: number, option: number, word: number): number {
		const { address, words } = this.#arena
		words[(scratch >> 2) + 15] = 60
		this.#libc.getsockopt(this.#fd, level, option, address + scratch, address + scratch + 60)
		return words[(scratch >> 2) + word]!
	}

	/** With CAP_NET_ADMIN beyond the system's bound, else up to it; and says what came of it. */
	#setBuffer(what: string, wanted: number, force: number, option: number): void {
		if (!this.#set(SOL_SOCKET, force, wanted)) this.#set(SOL_SOCKET, option, wanted)
		// The kernel doubles what it grants, for its own bookkeeping.
		const got = this.#get(SOL_SOCKET, option, 0) / 2
		if (got >= wanted) return
		const knob = what === 'receive' ? 'rmem_max' : 'wmem_max'
		this.notes.push(`${what} buffer ${got} of ${wanted} bytes: raise net.core.${knob}`)
	}

	/** With what the kernel counts itself. */
	get counters(): UdpCounters {
		if (!this.#closed) {
			const overrun = this.#get(SOL_SOCKET, SO_MEMINFO, MEMINFO_DROPS)
			if (overrun > 0) this.#counters.set('overrun', overrun)
		}
		return this.#counters
	}

	listen(handlers: UdpHandlers): void {
		this.#handlers = handlers
		this.#waker.arm()
	}

	receiveBatch(slots: readonly Slot[], max: number): number {
		if (this.#closed) return 0
		let n = this.#receive.batch(slots, max)
		if (n < 0) {
			const name = errnoName(this.#libc.errno())
			if (name !== 'EAGAIN' && name !== 'EINTR') this.#refused(name)
			n = 0
		}
		if (n < max && this.#handlers !== undefined) this.#waker.arm()
		return n
	}

	/** An error that the network reported for something sent earlier, or the interface is down. */
	#refused(name: string): void {
		count(this.#counters, name)
		if (name !== 'ECONNREFUSED' && name !== 'EHOSTUNREACH') return
		if (this.#peerAddress !== 0) this.#handlers?.unreachable(this.#peerAddress, this.#peerPort)
	}

	sendBatch(slots: readonly Slot[], from: number, n: number): number {
		return this.#closed ? n : this.#send.batch(slots, from, n)
	}

	wakeAfter(delay: Nanos): boolean {
		this.#waker.wakeAfter(delay)
		return true
	}

	connect(address: number, port: number): void {
		if (this.#closed) return
		this.#writeName(address === 0 ? 0 : AF_INET, address, port)
		const done = this.#libc.connect(this.#fd, this.#arena.address + scratch, NAME_SIZE) === 0
		if (!done) count(this.#counters, errnoName(this.#libc.errno()))
		// After a failure the old peer, if any, may still be the kernel's: then names are safer.
		this.#send.named = !done || address === 0
		this.#peerAddress = done ? address : 0
		this.#peerPort = done ? port : 0
	}

	close(): void {
		if (this.#closed) return
		this.#closed = true
		this.#waker.close()
		this.#libc.close(this.#fd)
		this.#receive.close()
		giveBack(this.#asked)
	}
}
