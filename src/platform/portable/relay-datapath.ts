// The unprivileged datapath: ordinary UDP sockets on the public ports, the same decision, and a
// relay behind it. No root; mobility and the client's address end at the gateway.

import { copy, fill, readU16BE, type Bytes } from '../../base/bytes.ts'
import type { Random } from '../../base/random.ts'
import { makeSlot, type Slot } from '../../base/slots.ts'
import type { Forwarder, Verdict } from '../../gateway/forward.ts'
import {
	FRAME_BYTES, IPV4_BYTES, IPV4_DESTINATION, IPV6_DESTINATION, IPV6_HEADER_BYTES, makeFrame,
	UDP_DESTINATION, type Frame,
} from '../../gateway/frame.ts'
import { IPV6_BYTES } from '../../wire/ip.ts'
import { now } from '../clock.ts'
import { DATAGRAM_MAX, frameDatagram, type Datapath } from '../datapath.ts'
import { count, type Udp, type UdpCounters, type UdpOptions } from '../udp.ts'
import { Relay } from './relay.ts'

const BATCH = 32
const SLOT_BYTES = 1536
const BUFFER_BYTES = 1 << 20

export type OpenUdp = (options: UdpOptions) => Promise<Udp>

export class RelayDatapath implements Datapath {
	readonly name = 'relay'
	readonly notes = [
		'servers see the gateway as their client: no mobility, no limits by client address',
		'no direct server return, and local clients cannot share the public address',
	]
	readonly #forwarder: Forwarder
	readonly #openUdp: OpenUdp
	readonly #relay: Relay
	readonly #sockets = new Map<number, Udp>()
	readonly #slots: Slot[] = []
	readonly #out: Slot = makeSlot(new Uint8Array(SLOT_BYTES))
	readonly #frame: Frame = makeFrame(new ArrayBuffer(FRAME_BYTES), 0)
	readonly #target = { address: new Uint8Array(IPV6_BYTES), isIpv6: false, port: 0 }
	readonly #losses: UdpCounters = new Map()

	constructor(forwarder: Forwarder, openUdp: OpenUdp, random: Random) {
		this.#forwarder = forwarder
		this.#openUdp = openUdp
		this.#relay = new Relay((client, clientPort, publicPort, datagram) => {
			this.#reply(client, clientPort, publicPort, datagram)
		}, random)
		for (let i = 0; i < BATCH; i++) this.#slots.push(makeSlot(new Uint8Array(SLOT_BYTES)))
	}

	async start(): Promise<void> {
		const { address, ports } = this.#forwarder.tables
		try {
			for (const port of ports) {
				const udp = await this.#openUdp({
					address: address >>> 0, port, answerFromAsked: false, receiveBufferBytes: BUFFER_BYTES,
					sendBufferBytes: BUFFER_BYTES,
				})
				this.#sockets.set(port, udp)
				udp.listen({ readable: () => this.#turn(udp, port), unreachable: () => undefined })
			}
		} catch (error) {
			this.stop()
			throw error
		}
	}

	async refresh(): Promise<void> {
		// The tables are read at every packet.
	}

	#turn(udp: Udp, port: number): void {
		const n = udp.receiveBatch(this.#slots, BATCH)
		const time = now()
		for (let i = 0; i < n; i++) this.#receive(this.#slots[i]!, port, time)
		if (n === BATCH) setImmediate(() => this.#turn(udp, port))
	}

	#receive(slot: Slot, port: number, time: number): void {
		if (slot.length > DATAGRAM_MAX) return count(this.#losses, 'truncated')
		const frame = this.#frame
		const { address } = this.#forwarder.tables
		const ends = { from: slot.address, fromPort: slot.port, to: address, toPort: port }
		const datagram = slot.bytes.subarray(0, slot.length)
		frameDatagram(frame, ends, datagram)
		const verdict = this.#forwarder.decide(frame, 'wan', time)
		if (verdict.action !== 'forward') return
		if (verdict.way === 'mac') return count(this.#losses, 'mac target')
		readTarget(frame, verdict, this.#target)
		// To ourselves there is no way through a socket on the same port.
		if (verdict.way === 'own' && this.#target.port === port) return count(this.#losses, 'own port')
		this.#relay.forward(slot.address, slot.port, port, this.#target, datagram)
	}

	#reply(client: number, clientPort: number, publicPort: number, datagram: Bytes): void {
		const udp = this.#sockets.get(publicPort)
		if (udp === undefined) return
		copy(this.#out.bytes, 0, datagram, 0, datagram.length)
		this.#out.length = datagram.length
		this.#out.address = client
		this.#out.port = clientPort
		if (udp.sendBatch([this.#out], 0, 1) === 0) count(this.#losses, 'EAGAIN')
		else this.#forwarder.forwardedOut++
	}

	losses(): Map<string, number> {
		const all = new Map(this.#losses)
		for (const [name, n] of this.#relay.counters) count(all, name, n)
		for (const udp of this.#sockets.values()) for (const [name, n] of udp.counters) count(all, name,
			n)
		return all
	}

	stop(): void {
		this.#relay.close()
		for (const udp of this.#sockets.values()) udp.close()
		this.#sockets.clear()
	}
}

/** Where the rewritten packet of a verdict goes. */
export function readTarget(
	frame: Frame, verdict: Verdict, to: { address: Bytes, isIpv6: boolean, port: number },
): void {
	const { bytes: p } = frame
	to.isIpv6 = p[verdict.at]! >> 4 === 6
	const header = to.isIpv6 ? IPV6_HEADER_BYTES : IPV4_BYTES
	to.port = readU16BE(p, verdict.at + header + UDP_DESTINATION)
	if (to.isIpv6) return copy(to.address, 0, p, verdict.at + IPV6_DESTINATION, IPV6_BYTES)
	fill(to.address, 0, 12, 0)
	copy(to.address, 12, p, verdict.at + IPV4_DESTINATION, 4)
}
