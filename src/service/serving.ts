// The services of all connections of one port: starts one when a connection opens, wakes it when
// something came, and lets it go when the connection is over.

import { toHex } from '../base/hex.ts'
import { SECOND, type Nanos } from '../base/time.ts'
import type { Connection } from '../endpoint/connection.ts'
import type { ServerEndpoint } from '../endpoint/server.ts'
import type { Clock } from '../platform/clock.ts'
import { addressText } from '../platform/udp.ts'
import type { Log } from './log.ts'
import { ServiceName } from './name.ts'
import type { Programs } from './programs.ts'
import type { Facts, Peer, Service, StartConsole } from './service.ts'
import { startService } from './start.ts'
import type { ByteStream } from './stream.ts'

interface Running {
	readonly connection: Connection
	readonly stream: ByteStream
	readonly service: Service
	over: boolean
}

export interface ServingOptions {
	readonly endpoint: ServerEndpoint
	readonly rows: number
	readonly clock: Clock
	readonly log: Log
	readonly programs: Programs
	facts(): Facts
	readonly console: StartConsole | undefined
	/** The endpoint was touched outside of the loop's turn. */
	poke(): void
}

export class Serving {
	readonly #o: ServingOptions
	/** By the connection's row. */
	readonly #running: (Running | undefined)[]
	/** Inside advance: the endpoint is touched once, behind it. */
	#advancing: Connection | undefined

	constructor(options: ServingOptions) {
		this.#o = options
		this.#running = new Array<Running | undefined>(options.rows).fill(undefined)
	}

	/** Call after everything that may have changed a connection. */
	drain(now: Nanos): void {
		const { endpoint } = this.#o
		for (;;) {
			const connection = endpoint.event(now)
			if (connection === undefined) return
			this.#changed(connection, now)
		}
	}

	/** Connections whose streams are not both over. */
	get open(): number {
		let count = 0
		for (const one of this.#running) if (one !== undefined && !one.over) count++
		return count
	}

	/** Every open stream ends as a failure; what was written is still sent. */
	failAll(now: Nanos): void {
		for (const running of this.#running) {
			if (running === undefined || running.over) continue
			this.#end(running, false, now)
			running.stream.fail(now)
			running.stream.discardIncoming(now)
			this.#o.endpoint.touch(running.connection, now)
		}
		this.#o.poke()
	}

	/** The connections are about to be forgotten. */
	close(now: Nanos): void {
		for (const running of this.#running) if (running !== undefined) this.#end(running, false, now)
		this.#running.fill(undefined)
	}

	#changed(connection: Connection, now: Nanos): void {
		let running = this.#running[connection.row]
		if (running !== undefined && running.connection !== connection) {
			// It was in TIME-WAIT, and its row was needed.
			this.#end(running, true, now)
			running = undefined
		}
		if (connection.state === 'closed') {
			if (running !== undefined) this.#end(running, connection.ending === 'done', now)
			this.#running[connection.row] = undefined
			return
		}
		running ??= this.#start(connection, now)
		if (running === undefined || running.over) return
		if (connection.state === 'timeWait') {
			this.#end(running, true, now)
			return
		}
		this.#advancing = connection
		running.service.advance(now)
		this.#advancing = undefined
		this.#o.endpoint.touch(connection, now)
	}

	#start(connection: Connection, now: Nanos): Running | undefined {
		const { name, layer } = connection
		if (!(name instanceof ServiceName)) return undefined
		const stream = name.streamOf(layer)
		const peer = peerOf(connection)
		const { clock, log, programs, facts, console } = this.#o
		log.limited('info', 'opened', now, {
			name: peer.serverName, client: peer.key, from: `${peer.ip}:${peer.port}`,
		})
		this.#advancing = connection
		const service = startService(name.service, {
			stream, peer, clock, log, programs, facts, console,
			touch: (at) => this.#touch(connection, at),
		})
		const running: Running = { connection, stream, service, over: false }
		this.#running[connection.row] = running
		return running
	}

	#touch(connection: Connection, now: Nanos): void {
		if (this.#advancing === connection) return
		this.#o.endpoint.touch(connection, now)
		this.#o.poke()
	}

	#end(running: Running, complete: boolean, now: Nanos): void {
		if (running.over) return
		running.over = true
		running.service.over(complete)
		this.#sayClosed(running.connection, now)
	}

	#sayClosed(connection: Connection, now: Nanos): void {
		const { layer, openedAt, ending = 'aborted' } = connection
		const why = ending === 'done' && layer.failed ? 'failed' : ending
		this.#o.log.limited('info', 'closed', now, {
			name: connection.name.text, client: connection.clientLongTerm,
			why, seconds: Math.round((now - openedAt) / SECOND), bytes: layer.movedBytes,
		})
	}
}

function peerOf(connection: Connection): Peer {
	const { active } = connection.path
	return {
		key: connection.clientLongTerm,
		ip: addressText(active.address),
		port: active.port,
		extension: toHex(active.theirExtension),
		serverName: connection.name.text,
	}
}
