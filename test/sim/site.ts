// A provider's site in the virtual world: an anycast address, equal gateways behind an ECMP hash,
// and a rack of servers whose default route is the same hash over the same gateways. Between the
// machines of the site travel whole IPv4 packets, as on its cables.
//
//   clients ── edge 192.0.2.1 ══ gateway 0, 1, 2 ══ rack 10.64.0.0/16
//
// The gateways know a sealing key and a fence, and nothing of each other. The edge and the rack
// take a dead one out of their hash some time later, as routing protocols do.

import type { Bytes } from '../../src/base/bytes.ts'
import type { Random } from '../../src/base/random.ts'
import { makeSlot, type Slot } from '../../src/base/slots.ts'
import { NEVER, type Nanos } from '../../src/base/time.ts'
import { Fence } from '../../src/gateway/fence.ts'
import { Forwarder } from '../../src/gateway/forward.ts'
import {
	FRAME_AT, FRAME_BYTES, IPV4_BYTES, IPV4_DESTINATION, IPV4_SOURCE, makeFrame, readAddress,
	UDP_BYTES, type Frame,
} from '../../src/gateway/frame.ts'
import { Sealer, type SealKeys } from '../../src/gateway/sealed.ts'
import { Tables } from '../../src/gateway/tables.ts'
import { Forbidden } from '../../src/gateway/target.ts'
import { frameDatagram, type Ends } from '../../src/platform/datapath.ts'
import type { Messenger } from '../../src/message/messenger.ts'
import { parsePrefix4 } from '../../src/wire/ip.ts'
import { CELL_BYTES } from './network.ts'
import { ServerNode } from './peers.ts'
import type { Node } from './world.ts'

export const PUBLIC = 0xc0000201
export const PORT = 4000
const SERVERS = 0x0a400000
/** Where the machines of the site reach each other. */
export const EDGE = { address: 0xac100001, port: 1 }
export const RACK = { address: 0xac100002, port: 1 }
export const WAN = 1
export const LAN = 2
const UPLINK = 1
export const DOWNLINK = 2

export function gatewayPlace(i: number, side: number): { address: number, port: number } {
	return { address: 0xac100100 + i, port: side }
}

export function serverAddress(i: number): number {
	return SERVERS + i
}

/** An equal-cost route: which gateway a flow takes. Everybody moves when their number changes. */
export class Ecmp {
	members: number[]
	readonly #salt: number

	constructor(members: readonly number[], salt: number) {
		this.members = [...members]
		this.#salt = salt
	}

	pick(address: number, port: number): number {
		let hash = Math.imul(address ^ this.#salt, 0x9e3779b1) ^ Math.imul(port, 0x85ebca6b)
		hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35)
		return this.members[((hash ^ (hash >>> 16)) >>> 0) % this.members.length] ?? -1
	}
}

/** One whole IP packet on its way out. */
class Outgoing {
	readonly frame: Frame = makeFrame(new ArrayBuffer(FRAME_BYTES), 0)
	to: { address: number, port: number } | undefined
	at = 0
	length = 0

	load(packet: Slot): Frame {
		const { frame } = this
		frame.at = FRAME_AT
		frame.length = packet.length
		frame.bytes.set(packet.bytes.subarray(0, packet.length), FRAME_AT)
		return frame
	}

	wrap(ends: Ends, packet: Slot): void {
		frameDatagram(this.frame, ends, packet.bytes.subarray(0, packet.length))
		this.at = this.frame.at
		this.length = this.frame.length
	}

	take(out: Slot, local: number): boolean {
		if (this.to === undefined) return false
		out.bytes.set(this.frame.bytes.subarray(this.at, this.at + this.length))
		out.length = this.length
		out.address = this.to.address
		out.port = this.to.port
		out.local = local
		this.to = undefined
		return true
	}
}

