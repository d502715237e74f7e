// A network of UDP hosts in virtual time. Hosts bind addresses; a route is one or more links, each
// with its own conditions; attackers tap every packet at its sender and inject what they like. No
// clock: the world says when it is, and takes what has arrived. All chance comes from one seed.

import type { Bytes } from '../../src/base/bytes.ts'
import type { Slot } from '../../src/base/slots.ts'
import type { Nanos } from '../../src/base/time.ts'
import { Link, type Conditions } from './link.ts'
import { EventQueue } from './queue.ts'
import { Rng } from './rng.ts'

/** Larger than any CurveCP packet, so that wrong lengths travel too. */
export const CELL_BYTES = 2048
/** Binding this port takes every port of the address; slots then carry the port as local. */
export const ANY_PORT = -1

/** One bound address; change it with Host.rebind, as a NAT does behind the back of a host. */
export interface Endpoint {
	address: number
	port: number
	/** Slot.local of packets that arrive here; those sent with this local leave from here. */
	readonly local: number
}

/** A packet as a tap sees it; bytes[at, at + n) may be changed in place, during this call. */
export interface Passing {
	bytes: Bytes
	at: number
	n: number
	fromAddress: number
	fromPort: number
	toAddress: number
	toPort: number
	now: Nanos
}
export type Tap = (packet: Passing) => 'pass' | 'drop'


export class Host {
	readonly name: string
	readonly index: number
	readonly endpoints: Endpoint[] = []
	readonly #bound: Map<number, Binding>

	constructor(name: string, index: number, bound: Map<number, Binding>) {
		this.name = name
		this.index = index
		this.#bound = bound
	}

	bind(address: number, port: number, local = 0): Endpoint {
		const endpoint = { address, port, local }
		this.#take(endpoint)
		this.endpoints.push(endpoint)
		return endpoint
	}

	/** From now on the endpoint is there; what is on its way to the old place is lost. */
	rebind(endpoint: Endpoint, address: number, port: number): void {
		this.#bound.delete(placeOf(endpoint.address, endpoint.port))
		endpoint.address = address
		endpoint.port = port
		this.#take(endpoint)
	}

	#take(endpoint: Endpoint): void {
		const place = placeOf(endpoint.address, endpoint.port)
		if (this.#bound.has(place)) throw new Error(`${this.name}: address and port are taken`)
		this.#bound.set(place, { host: this, endpoint })
	}
}

interface Binding {
	host: Host
	endpoint: Endpoint
}

function placeOf(address: number, port: number): number {
	return address * 0x20000 + (port === ANY_PORT ? 0x10000 : port)
}

/** The links of a route, shared by the packets on it. */
type Route = readonly Link[]

