// Everything that a decision looks at: routes, locals, fence, rates. Made once at start; a reload
// changes it in place, so that no packet ever meets half of a table.

import { copy, writeU16BE, writeU32BE, type Bytes } from '../base/bytes.ts'
import { toHex } from '../base/hex.ts'
import { randomBelow, type Random } from '../base/random.ts'
import type { Nanos } from '../base/time.ts'
import {
	BUCKETS, CHANGED_PORT_LIFE, CHANGED_PORTS_MAX, ICMP_RATE, SOURCE_RATE, TARGET_RATE,
} from '../limits.ts'
import { EXTENSION_BYTES } from '../wire/packets.ts'
import { Buckets, type Rate } from './buckets.ts'
import { decodeExtension, Place, type Decoder } from './encoding.ts'
import type { Fence } from './fence.ts'
import { FlowTable } from './flow.ts'
import { Locals } from './locals.ts'
import { KIND_IPV6, KIND_MAC, PLACE_BYTES, RouteTable } from './route.ts'
import type { Sealer } from './sealed.ts'
import { formatTarget, type Forbidden, type Target } from './target.ts'

/** An IPv6 server sees the IPv4 clients under a prefix of 96 bits. */
export const CLIENTS_PREFIX_BYTES = 12

export interface Settings {
	/** The public IPv4 address; first octet highest. */
	readonly address: number
	/** The public UDP ports; at least one. */
	readonly ports: readonly number[]
	/** Twelve bytes; undefined: IPv6 targets are refused. */
	readonly clientsPrefix: Bytes | undefined
	readonly forbidden: Forbidden
	/** undefined: no extension carries its own address. */
	readonly fence: Fence | undefined
	readonly sealer: Sealer | undefined
	readonly routesMax: number
	readonly sourceRate?: Rate
	readonly targetRate?: Rate
	readonly icmpRate?: Rate
}

// Origin key: server's extension (16), client's address (4), its port (2), zeros (2)
const ORIGIN_BYTES = EXTENSION_BYTES + 8

/** Who wants to know what changes, to keep a copy in step. */
export interface RouteChanges {
	routeSet(extension: Bytes, target: Target): void
	routeDeleted(extension: Bytes, target: Target): void
	localAdded(target: Target): void
	localRemoved(target: Target): void
}

export class Tables {
	changes: RouteChanges | undefined
	/** The public IPv4 address as a signed integer, as every address on the data path. */
	address: number
	readonly ports: readonly number[]
	readonly clientsPrefix: Bytes | undefined
	forbidden: Forbidden
	readonly routes: RouteTable
	readonly locals: Locals
	readonly sources: Buckets
	readonly targets: Buckets
	readonly icmp: Buckets
	/** The same limits for a datapath that counts by itself. */
	readonly sourceRate: Rate
	readonly targetRate: Rate
	/** Where the extension looked up last leads. */
	readonly to = new Place()
	/** Its row, -1 when it carried its own address. */
	row = -1
	/** The public port that it was asked at. */
	asked = 0
	#decoder: Decoder | undefined
	/** Public port of flows whose port was changed, when there are several to choose from. */
	readonly #origins: FlowTable | undefined
	readonly #originPorts: Uint16Array
	readonly #key: Bytes = new Uint8Array(ORIGIN_BYTES)

	constructor(settings: Settings, random: Random) {
		const key = (): number => randomBelow(random, 0x100000000)
		this.address = settings.address | 0
		this.ports = settings.ports
		this.clientsPrefix = settings.clientsPrefix
		this.forbidden = settings.forbidden
		this.routes = new RouteTable(settings.routesMax, key(), key())
		this.locals = new Locals(settings.routesMax, key(), key())
		this.sourceRate = settings.sourceRate ?? SOURCE_RATE
		this.targetRate = settings.targetRate ?? TARGET_RATE
		this.sources = new Buckets(BUCKETS, this.sourceRate, key(), key())
		this.targets = new Buckets(BUCKETS, this.targetRate, key(), key())
		this.icmp = new Buckets(1, settings.icmpRate ?? ICMP_RATE, key(), key())
		const several = settings.ports.length > 1
		this.#origins = several
			? new FlowTable(CHANGED_PORTS_MAX, ORIGIN_BYTES, CHANGED_PORT_LIFE, key(), key())
			: undefined
		this.#originPorts = new Uint16Array(several ? CHANGED_PORTS_MAX : 0)
		this.setFence(settings.fence, settings.sealer)
	}

	get fence(): Fence | undefined {
		return this.#decoder?.fence
	}

	get sealer(): Sealer | undefined {
		return this.#decoder?.sealer
	}

	setFence(fence: Fence | undefined, sealer: Sealer | undefined): void {
		this.#decoder = fence === undefined ? undefined : { fence, forbidden: this.forbidden, sealer }
	}