/** The datagram of a whole packet, with the addresses that it carries. */
function unwrap(packet: Slot, to: Slot, addressField: number): void {
	const { bytes: p } = packet
	const isSource = addressField === IPV4_SOURCE
	const portAt = IPV4_BYTES + (isSource ? 0 : 2)
	to.address = readAddress(p, addressField) >>> 0
	to.port = (p[portAt]! << 8) | p[portAt + 1]!
	to.length = packet.length - IPV4_BYTES - UDP_BYTES
	to.bytes.set(p.subarray(IPV4_BYTES + UDP_BYTES, packet.length))
}

/** The provider's router: the public address towards clients, the hash towards gateways. */
export class EdgeNode implements Node {
	readonly #ecmp: Ecmp
	readonly #inward = new Outgoing()
	readonly #outward: Slot = makeSlot(new Uint8Array(CELL_BYTES))

	constructor(ecmp: Ecmp) {
		this.#ecmp = ecmp
	}

	receive(packet: Slot): string | undefined {
		if (packet.local === UPLINK) {
			unwrap(packet, this.#outward, IPV4_DESTINATION)
			return undefined
		}
		const gateway = this.#ecmp.pick(packet.address, packet.port)
		if (gateway < 0) return 'no gateway'
		this.#inward.wrap({
			from: packet.address, fromPort: packet.port, to: PUBLIC, toPort: PORT,
		}, packet)
		this.#inward.to = gatewayPlace(gateway, WAN)
		return undefined
	}

	transmit(out: Slot): boolean {
		if (this.#inward.take(out, UPLINK)) return true
		const slot = this.#outward
		if (slot.length === 0) return false
		out.bytes.set(slot.bytes.subarray(0, slot.length))
		out.length = slot.length
		out.address = slot.address
		out.port = slot.port
		out.local = DOWNLINK
		slot.length = 0
		return true
	}

	wakeAt(): Nanos {
		return NEVER
	}

	wake(): void {}
}

/** One of the equal gateways: the real decision, between two cables. */
export class GatewayNode implements Node {
	readonly forwarder: Forwarder
	dead = false
	readonly #outgoing = new Outgoing()

	constructor(keys: SealKeys, random: Random) {
		const prefix = parsePrefix4('10.64.0.0/16')!
		this.forwarder = new Forwarder(new Tables({
			address: PUBLIC, ports: [PORT], clientsPrefix: undefined,
			forbidden: new Forbidden([PUBLIC], []), routesMax: 16,
			fence: new Fence([{ kind: 'ipv4', prefix }], [PORT]), sealer: new Sealer(keys),
		}, random))
	}

	/** As a reload does after `curvegate seal rotate`. */
	rekey(keys: SealKeys): void {
		const { tables } = this.forwarder
		tables.setFence(tables.fence, new Sealer(keys))
	}

	receive(packet: Slot, now: Nanos): string | undefined {
		if (this.dead) return 'dead'
		const outgoing = this.#outgoing
		const side = packet.local === WAN ? 'wan' : 'lan'
		const verdict = this.forwarder.decide(outgoing.load(packet), side, now)
		if (verdict.action !== 'forward') return verdict.action === 'drop' ? verdict.drop : 'pass'
		outgoing.at = verdict.at
		outgoing.length = verdict.length
		outgoing.to = verdict.way === 'lan' ? RACK : EDGE
		return undefined
	}

	transmit(out: Slot): boolean {
		const { to } = this.#outgoing
		return this.#outgoing.take(out, to === RACK ? LAN : WAN)
	}

	wakeAt(): Nanos {
		return NEVER
	}

	wake(): void {}
}

export interface RackOptions {
	readonly servers: number
	readonly down: (server: number) => number
	readonly secretKeyOf: (server: number) => Bytes
	readonly random: Random
	readonly makeLayer: (now: Nanos) => Messenger
}

/**
 * Every server of the site. A machine is made when its first packet comes, and forgotten when its
 * only connection is: what is left of it is its key, which is where it began.
 */
