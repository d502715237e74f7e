// UDP on node:dgram, for every system. It allocates a buffer and three objects for each datagram
// received and cannot tell which of our addresses was asked: so a server on 0.0.0.0 has one socket
// for each address of this machine and looks every few seconds for new ones. (127.0.0.2 and its
// like belong to no interface list: bind those by name.)

import dgram from 'node:dgram'
import os from 'node:os'
import type { Slot } from '../../base/slots.ts'
import { giveBack } from '../given-back.ts'
import { codeOf, troubleOf } from '../trouble.ts'
import {
	addressOf, addressText, count, type Udp, type UdpCounters, type UdpHandlers, type UdpOptions,
} from '../udp.ts'

/** Datagrams between two turns of the event loop; libuv reads at most 32 of a socket at once. */
const QUEUE_MAX = 1024
const ADDRESS_CHECK_MS = 5000
const TEXTS_MAX = 1024
/** The largest UDP payload over IPv4. */
const DATAGRAM_MAX = 65507

type Found = (error: null, text: string, family: number) => void

/** Addresses are numbers already: without this dgram would ask the resolver, a tick later. */
function lookup(text: string, _: unknown, done: Found): void {
	done(null, text, 4)
}

export async function openPortableUdp(options: UdpOptions): Promise<Udp> {
	const everyAddress = options.address === 0 && options.answerFromAsked
	const addresses = everyAddress ? ourAddresses() : [options.address]
	for (let attempt = 0; ; attempt++) {
		const udp = new PortableUdp(options, everyAddress)
		if (options.port === 0) udp.port = await freePort(options.address)
		try {
			for (const address of addresses) await udp.add(address)
			return udp
		} catch (error) {
			udp.close()
			if (options.port !== 0 || attempt === 9) throw error
		}
	}
}

/**
 * One port for all sockets, bound by its number: a socket that the kernel chose a port for loses
 * it when it is disconnected from its peer (udp_disconnect).
 */
export async function freePort(address: number): Promise<number> {
	const socket = dgram.createSocket({ type: 'udp4', lookup })
	await bind(socket, address, 0)
	const { port } = socket.address()
	await new Promise<void>((resolve) => socket.close(resolve))
	return port
}

async function bind(socket: dgram.Socket, address: number, port: number): Promise<void> {
	await new Promise<void>((resolve, reject) => {
		socket.once('error', (error: NodeJS.ErrnoException) => {
			socket.close()
			reject(troubleOf('bind', `${addressText(address)}:${port}`, error))
		})
		socket.bind({ address: addressText(address), port, exclusive: true }, resolve)
	})
	socket.removeAllListeners('error')
}

function ourAddresses(): number[] {
	const addresses = new Set<number>()
	for (const list of Object.values(os.networkInterfaces())) {
		for (const one of list ?? []) {
			const address = one.family === 'IPv4' ? addressOf(one.address) : undefined
			if (address !== undefined) addresses.add(address)
		}
	}
	return [...addresses]
}

function isConnected(socket: dgram.Socket): boolean {
	try {
		return socket.remoteAddress().port > 0
	} catch {
		return false
	}
}

class PortableUdp implements Udp {
	readonly name = 'portable'
	readonly address: number
	port: number
	readonly counters: UdpCounters = new Map()
	readonly notes: string[] = []
	readonly #options: UdpOptions
	readonly #sockets = new Map<number, dgram.Socket>()
	#checking: NodeJS.Timeout | undefined
	#handlers: UdpHandlers | undefined
	/** A ring of what came since the last receiveBatch: [#head, #head + #waiting). */
	readonly #data = new Array<Uint8Array | undefined>(QUEUE_MAX).fill(undefined)
	readonly #from = new Array<number>(QUEUE_MAX).fill(0)
	readonly #fromPort = new Array<number>(QUEUE_MAX).fill(0)
	readonly #local = new Array<number>(QUEUE_MAX).fill(0)
	#head = 0
	#waiting = 0
	/** readable() is owed for the next datagram. */
	#armed = false
	#scheduled = false
	#closed = false
	#peer = { address: 0, port: 0 }
	/** libuv keeps the pointer of a send that did not fit; so it never gets the slot itself. */
	readonly #scratch = new Uint8Array(DATAGRAM_MAX)
	#held: dgram.Socket | undefined
	readonly #texts = new Map<number, string>()

	constructor(options: UdpOptions, everyAddress: boolean) {
		this.#options = options
		this.address = options.address
		this.port = options.port
		if (!everyAddress) return
		this.#checking = setInterval(() => this.#checkAddresses(), ADDRESS_CHECK_MS)
		this.#checking.unref()
	}