export class Network {
	readonly seed: number
	readonly hosts: Host[] = []
	/** Packets to an address that nobody had bound when they left or arrived. */
	unroutable = 0
	/** Packets that taps took away. */
	tapped = 0
	sent = 0
	arrived = 0
	/** Changes with every arrival, its time, ends and bytes: equal runs have equal hashes. */
	traceHash = 0x811c9dc5
	readonly #rng: Rng
	readonly #usual: Partial<Conditions>
	readonly #bound: Map<number, Binding> = new Map()
	readonly #routes: Map<number, Route> = new Map()
	readonly #taps: Tap[] = []
	readonly #flights = new Flights()
	readonly #queue = new EventQueue()
	readonly #passing: Passing = {
		bytes: new Uint8Array(0), at: 0, n: 0, now: 0,
		fromAddress: 0, fromPort: 0, toAddress: 0, toPort: 0,
	}

	/** Routes that nobody set have one link each way, with these conditions. */
	constructor(seed: number, usual: Partial<Conditions> = {}) {
		this.seed = seed
		this.#usual = usual
		this.#rng = new Rng(seed)
	}

	addHost(name: string): Host {
		const host = new Host(name, this.hosts.length, this.#bound)
		this.hosts.push(host)
		return host
	}

	/** A link that routes may share: a bottleneck. */
	makeLink(name: string, conditions: Partial<Conditions>): Link {
		return new Link(name, conditions, this.#rng.fork())
	}

	setRoute(from: Host, to: Host, links: readonly Link[]): void {
		if (links.length === 0) throw new Error('a route needs a link')
		this.#routes.set(from.index * 0x10000 + to.index, links)
	}

	/** The first link of the way from one host to the other. */
	link(from: Host, to: Host): Link {
		return this.#route(from, to)[0]!
	}

	/** The same conditions both ways. */
	between(a: Host, b: Host, conditions: Partial<Conditions>): void {
		this.link(a, b).set(conditions)
		this.link(b, a).set(conditions)
	}

	tap(tap: Tap): void {
		this.#taps.push(tap)
	}

	untap(tap: Tap): void {
		const at = this.#taps.indexOf(tap)
		if (at !== -1) this.#taps.splice(at, 1)
	}

	/** A host sends a slot that its machine has filled: address and port are the receiver's. */
	send(from: Host, slot: Slot, now: Nanos): void {
		this.sent++
		const source = sourceOf(from, slot.local)
		const port = source.port === ANY_PORT ? slot.local : source.port
		const to = this.#boundAt(slot.address, slot.port)
		const { bytes, length } = slot
		if (length > CELL_BYTES) throw new Error(`${from.name} sent ${length} bytes`)
		if (this.#taps.length > 0 && !this.#pass(slot, source.address, port, now)) {
			this.tapped++
			return
		}
		if (to === undefined) {
			this.unroutable++
			return
		}
		const route = this.#route(from, to.host)
		const { address } = source
		const id = this.#flights.take(bytes, 0, length, address, port, slot.address, slot.port)
		this.#enter(id, route, 0, now)
	}

	/** An attacker's packet, under any source, arrives after the delay; no link touches it. */
	inject(
		p: Bytes, source: { address: number, port: number }, to: { address: number, port: number },
		now: Nanos, delay: Nanos = 0,
	): void {
		const { address, port } = source
		const id = this.#flights.take(p, 0, p.length, address, port, to.address, to.port)
		this.#queue.push(now + delay, id)
	}

	/** When the next packet arrives somewhere, or at the end of a link; NEVER: none is on its way. */
	nextArrival(): Nanos {
		return this.#queue.next()
	}

	/** Takes one packet that has arrived by now into the slot; undefined when there is no more. */
	arrive(slot: Slot, now: Nanos): Host | undefined {
		const flights = this.#flights
		while (this.#queue.next() <= now) {
			const time = this.#queue.next()
			const id = this.#queue.pop()
			const route = flights.routes[id]
			const hop = flights.hops[id]! + 1
			if (route !== undefined && hop < route.length) {
				this.#enter(id, route, hop, time)
				continue
			}
			const to = this.#boundAt(flights.toAddress[id]!, flights.toPort[id]!)
			if (to === undefined) {
				this.unroutable++
				flights.free(id)
				continue
			}
			this.arrived++
			flights.copyTo(slot, id)
			slot.local = to.endpoint.port === ANY_PORT ? flights.toPort[id]! : to.endpoint.local
			this.#trace(slot, to.host, time)
			flights.free(id)
			return to.host
		}
		return undefined
	}

	#pass(slot: Slot, fromAddress: number, fromPort: number, now: Nanos): boolean {
		const passing = this.#passing
		passing.bytes = slot.bytes
		passing.at = 0
		passing.n = slot.length
		passing.fromAddress = fromAddress
		passing.fromPort = fromPort
		passing.toAddress = slot.address
		passing.toPort = slot.port
		passing.now = now
		// Every tap sees the packet, also when another one takes it away.
		let pass = true
		for (const tap of this.#taps) if (tap(passing) === 'drop') pass = false
		return pass
	}

	#enter(id: number, route: Route, hop: number, now: Nanos): void {
		const flights = this.#flights
		const link = route[hop]!
		const copies = link.enter(flights.lengths[id]!, now)
		if (copies === 0) {
			flights.free(id)
			return
		}
		flights.routes[id] = route
		flights.hops[id] = hop
		// The second copy is made before the first one may be damaged.
		const twin = copies === 2 ? flights.copyOf(id) : -1
		flights.flip(id, link.flips[0])
		this.#queue.push(link.arrivals[0], id)
		if (twin === -1) return
		flights.flip(twin, link.flips[1])
		this.#queue.push(link.arrivals[1], twin)
	}

	#route(from: Host, to: Host): Route {
		const key = from.index * 0x10000 + to.index
		let route = this.#routes.get(key)
		if (route === undefined) {
			route = [this.makeLink(`${from.name} to ${to.name}`, this.#usual)]
			this.#routes.set(key, route)
		}
		return route
	}

	#boundAt(address: number, port: number): Binding | undefined {
		return this.#bound.get(placeOf(address, port)) ?? this.#bound.get(placeOf(address, ANY_PORT))
	}

	#trace(slot: Slot, to: Host, time: Nanos): void {
		let hash = this.traceHash
		hash = Math.imul(hash ^ to.index, 0x01000193)
		hash = Math.imul(hash ^ slot.address ^ slot.port, 0x01000193)
		hash = Math.imul(hash ^ (time >>> 0) ^ Math.floor(time / 0x100000000), 0x01000193)
		hash = Math.imul(hash ^ slot.length, 0x01000193)
		const { bytes, length } = slot
		for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
		this.traceHash = hash >>> 0
	}
}

