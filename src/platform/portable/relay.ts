// A relay: each client's datagrams go on from a socket of their own, and what comes back to that
// socket goes back to the client. Needs no privilege; the server sees the gateway as the client.
// Bounded.

import dgram from 'node:dgram'
import { copy, fill, writeU16BE, writeU32BE, type Bytes } from '../../base/bytes.ts'
import { randomBelow, type Random } from '../../base/random.ts'
import { MILLISECOND, NEVER } from '../../base/time.ts'
import { FlowTable } from '../../gateway/flow.ts'
import { checkDatagram, isToServer } from '../../gateway/datagram.ts'
import { RELAY_FLOWS_MAX, RELAY_LIFE } from '../../limits.ts'
import { formatIpv6, IPV6_BYTES } from '../../wire/ip.ts'
import { now } from '../clock.ts'
import { addressText, count, type UdpCounters } from '../udp.ts'

/** Sends a datagram to a client from a public port. */
export type Reply = (client: number, clientPort: number, publicPort: number, datagram: Bytes) =>
	void

/** Where a flow leads: 16 bytes, IPv4 addresses after twelve zeros, and a port. */
export interface RelayTarget {
	readonly address: Bytes
	readonly isIpv6: boolean
	readonly port: number
}

// Flow key: target (16), its port (2), the client's port (2), its address (4), public port (2),
// zeros
const KEY_BYTES = IPV6_BYTES + 12

interface Flow {
	readonly socket: dgram.Socket
	readonly host: string
	readonly port: number
}

export class Relay {
	readonly counters: UdpCounters = new Map()
	readonly #table: FlowTable
	readonly #flows: (Flow | undefined)[]
	readonly #reply: Reply
	readonly #key: Bytes = new Uint8Array(KEY_BYTES)
	#timer: NodeJS.Timeout | undefined

	constructor(reply: Reply, random: Random, flowsMax = RELAY_FLOWS_MAX, life = RELAY_LIFE) {
		const key = (): number => randomBelow(random, 0x100000000)
		this.#table = new FlowTable(flowsMax, KEY_BYTES, life, key(), key())
		this.#flows = new Array<Flow | undefined>(flowsMax).fill(undefined)
		this.#reply = reply
	}

	get flows(): number {
		return this.#table.count
	}

	/** datagram is copied before return. */
	forward(
		client: number, clientPort: number, publicPort: number, target: RelayTarget, datagram: Bytes,
	): void {
		const time = now()
		copy(this.#key, 0, target.address, 0, IPV6_BYTES)
		writeU16BE(this.#key, 16, target.port)
		writeU16BE(this.#key, 18, clientPort)
		writeU32BE(this.#key, 20, client)
		writeU16BE(this.#key, 24, publicPort)
		fill(this.#key, 26, 2, 0)
		let row = this.#table.find(this.#key, 0, time)
		if (row < 0) {
			this.#expire()
			row = this.#table.insert(this.#key, 0, time)
			if (row < 0) return count(this.counters, 'full')
			this.#flows[row] = this.#open(row, client, clientPort, publicPort, target)
			this.#await()
		}
		const { socket, host, port } = this.#flows[row]!
		// Node keeps the bytes until they are sent, the caller's frame is used again before.
		socket.send(Uint8Array.from(datagram), port, host, (error) => {
			if (error !== null) count(this.counters, 'code' in error ? String(error.code) : error.message)
		})
	}

	#open(
		row: number, client: number, clientPort: number, publicPort: number, target: RelayTarget,
	): Flow {
		// The caller uses its target again for the next packet.
		const { address: view, port, isIpv6 } = target
		const host = isIpv6
			? formatIpv6(view)
			: addressText((view[12]! * 2 ** 24) + (view[13]! << 16) + (view[14]! << 8) + view[15]!)
		const socket = dgram.createSocket(isIpv6 ? 'udp6' : 'udp4')
		socket.on('error', (error) => count(this.counters, error.name))
		socket.on('message', (datagram, from) => {
			// Only what our server says, and only CurveCP's packets to a client.
			if (from.port !== port || from.address !== host) return
			if (checkDatagram(datagram, 0, datagram.length) !== undefined
				|| isToServer(datagram, 0)) return
			this.#table.touch(row, now())
			this.#reply(client, clientPort, publicPort, datagram)
		})
		return { socket, host, port }
	}

	#expire(): void {
		const time = now()
		for (let row = this.#table.expire(time); row >= 0; row = this.#table.expire(time)) {
			this.#flows[row]?.socket.close()
			this.#flows[row] = undefined
		}
	}

	#await(): void {
		if (this.#timer !== undefined) return
		const at = this.#table.wakeAt()
		if (at === NEVER) return
		this.#timer = setTimeout(() => {
			this.#timer = undefined
			this.#expire()
			this.#await()
		}, Math.max(100, (at - now()) / MILLISECOND))
		this.#timer.unref()
	}

	close(): void {
		clearTimeout(this.#timer)
		for (const flow of this.#flows) flow?.socket.close()
		this.#flows.fill(undefined)
	}
}
