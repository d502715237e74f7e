// All servers of one UDP port in one process: joins keys, extensions, names and limits to an
// endpoint, a socket and services. Starts, says what it is, drains and stops.

import { assert } from '../base/assert.ts'
import type { Bytes } from '../base/bytes.ts'
import { toHex } from '../base/hex.ts'
import { PiecePool } from '../base/pieces.ts'
import { Quota } from '../base/quota.ts'
import { MILLISECOND, type Nanos } from '../base/time.ts'
import { Identity } from '../endpoint/identity.ts'
import { OwnExtension } from '../endpoint/own-extension.ts'
import { ServerEndpoint } from '../endpoint/server.ts'
import { ServerHandshake } from '../handshake/server.ts'
import { PROGRAM_GRACE } from '../limits.ts'
import { answerCost } from '../platform/answer-cost.ts'
import { ExtensionSource } from '../platform/extension-source.ts'
import type { Keys } from '../platform/keydir.ts'
import { Loop } from '../platform/loop.ts'
import type { Platform } from '../platform/platform.ts'
import { Usage } from '../platform/trouble.ts'
import { addressText, type Udp } from '../platform/udp.ts'
import { writeServerName } from '../wire/server-name.ts'
import { SERVER_NAME_BYTES } from '../wire/packets.ts'
import { PIECE_BYTES, RECORD_BYTES, SLOT_BYTES, type ServerLimits } from './budget.ts'
import type { Log } from './log.ts'
import { ServiceName, type NameSpec, type Pools } from './name.ts'
import { Programs } from './programs.ts'
import { Serving } from './serving.ts'
import { portStatus } from './server-status.ts'
import type { StartConsole } from './service.ts'
import { checkService } from './start.ts'
import type { Listen } from './toml-values.ts'
import type { PortStatus } from './status.ts'

export interface ServerSpec {
	readonly keys: Keys
	readonly extension: ExtensionSource | 'any'
	readonly names: readonly NameSpec[]
}

/** What all servers of one process have together: the memory of [limits], however many ports. */
export interface Shared {
	readonly pools: Pools
	readonly connections: Quota
	readonly programs: Quota
}

export function makeShared({ random }: Platform, limits: ServerLimits): Shared {
	return {
		pools: {
			pieces: new PiecePool(PIECE_BYTES, limits.pieces),
			records: new PiecePool(RECORD_BYTES, limits.records),
			random, sendBytes: limits.sendBytes, receiveBytes: limits.receiveBytes,
		},
		connections: new Quota(limits.connections),
		programs: new Quota(limits.programs),
	}
}

export interface ServerOptions {
	readonly platform: Platform
	readonly log: Log
	readonly servers: readonly ServerSpec[]
	readonly limits: ServerLimits
	readonly shared: Shared
	/** Serves the console's names. */
	readonly console?: StartConsole | undefined
}

/** A wake that is nearer than this is awaited without a timer, while there is traffic. */
const SPIN: Nanos = MILLISECOND
/** What is left to say when streams were cut off gets so long to be said. */
const LAST_WORDS: Nanos = 250 * MILLISECOND

/** One server process's only port; port 0: any free one. */
export async function startServer(
	options: Omit<ServerOptions, 'shared'> & Listen,
): Promise<Server> {
	const { platform, limits, servers } = options
	checkServers(servers)
	const udp = await openServerUdp(platform, options, limits)
	return new Server({ ...options, shared: makeShared(platform, limits) }, udp)
}

export function openServerUdp(
	platform: Platform, { address, port }: Listen, { socketBytes }: ServerLimits,
): Promise<Udp> {
	return platform.openUdp({
		address, port, answerFromAsked: true,
		receiveBufferBytes: socketBytes, sendBufferBytes: socketBytes,
	})
}

/** What can be known to fail before a client comes. Throws Trouble and Usage. */
export function checkServers(servers: readonly ServerSpec[]): void {
	const seen = new Set<string>()
	for (const { extension, names } of servers) {
		const value = extension === 'any' ? extension : toHex(extension.value)
		if (seen.has(value)) {
			throw new Usage(`two servers with extension ${value} on one port: it must tell them apart`)
		}
		seen.add(value)
		for (const { name, service } of names) {
			wireNameOf(name)
			checkService(service)
		}
	}
}