function sourceOf(host: Host, local: number): Endpoint {
	const { endpoints } = host
	// With one address there is no choice, whatever local means to the machine.
	if (endpoints.length === 1) return endpoints[0]!
	for (const endpoint of endpoints) if (endpoint.local === local) return endpoint
	// 0 means "whichever"; a host with a whole address sends from any port of it.
	const other = endpoints.find((endpoint) => local === 0 || endpoint.port === ANY_PORT)
	if (other === undefined) throw new Error(`${host.name} has no local ${local}`)
	return other
}

/** Packets on their way, in one growing block of cells. */
class Flights {
	lengths = new Int32Array(0)
	hops = new Int32Array(0)
	fromAddress = new Float64Array(0)
	fromPort = new Int32Array(0)
	toAddress = new Float64Array(0)
	toPort = new Int32Array(0)
	/** undefined: injected, over no link. */
	readonly routes: (Route | undefined)[] = []
	#cells: Bytes = new Uint8Array(0)
	readonly #free: number[] = []

	take(
		p: Bytes, at: number, n: number,
		fromAddress: number, fromPort: number, toAddress: number, toPort: number,
	): number {
		if (this.#free.length === 0) this.#grow()
		const id = this.#free.pop()!
		this.lengths[id] = n
		this.fromAddress[id] = fromAddress
		this.fromPort[id] = fromPort
		this.toAddress[id] = toAddress
		this.toPort[id] = toPort
		this.routes[id] = undefined
		this.hops[id] = 0
		this.#cells.set(p.subarray(at, at + n), id * CELL_BYTES)
		return id
	}

	copyOf(id: number): number {
		const at = id * CELL_BYTES
		if (this.#free.length === 0) this.#grow()
		const twin = this.take(
			this.#cells, at, this.lengths[id]!,
			this.fromAddress[id]!, this.fromPort[id]!, this.toAddress[id]!, this.toPort[id]!,
		)
		this.routes[twin] = this.routes[id]
		this.hops[twin] = this.hops[id]!
		return twin
	}

	flip(id: number, bit: number): void {
		if (bit === -1) return
		const at = id * CELL_BYTES + (bit >> 3)
		this.#cells[at] = this.#cells[at]! ^ (1 << (bit & 7))
	}

	/** As the receiver sees it: address and port are the sender's. */
	copyTo(slot: Slot, id: number): void {
		const n = this.lengths[id]!
		slot.bytes.set(this.#cells.subarray(id * CELL_BYTES, id * CELL_BYTES + n))
		slot.length = n
		slot.address = this.fromAddress[id]!
		slot.port = this.fromPort[id]!
	}

	free(id: number): void {
		this.routes[id] = undefined
		this.#free.push(id)
	}

	#grow(): void {
		const old = this.lengths.length
		const count = Math.max(64, 2 * old)
		const cells = new Uint8Array(count * CELL_BYTES)
		cells.set(this.#cells)
		this.#cells = cells
		this.lengths = larger(this.lengths, new Int32Array(count))
		this.hops = larger(this.hops, new Int32Array(count))
		this.fromAddress = larger(this.fromAddress, new Float64Array(count))
		this.fromPort = larger(this.fromPort, new Int32Array(count))
		this.toAddress = larger(this.toAddress, new Float64Array(count))
		this.toPort = larger(this.toPort, new Int32Array(count))
		for (let id = count - 1; id >= old; id--) this.#free.push(id)
	}
}

function larger<T extends Int32Array | Float64Array>(old: T, fresh: T): T {
	fresh.set(old)
	return fresh
}
