// All servers of one UDP port in one process: joins keys, extensions, names and limits to an
// endpoint, a socket and services. Starts, says what it is, drains and stops.

import type { Bytes } from '../base/bytes.ts'
import { PiecePool } from '../base/pieces.ts'
import { MILLISECOND, type Nanos } from '../base/time.ts'
import { Identity } from '../endpoint/identity.ts'
import { OwnExtension } from '../endpoint/own-extension.ts'
import { ServerEndpoint } from '../endpoint/server.ts'
import { ServerHandshake } from '../handshake/server.ts'
import { PROGRAM_GRACE } from '../limits.ts'
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
import { checkService } from './start.ts'
import type { PortStatus } from './status.ts'

export interface ServerSpec {
	readonly keys: Keys
	readonly extension: ExtensionSource | 'any'
	readonly names: readonly NameSpec[]
}

export interface ServerOptions {
	readonly platform: Platform
	readonly log: Log
	/** Port 0: any free one. */
	readonly address: number
	readonly port: number
	readonly servers: readonly ServerSpec[]
	readonly limits: ServerLimits
}

/** A wake that is nearer than this is awaited without a timer, while there is traffic. */
const SPIN: Nanos = MILLISECOND
/** What is left to say when streams were cut off gets so long to be said. */
const LAST_WORDS: Nanos = 250 * MILLISECOND

export async function startServer(options: ServerOptions): Promise<Server> {
	for (const { names } of options.servers) for (const { service } of names) checkService(service)
	const { address, port, limits, platform } = options
	const udp = await platform.openUdp({
		address, port, answerFromAsked: true,
		receiveBufferBytes: limits.socketBytes, sendBufferBytes: limits.socketBytes,
	})
	try {
		return new Server(options, udp)
	} catch (error) {
		udp.close()
		throw error
	}
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
	readonly #pools: Pools
	readonly #loop: Loop
	readonly #serving: Serving
	readonly #identities: Identity[] = []
	readonly #startedAt: Nanos
	/** lingering: all has ended well, some peers may not know yet; cut: streams were cut off. */
	#state: 'serving' | 'draining' | 'lingering' | 'cut' | 'stopped' = 'serving'
	#timer: NodeJS.Timeout | undefined
	#full = 0
	readonly #resolve: () => void

	constructor(options: ServerOptions, udp: Udp) {
		const { platform, limits, log } = options
		const { clock } = platform
		this.#options = options
		this.address = udp.address
		this.port = udp.port
		this.#startedAt = clock()
		this.programs = new Programs(limits.programs)
		this.endpoint = new ServerEndpoint(limits.connections, platform.random)
		this.#udp = udp
		this.#pools = poolsOf(options)
		this.#addServers()
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
			poke: () => this.#loop.poke(),
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

	/** Refuses new connections, lets the open ones end; in the end cuts their streams off. */
	stop(): void {
		if (this.#state !== 'serving') return
		this.#state = 'draining'
		const { log, limits } = this.#options
		// Who is at one of our names is not for us any more; open connections live on.
		for (const identity of this.#identities) identity.serve([])
		log.say('info', 'draining', { open: this.#serving.open })
		this.#timer = setTimeout(() => this.#cut(), limits.drain / MILLISECOND)
		this.#settle()
	}

	/** Ends all at once, open streams as failures. */
	stopNow(): void {
		if (this.#state === 'stopped') return
		if (this.#state !== 'cut') this.#serving.failAll(this.#options.platform.clock())
		this.#finish(LAST_WORDS)
	}

	/** limit connections, from the one with this number on; costs time for each that is open. */
	status(from: number, limit: number): PortStatus {
		const { servers, limits, platform } = this.#options
		return portStatus({
			state: this.#state, endpoint: this.endpoint, udp: this.#udp, pools: this.#pools,
			servers: this.#identities.map((identity, i) =>
				({ identity, extension: servers[i]!.extension })),
			batch: limits.batch, now: platform.clock(),
		}, from, limit)
	}

	#addServers(): void {
		const { platform, servers, limits } = this.#options
		const { box, random, clock } = platform
		const now = clock()
		for (const { keys, extension, names } of servers) {
			const handshake = new ServerHandshake(box, random, keys.secretKey, now)
			const own = extension === 'any' ? extension : new OwnExtension(extension.value)
			const identity = new Identity(keys.publicKey, handshake, own)
			if (extension !== 'any' && own !== 'any') {
				extension.start(() => own.change(extension.value, clock()))
			}
			identity.serve(names.map((spec) =>
				[wireNameOf(spec.name), new ServiceName(spec, limits.liveness, this.#pools)]))
			if (!this.endpoint.add(identity)) {
				throw new Usage('two servers with one extension on one port: it must tell them apart')
			}
			this.#identities.push(identity)
		}
	}

	#drained(now: Nanos): void {
		this.#serving.drain(now)
		const { full } = this.endpoint.drops
		if (full !== this.#full) this.#sayFull(full, now)
		if (this.#state !== 'serving') this.#settle()
	}

	#sayFull(full: number, now: Nanos): void {
		this.#full = full
		const { log, limits } = this.#options
		if (this.endpoint.size < limits.connections) return
		log.limited('warn', 'full', now, { connections: limits.connections, refused: full })
	}

	#settle(): void {
		if (this.#state === 'draining' && this.#serving.open === 0) {
			if (this.endpoint.size === 0) this.#finish(PROGRAM_GRACE)
			else this.#lastWords('lingering')
		} else if (this.#state === 'cut' && this.#allSaid()) {
			this.#finish(PROGRAM_GRACE)
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
		this.#timer = setTimeout(() => this.#finish(PROGRAM_GRACE), LAST_WORDS / MILLISECOND)
	}

	#cut(): void {
		if (this.#state !== 'draining') return
		this.#options.log.say('warn', 'drain-over', { open: this.#serving.open })
		this.#serving.failAll(this.#options.platform.clock())
		this.#lastWords('cut')
	}

	#finish(grace: Nanos): void {
		if (this.#state === 'stopped') return
		this.#state = 'stopped'
		clearTimeout(this.#timer)
		for (const { extension } of this.#options.servers) {
			if (extension !== 'any') extension.stop()
		}
		const now = this.#options.platform.clock()
		this.#loop.stop()
		this.#serving.close(now)
		this.endpoint.close(now)
		void this.programs.endAll(grace).then(this.#resolve)
	}
}

function poolsOf({ limits, platform: { random } }: ServerOptions): Pools {
	const { pieces, records, sendBytes, receiveBytes } = limits
	return {
		pieces: new PiecePool(PIECE_BYTES, pieces), records: new PiecePool(RECORD_BYTES, records),
		random, sendBytes, receiveBytes,
	}
}

/** The 256-byte form of a name; throws Usage when it has none. */
export function wireNameOf(name: Bytes): Bytes {
	const wire = new Uint8Array(SERVER_NAME_BYTES)
	if (writeServerName(wire, 0, name)) return wire
	const text = new TextDecoder().decode(name)
	throw new Usage(`name '${text}': expected labels of at most 63 bytes, 254 in all`)
}