/** A server as it runs: what it came from, and how to forget about its extension. */
interface Served {
	readonly id: string
	readonly identity: Identity
	readonly extension: ExtensionSource | 'any'
	unwatch(): void
}

export class Server {
	readonly endpoint: ServerEndpoint
	/** What it is bound to. */
	readonly address: number
	readonly port: number
	readonly programs: Programs
	/** Resolves when everything has ended. */
	readonly stopped: Promise<void>
	readonly #options: ServerOptions
	readonly #udp: Udp
	readonly #loop: Loop
	readonly #serving: Serving
	#limits: ServerLimits
	#isHeld = false
	#served: readonly Served[] = []
	readonly #startedAt: Nanos
	/** lingering: all has ended well, some peers may not know yet; cut: streams were cut off. */
	#state: 'serving' | 'draining' | 'lingering' | 'cut' | 'stopped' = 'serving'
	#timer: NodeJS.Timeout | undefined
	/** For programs that were asked to end. */
	#grace: Nanos = PROGRAM_GRACE
	#full = 0
	readonly #resolve: () => void

	constructor(options: ServerOptions, udp: Udp) {
		const { platform, limits, log, shared } = options
		const { clock } = platform
		this.#options = options
		this.#limits = limits
		this.address = udp.address
		this.port = udp.port
		this.#startedAt = clock()
		this.#udp = udp
		this.programs = new Programs(shared.programs)
		this.endpoint = new ServerEndpoint(limits.connections, platform.random, shared.connections,
			answerCost(platform.box, platform.random, clock))
		this.#serve(options.servers, limits)
		this.#loop = new Loop(this.endpoint, udp, clock, {
			batch: limits.batch, slotBytes: SLOT_BYTES, spinNanos: SPIN, memory: platform.memory,
			drained: (now) => this.#drained(now),
		})
		this.#serving = new Serving({
			endpoint: this.endpoint, rows: limits.connections, clock, log, programs: this.programs,
			facts: () => ({
				uptimeNanos: clock() - this.#startedAt, connections: this.#serving.open,
				opened: this.endpoint.counts.opened,
			}),
			poke: () => this.#loop.poke(), console: options.console,
		})
		let resolve = (): void => {}
		this.stopped = new Promise((done) => {
			resolve = done
		})
		this.#resolve = resolve
		for (const note of [...platform.notes, ...udp.notes]) log.say('warn', 'note', { note })
		this.#loop.start()
		log.say('info', 'listening', {
			address: `${addressText(udp.address)}:${udp.port}`, udp: udp.name, box: platform.box.name,
		})
	}

	get isStopping(): boolean {
		return this.#state !== 'serving'
	}

	/** Refuses new connections, lets the open ones end; in the end cuts their streams off. */
	stop(): void {
		if (this.#state !== 'serving') return
		this.#state = 'draining'
		// Who is at one of our names is not for us any more; open connections live on.
		for (const { identity } of this.#served) identity.serve([])
		this.#options.log.say('info', 'draining', { open: this.#serving.open })
		this.#timer = setTimeout(() => this.#cut(), this.#limits.drain / MILLISECOND)
		this.#settle()
	}

	/** Ends open streams as failures, and all once that is said; called again, at once. */
	stopNow(): void {
		if (this.#state === 'stopped') return
		const isAgain = this.#grace === LAST_WORDS
		this.#grace = LAST_WORDS
		if (isAgain) return this.#finish()
		if (this.#state !== 'cut') this.#cutAll()
		this.#settle()
	}

	/**
	 * From now on these servers and limits: other names, services and clients, more servers or fewer.
	 * Nothing of it touches an open connection; without any server it ends with the last of them.
	 * The specs must have passed checkServers.
	 */
	reload(servers: readonly ServerSpec[], limits: ServerLimits): void {
		if (this.#state !== 'serving') return
		this.#serve(servers, limits)
		this.#loop.poke()
	}

	/**
	 * Until what is returned is called it does not end for want of servers: a reload that is under
	 * way may give it some.
	 */
	hold(): () => void {
		this.#isHeld = true
		return () => {
			this.#isHeld = false
			this.#loop.poke()
		}
	}

	/** limit connections, from the one with this number on; costs time for each that is open. */
	status(from: number, limit: number): PortStatus {
		const { shared, platform } = this.#options
		return portStatus({
			state: this.#state, endpoint: this.endpoint, udp: this.#udp, pools: shared.pools,
			servers: this.#served,
			batch: this.#limits.batch, now: platform.clock(),
		}, from, limit)
	}

	#serve(servers: readonly ServerSpec[], limits: ServerLimits): void {
		this.#limits = limits
		const before = new Map(this.#served.map((one) => [one.id, one]))
		const kept = servers.map((spec) => before.get(idOf(spec)))
		for (const one of this.#served) if (!kept.includes(one)) this.#retire(one)
		this.#served = servers.map((spec, i) => kept[i] ?? this.#add(spec))
		servers.forEach(({ names }, i) => this.#served[i]!.identity.serve(names.map((spec) =>
			[wireNameOf(spec.name), new ServiceName(spec, limits.liveness, this.#options.shared.pools)])))
	}

	#add(spec: ServerSpec): Served {
		const { box, random, clock } = this.#options.platform
		const { keys, extension } = spec
		// A copy of its own, which it wipes: another server may have the same keys.
		const handshake = new ServerHandshake(box, random, keys.secretKey.slice(), clock(),
			this.#options.limits.finished)
		const own = extension === 'any' ? extension : new OwnExtension(extension.value)
		const identity = new Identity(keys.publicKey, handshake, own)
		assert(this.endpoint.add(identity), 'checkServers has seen to it')
		const unwatch = extension === 'any' || own === 'any' ? () => undefined
			: extension.start(() => own.change(extension.value, clock()))
		return { id: idOf(spec), identity, extension, unwatch }
	}

	#retire({ identity, unwatch }: Served): void {
		unwatch()
		this.endpoint.retire(identity)
	}

	#drained(now: Nanos): void {
		this.#serving.drain(now)
		const { full } = this.endpoint.drops
		if (full !== this.#full) this.#sayFull(full, now)
		if (this.#state !== 'serving') this.#settle()
		else if (this.#isLeft()) this.stop()
	}

	#isLeft(): boolean {
		return !this.#isHeld && this.#served.length === 0 && this.#serving.open === 0
	}

	#sayFull(full: number, now: Nanos): void {
		this.#full = full
		const { log, shared: { connections } } = this.#options
		if (!connections.isFull) return
		log.limited('warn', 'full', now, { connections: connections.max, refused: full })
	}

	#settle(): void {
		if (this.#state === 'draining' && this.#serving.open === 0) {
			if (this.endpoint.size === 0) this.#finish()
			else this.#lastWords('lingering')
		} else if (this.#state === 'cut' && this.#allSaid()) {
			this.#finish()
		}
	}

	/** The peers of streams that were cut off have all heard it. */
	#allSaid(): boolean {
		for (const { layer } of this.endpoint.connections()) if (!layer.outgoingDone) return false
		return true
	}

	#lastWords(state: 'lingering' | 'cut'): void {
		this.#state = state
		clearTimeout(this.#timer)
		this.#timer = setTimeout(() => this.#finish(), LAST_WORDS / MILLISECOND)
	}

	#cut(): void {
		if (this.#state !== 'draining') return
		this.#options.log.say('warn', 'drain-over', { open: this.#serving.open })
		this.#cutAll()
	}

	#cutAll(): void {
		this.#serving.failAll(this.#options.platform.clock())
		this.#lastWords('cut')
	}

	#finish(): void {
		if (this.#state === 'stopped') return
		this.#state = 'stopped'
		clearTimeout(this.#timer)
		for (const { unwatch } of this.#served) unwatch()
		const now = this.#options.platform.clock()
		this.#loop.stop()
		this.#serving.close(now)
		this.endpoint.close(now)
		void this.programs.endAll(this.#grace).then(this.#resolve)
	}
}

/** Servers with the same are one: it goes on through a reload, with whatever names. */
function idOf({ keys, extension }: ServerSpec): string {
	return `${toHex(keys.publicKey)} ${extension === 'any' ? extension : extension.text}`
}

/** The 256-byte form of a name; throws Usage when it has none. */
export function wireNameOf(name: Bytes): Bytes {
	const wire = new Uint8Array(SERVER_NAME_BYTES)
	if (writeServerName(wire, 0, name)) return wire
	const text = new TextDecoder().decode(name)
	throw new Usage(`name '${text}': expected labels of at most 63 bytes, 254 in all`)
}