	async add(address: number): Promise<void> {
		const socket = dgram.createSocket({ type: 'udp4', lookup })
		await bind(socket, address, this.port)
		if (this.#closed) {
			socket.close()
			return
		}
		this.#setBuffers(socket)
		const local = this.#options.answerFromAsked ? address : 0
		socket.on('message', (data, from) => this.#arrived(data, from.address, from.port, local))
		socket.on('error', (error: NodeJS.ErrnoException) => this.#failed(error))
		this.#sockets.set(address, socket)
	}

	#setBuffers(socket: dgram.Socket): void {
		const { receiveBufferBytes, sendBufferBytes } = this.#options
		socket.setRecvBufferSize(receiveBufferBytes)
		socket.setSendBufferSize(sendBufferBytes)
		if (this.#sockets.size > 0) return
		// The kernel doubles what it grants, for its own bookkeeping.
		const got = socket.getRecvBufferSize() / 2
		const sending = socket.getSendBufferSize() / 2
		if (got < receiveBufferBytes) {
			this.notes.push(
				`receive buffer ${got} of ${receiveBufferBytes} bytes: raise net.core.rmem_max`)
		}
		if (sending < sendBufferBytes) {
			this.notes.push(
				`send buffer ${sending} of ${sendBufferBytes} bytes: raise net.core.wmem_max`)
		}
	}

	#checkAddresses(): void {
		const addresses = ourAddresses()
		for (const [address, socket] of this.#sockets) {
			if (addresses.includes(address)) continue
			this.#sockets.delete(address)
			socket.close()
		}
		for (const address of addresses) {
			if (this.#sockets.has(address)) continue
			this.add(address).catch((error: unknown) => {
				count(this.counters, codeOf(error) ?? 'bind')
			})
		}
	}

	#arrived(data: Uint8Array, from: string, port: number, local: number): void {
		if (this.#waiting === QUEUE_MAX) {
			count(this.counters, 'overrun')
			return
		}
		const i = (this.#head + this.#waiting++) % QUEUE_MAX
		this.#data[i] = data
		this.#from[i] = addressOf(from) ?? 0
		this.#fromPort[i] = port
		this.#local[i] = local
		if (this.#armed) this.#schedule()
	}

	/**
	 * After all that this round of the event loop brought, so that one call takes a whole batch.
	 */
	#schedule(): void {
		this.#armed = false
		if (this.#scheduled) return
		this.#scheduled = true
		setImmediate(() => {
			this.#scheduled = false
			if (!this.#closed) this.#handlers?.readable()
		})
	}

	#failed(error: NodeJS.ErrnoException): void {
		count(this.counters, error.code ?? 'unknown')
		if (error.code === 'ECONNREFUSED' && this.#peer.address !== 0) {
			this.#handlers?.unreachable(this.#peer.address, this.#peer.port)
		}
	}

	listen(handlers: UdpHandlers): void {
		this.#handlers = handlers
		this.#armed = true
		if (this.#waiting > 0) this.#schedule()
	}

	receiveBatch(slots: readonly Slot[], max: number): number {
		let n = 0
		while (n < max && this.#waiting > 0) {
			const i = this.#head
			const data = this.#data[i]!
			const slot = slots[n]!
			this.#data[i] = undefined
			this.#head = (i + 1) % QUEUE_MAX
			this.#waiting--
			if (data.length > slot.bytes.length) {
				count(this.counters, 'truncated')
				continue
			}
			slot.bytes.set(data)
			slot.length = data.length
			slot.address = this.#from[i]!
			slot.port = this.#fromPort[i]!
			slot.local = this.#local[i]!
			n++
		}
		if (n < max) this.#armed = true
		return n
	}

	readonly #sent = (error: NodeJS.ErrnoException | null): void => {
		if (error !== null) this.#failed(error)
	}

	sendBatch(slots: readonly Slot[], from: number, n: number): number {
		if (this.#closed) return n
		for (let i = 0; i < n; i++) {
			const slot = slots[from + i]!
			const socket = this.#socketFor(slot.local)
			if (socket === undefined) {
				count(this.counters, 'EADDRNOTAVAIL')
				continue
			}
			// While libuv still holds one datagram, it holds our scratch memory too.
			if (this.#held !== undefined) {
				if (this.#held.getSendQueueCount() > 0) return i
				this.#held = undefined
			}
			this.#scratch.set(slot.bytes.subarray(0, slot.length))
			if (this.#peer.address !== 0) socket.send(this.#scratch, 0, slot.length, this.#sent)
			else if (slot.port === 0) {
				count(this.counters, 'EINVAL')
				continue
			} else {
				const to = this.#text(slot.address)
				socket.send(this.#scratch, 0, slot.length, slot.port, to, this.#sent)
			}
			if (socket.getSendQueueCount() > 0) this.#held = socket
		}
		return n
	}

	#socketFor(local: number): dgram.Socket | undefined {
		const socket = this.#sockets.get(local)
		if (socket !== undefined || (local !== 0 && this.#sockets.size > 1)) return socket
		for (const any of this.#sockets.values()) return any
		return undefined
	}

	#text(address: number): string {
		let text = this.#texts.get(address)
		if (text === undefined) {
			if (this.#texts.size >= TEXTS_MAX) this.#texts.clear()
			text = addressText(address)
			this.#texts.set(address, text)
		}
		return text
	}

	wakeAfter(): boolean {
		return false
	}

	connect(address: number, port: number): void {
		if (this.#closed) return
		const text = addressText(address)
		let connected = address !== 0
		for (const socket of this.#sockets.values()) {
			if (this.#peer.address !== 0) socket.disconnect()
			if (address === 0) continue
			socket.connect(port, text)
			connected &&= isConnected(socket)
		}
		this.#peer = connected ? { address, port } : { address: 0, port: 0 }
	}

	close(): void {
		if (this.#closed) return
		this.#closed = true
		clearInterval(this.#checking)
		// One that never got its port has none to give back.
		if (this.#sockets.size > 0) giveBack(this.#options.port)
		for (const socket of this.#sockets.values()) socket.close()
		this.#sockets.clear()
	}
}