	/** Routes that the new addresses forbid are for the caller to delete. */
	setAddresses(address: number, forbidden: Forbidden): void {
		this.address = address | 0
		this.forbidden = forbidden
		if (this.#decoder !== undefined) this.setFence(this.#decoder.fence, this.#decoder.sealer)
	}

	/** What is wrong with a route; undefined when it could be set. */
	refuses(target: Target): string | undefined {
		const why = this.forbidden.why(target)
		if (why !== undefined) return `${formatTarget(target)}: never forwarded to: ${why}`
		if (target.kind === 'ipv6' && this.clientsPrefix === undefined) {
			return `${formatTarget(target)}: no prefix for the addresses of IPv4 clients`
		}
		return undefined
	}

	/** Inserts or replaces; what is wrong when it could not. Tells `changes` what is different. */
	setRoute(extension: Bytes, target: Target): string | undefined {
		const refused = this.refuses(target)
		if (refused !== undefined) return refused
		const old = this.routes.find(extension, 0)
		if (old >= 0 && this.routes.leadsTo(old, target)) return undefined
		if (old < 0 && this.routes.count === this.routes.capacity) {
			return `${toHex(extension)}: more than ${this.routes.capacity} routes`
		}
		if (old >= 0) this.#forget(extension, this.routes.targetOf(old))
		this.putBack(extension, target)
		return undefined
	}

	/** A route that was there already, and for which there is room. */
	putBack(extension: Bytes, target: Target): void {
		this.routes.set(extension, 0, target)
		this.changes?.routeSet(extension, target)
		if (this.locals.add(target)) this.changes?.localAdded(target)
	}

	deleteRoute(extension: Bytes): boolean {
		const row = this.routes.find(extension, 0)
		if (row < 0) return false
		this.#forget(extension, this.routes.targetOf(row))
		return this.routes.delete(extension, 0)
	}

	#forget(extension: Bytes, target: Target): void {
		this.changes?.routeDeleted(extension, target)
		if (this.locals.remove(target)) this.changes?.localRemoved(target)
	}

	isPort(port: number): boolean {
		for (const ours of this.ports) if (ours === port) return true
		return false
	}

	/** Looks the extension at p[at] up; then `to` and `row` say where it leads. */
	lookUp(p: Bytes, at: number, port: number): 'route' | 'fence' | undefined {
		const row = this.routes.find(p, at)
		this.row = row
		this.asked = port
		const to = this.to
		if (row < 0) {
			return this.#decoder === undefined ? 'route' : decodeExtension(this.#decoder, p, at, port, to)
		}
		to.kind = this.routes.kindOf(row)
		to.address = this.routes.addressOf(row)
		to.port = this.routes.portOf(row)
		if (to.kind === KIND_IPV6 || to.kind === KIND_MAC) {
			for (let i = 0; i < PLACE_BYTES; i++) to.place[i] = this.routes.places[row * PLACE_BYTES + i]!
		}
		return undefined
	}

	/** Whether packets from this address and port leave under the public address. */
	isLocal4(address: number, port: number): boolean {
		if (this.isRouted4(address, port)) return true
		const fence = this.fence
		return fence !== undefined && fence.allowsPort(port) && fence.allows4(address)
			&& this.forbidden.why4(address) === undefined
	}

	/** The same, by a route alone. */
	isRouted4(address: number, port: number): boolean {
		return this.locals.has4(address, port)
			|| (this.isPort(port) && this.locals.has4(address, 0))
	}

	isLocal6(p: Bytes, at: number, port: number): boolean {
		if (this.locals.has6(p, at, port)) return true
		if (this.isPort(port) && this.locals.has6(p, at, 0)) return true
		const fence = this.fence
		return fence !== undefined && fence.allowsPort(port) && fence.allows6(p, at)
			&& this.forbidden.why6(p, at) === undefined
	}

	/** Remembers which public port a flow came to whose port is changed on the way in. */
	learnPort(p: Bytes, at: number, client: number, clientPort: number, port: number,
		now: Nanos): void {
		if (this.#origins === undefined) return
		this.#originKey(p, at, client, clientPort)
		let row = this.#origins.find(this.#key, 0, now)
		if (row < 0) {
			this.#origins.expire(now)
			row = this.#origins.insert(this.#key, 0, now)
		}
		if (row >= 0) this.#originPorts[row] = port
	}

	/**
	 * The public port under which the local source with the extension at p[at] answers a client;
	 * at -1: nobody knows its extension.
	 */
	publicPort(
		p: Bytes, at: number, client: number, clientPort: number, serverPort: number, now: Nanos,
	): number {
		if (this.#origins !== undefined && at >= 0) {
			this.#originKey(p, at, client, clientPort)
			const row = this.#origins.find(this.#key, 0, now)
			if (row >= 0) return this.#originPorts[row]!
		}
		return this.isPort(serverPort) ? serverPort : this.ports[0]!
	}

	#originKey(p: Bytes, at: number, client: number, clientPort: number): void {
		copy(this.#key, 0, p, at, EXTENSION_BYTES)
		writeU32BE(this.#key, EXTENSION_BYTES, client)
		writeU16BE(this.#key, EXTENSION_BYTES + 4, clientPort)
	}
}