export class RackNode implements Node {
	/** Of each server: connections that it opened, and what their programs have read in all. */
	readonly opened: Uint16Array
	readonly read: Float64Array
	/** Servers whose streams had a wrong byte, or no end. */
	readonly wrong: number[] = []
	/** The most that lived at once. */
	highWater = 0
	readonly #ecmp: Ecmp
	readonly #options: RackOptions
	readonly #living: { server: number, node: ServerNode }[] = []
	readonly #byServer: (ServerNode | undefined)[] = []
	readonly #outgoing = new Outgoing()
	readonly #inner: Slot = makeSlot(new Uint8Array(CELL_BYTES))
	/** Those to ask, with their time: a server sleeps until then or a packet. */
	readonly #ready = new Set<number>()
	#wakes: Float64Array
	#next: Nanos = NEVER

	constructor(ecmp: Ecmp, options: RackOptions) {
		this.#ecmp = ecmp
		this.#options = options
		this.opened = new Uint16Array(options.servers)
		this.read = new Float64Array(options.servers)
		this.#wakes = new Float64Array(options.servers).fill(NEVER)
	}

	get living(): number {
		return this.#living.length
	}

	at(server: number): ServerNode | undefined {
		return this.#byServer[server]
	}

	receive(packet: Slot, now: Nanos): string | undefined {
		const server = (readAddress(packet.bytes, IPV4_DESTINATION) >>> 0) - SERVERS
		if (server < 0 || server >= this.#options.servers) return 'nobody'
		unwrap(packet, this.#inner, IPV4_SOURCE)
		this.#ready.add(server)
		return (this.#byServer[server] ?? this.#make(server, now)).receive(this.#inner, now)
	}

	#make(server: number, now: Nanos): ServerNode {
		const { random, down, secretKeyOf, makeLayer } = this.#options
		const node = new ServerNode({
			random, connections: 1, down: down(server), extension: 'any',
			secretKey: secretKeyOf(server), makeLayer, now,
		})
		this.#byServer[server] = node
		this.#living.push({ server, node })
		this.highWater = Math.max(this.highWater, this.#living.length)
		return node
	}

	turn(now: Nanos): boolean {
		let busy = false
		for (const server of this.#ready) busy = this.#byServer[server]?.turn(now) === true || busy
		return busy
	}

	transmit(out: Slot, now: Nanos): boolean {
		for (const server of this.#ready) {
			const node = this.#byServer[server]
			this.#inner.length = 0
			if (node?.transmit(this.#inner, now) === true) {
				const { address, port } = this.#inner
				this.#outgoing.wrap({
					from: serverAddress(server), fromPort: PORT, to: address, toPort: port,
				}, this.#inner)
				const gateway = this.#ecmp.pick(address, port)
				this.#outgoing.to = gateway < 0 ? undefined : gatewayPlace(gateway, LAN)
				return this.#outgoing.take(out, UPLINK)
			}
			this.#ready.delete(server)
			const at = node?.wakeAt() ?? NEVER
			this.#wakes[server] = at
			this.#next = Math.min(this.#next, at)
		}
		return false
	}

	wakeAt(): Nanos {
		return this.#next
	}

	wake(now: Nanos): void {
		if (now < this.#next) return
		this.#next = NEVER
		for (let i = this.#living.length - 1; i >= 0; i--) {
			const { server, node } = this.#living[i]!
			if (this.#wakes[server]! <= now) {
				node.wake(now)
				this.#ready.add(server)
				if (this.#isOver(server, node, now)) this.#forget(i)
			} else this.#next = Math.min(this.#next, this.#wakes[server]!)
		}
	}

	#isOver(server: number, node: ServerNode, now: Nanos): boolean {
		node.turn(now)
		const [program] = node.programs
		if (program === undefined || node.endpoint.size > 0) return false
		this.opened[server]! += node.programs.length
		for (const { read } of node.programs) this.read[server]! += read
		if (program.wrong >= 0 || program.incomingEnd !== 'success') this.wrong.push(server)
		return true
	}

	#forget(i: number): void {
		const { server } = this.#living[i]!
		this.#byServer[server] = undefined
		this.#ready.delete(server)
		this.#wakes[server] = NEVER
		this.#living[i] = this.#living[this.#living.length - 1]!
		this.#living.pop()
	}
}
