// A bad network in real time, on loopback: between a client and a server that know nothing of it,
// with the faults of the simulated one. Each client has its own upstream port, as behind a NAT,
// until the NAT forgets. Timers are late by a millisecond or two; the order is kept.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import type { Nanos } from '../../src/base/time.ts'
import { Link, type Conditions } from '../sim/link.ts'
import { EventQueue } from '../sim/queue.ts'
import { Rng } from '../sim/rng.ts'

export type Direction = 'toServer' | 'toClient'

export interface RelayOptions {
	/** Where the server is. */
	readonly server: { address: string, port: number }
	readonly seed: number
	/** Both directions. */
	readonly conditions?: Partial<Conditions>
	/** What differs in one of them. */
	readonly toServer?: Partial<Conditions>
	readonly toClient?: Partial<Conditions>
	/** True: this packet never arrives. number: how many came before it in this direction. */
	readonly drop?: (packet: Buffer, direction: Direction, number: number) => boolean
	/** Where clients find the relay. */
	readonly address?: string
}

/** One client and the port that stands for it. */
interface Flow {
	readonly client: { address: string, port: number }
	/** Set as soon as the flow exists: the socket's handler knows its flow. */
	upstream: Socket | undefined
}

interface Pending {
	readonly packet: Buffer
	readonly direction: Direction
	readonly flow: Flow
}

export class Relay {
	readonly links: Record<Direction, Link>
	/** Packets taken away by drop, and packets that came in. */
	readonly dropped = { toServer: 0, toClient: 0 }
	readonly entered = { toServer: 0, toClient: 0 }
	port = 0
	readonly #options: RelayOptions
	readonly #front: Socket
	readonly #flows: Map<string, Flow> = new Map()
	readonly #queue = new EventQueue()
	readonly #pending: Map<number, Pending> = new Map()
	#count = 0
	#timer: NodeJS.Timeout | undefined
	#timerAt: Nanos = Infinity

	private constructor(options: RelayOptions) {
		const { seed, conditions } = options
		const rng = new Rng(seed)
		this.#options = options
		this.links = {
			toServer: new Link('to server', { ...conditions, ...options.toServer }, rng.fork()),
			toClient: new Link('to client', { ...conditions, ...options.toClient }, rng.fork()),
		}
		this.#front = createSocket('udp4')
		this.#front.on('message', (packet, from) => this.#fromClient(packet, from))
	}

	static async start(options: RelayOptions): Promise<Relay> {
		const relay = new Relay(options)
		relay.#front.bind({ address: options.address ?? '127.0.0.1', port: 0 })
		await once(relay.#front, 'listening')
		relay.port = relay.#front.address().port
		return relay
	}

	/** The ports under which the server knows the clients. */
	upstreamPorts(): number[] {
		return [...this.#flows.values()].map(({ upstream }) => upstream!.address().port)
	}

	/** The NAT forgets: every client has a new port upstream, and answers to the old one are lost. */
	async rebind(): Promise<void> {
		await Promise.all([...this.#flows.values()].map(async (flow) => {
			const old = flow.upstream
			const fresh = this.#openUpstream(flow)
			flow.upstream = fresh
			// The old one is closed last, so that its port cannot be given out again.
			await once(fresh, 'listening')
			old?.close()
		}))
	}

	close(): void {
		clearTimeout(this.#timer)
		this.#front.close()
		for (const { upstream } of this.#flows.values()) upstream?.close()
		this.#flows.clear()
		this.#pending.clear()
	}

	#fromClient(packet: Buffer, from: RemoteInfo): void {
		const key = `${from.address}:${from.port}`
		let flow = this.#flows.get(key)
		if (flow === undefined) {
			const client = { address: from.address, port: from.port }
			flow = { client, upstream: undefined }
			flow.upstream = this.#openUpstream(flow)
			this.#flows.set(key, flow)
		}
		this.#enter(packet, 'toServer', flow)
	}

	#openUpstream(flow: Flow): Socket {
		const socket = createSocket('udp4')
		const { address, port } = this.#options.server
		socket.on('message', (packet, from) => {
			// Strangers do not get through a NAT; and what a forgotten port hears is lost.
			if (from.address !== address || from.port !== port || flow.upstream !== socket) return
			this.#enter(packet, 'toClient', flow)
		})
		socket.bind({ address: address.startsWith('127.') ? '127.0.0.1' : '0.0.0.0', port: 0 })
		return socket
	}

	#enter(packet: Buffer, direction: Direction, flow: Flow): void {
		const number = this.entered[direction]++
		if (this.#options.drop?.(packet, direction, number) === true) {
			this.dropped[direction]++
			return
		}
		const link = this.links[direction]
		const copies = link.enter(packet.length, nowNanos())
		for (let copy = 0; copy < copies; copy++) {
			const id = this.#count++
			const flip = link.flips[copy]!
			const bytes = flip === -1 ? packet : flipped(packet, flip)
			this.#pending.set(id, { packet: bytes, direction, flow })
			this.#queue.push(link.arrivals[copy]!, id)
		}
		this.#deliver()
	}

	/** Everything that is due, in its order; then one timer for the next. */
	#deliver(): void {
		while (this.#queue.next() <= nowNanos()) {
			const id = this.#queue.pop()
			const pending = this.#pending.get(id)
			this.#pending.delete(id)
			if (pending !== undefined) this.#send(pending)
		}
		const next = this.#queue.next()
		if (next === this.#timerAt) return
		clearTimeout(this.#timer)
		this.#timerAt = next
		if (next === Infinity) return
		const wait = Math.ceil((next - nowNanos()) / 1e6)
		this.#timer = setTimeout(() => {
			this.#timerAt = Infinity
			this.#deliver()
		}, Math.max(0, wait))
	}

	#send({ packet, direction, flow }: Pending): void {
		if (direction === 'toServer') {
			const { address, port } = this.#options.server
			flow.upstream?.send(packet, port, address, ignore)
		} else {
			this.#front.send(packet, flow.client.port, flow.client.address, ignore)
		}
	}
}

/** What cannot be sent is lost: that is what networks do. */
function ignore(): void {}

function nowNanos(): Nanos {
	return Math.floor(performance.now() * 1e6)
}

function flipped(packet: Buffer, bit: number): Buffer {
	const copy = Buffer.from(packet)
	copy[bit >> 3]! ^= 1 << (bit & 7)
	return copy
}
