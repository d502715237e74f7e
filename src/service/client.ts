// Connections from here to one address: resolves it, races its hosts, and joins each connection to
// a program by the same pump that serves the server's services.

import type { Writable } from 'node:stream'
import type { Bytes } from '../base/bytes.ts'
import { PiecePool } from '../base/pieces.ts'
import { MILLISECOND, NEVER, SECOND, type Nanos } from '../base/time.ts'
import { ClientEndpoint } from '../endpoint/client.ts'
import type { Ending } from '../endpoint/connection.ts'
import { OwnExtension } from '../endpoint/own-extension.ts'
import { DEAD_PEER, KEEPALIVE, RACE_DELAY } from '../limits.ts'
import { control } from './congestion.ts'
import { Messenger } from '../message/messenger.ts'
import { watchAddresses } from '../platform/address-watch.ts'
import type { ExtensionSource } from '../platform/extension-source.ts'
import { Loop } from '../platform/loop.ts'
import type { Keys } from '../platform/keydir.ts'
import type { Platform } from '../platform/platform.ts'
import { openRacingUdp, type RacingUdp } from '../platform/racing-udp.ts'
import { SERVER_NAME_BYTES } from '../wire/packets.ts'
import { writeServerName } from '../wire/server-name.ts'
import type { Address } from './address.ts'
import { PIECE_BYTES, RECORD_BYTES, SLOT_BYTES } from './budget.ts'
import { HostMemory } from './host-memory.ts'
import { resolve, type Names, type Resolved } from './resolve.ts'
import { Pump, type Source } from './stream.ts'

export interface ClientOptions {
	readonly platform: Platform
	readonly address: Address
	/** undefined: a fresh long-term key for each connection, so that nobody knows us again. */
	readonly keys: Keys | undefined
	readonly extension: ExtensionSource
	/** Our side; address 0 and port 0 let the system choose. */
	readonly bind: { readonly address: number, readonly port: number }
	readonly connectTimeout: Nanos
	readonly names?: Names
}

/** Stream bytes held in each direction, and what the kernel is asked for. */
const RING_BYTES = 4_194_304
const SOCKET_BYTES = 4_194_304
const BATCH = 64
const SPIN: Nanos = MILLISECOND

export class Client {
	readonly #o: ClientOptions
	readonly #memory = new HostMemory()
	readonly #pieces: PiecePool
	readonly #records: PiecePool
	readonly #open = new Set<ClientConnection>()
	readonly #unwatch: () => void
	#resolved: Resolved | undefined
	#resolvedUntil: Nanos = 0

	/** connections: how many at once, which bounds the memory. */
	constructor(options: ClientOptions, connections: number) {
		this.#o = options
		const rings = Math.min(connections, 8) * 2 * RING_BYTES
		this.#pieces = new PiecePool(PIECE_BYTES, rings / PIECE_BYTES + 2 * connections)
		this.#records = new PiecePool(RECORD_BYTES, rings / PIECE_BYTES + 2 * connections)
		const moved = (): void => {
			for (const connection of this.#open) connection.moved(options.extension.value)
		}
		options.extension.start(moved)
		this.#unwatch = watchAddresses(moved)
	}

	/** Starts a connection; it tells by changed how far it is. Throws Trouble and Usage. */
	async open(changed: (connection: ClientConnection) => void): Promise<ClientConnection> {
		const resolved = await this.#resolve()
		const { platform, bind } = this.#o
		const hosts = this.#memory.order(resolved.hosts)
		const bound = bind.address !== 0 || bind.port !== 0
		const udp = await openRacingUdp(() => platform.openUdp({
			...bind, answerFromAsked: false,
			receiveBufferBytes: SOCKET_BYTES, sendBufferBytes: SOCKET_BYTES,
		}), hosts, bound)
		const now = platform.clock()
		const layer = new Messenger({
			pieces: this.#pieces, records: this.#records, random: platform.random,
			control, sendBytes: RING_BYTES, receiveBytes: RING_BYTES,
		}, now)
		const endpoint = new ClientEndpoint({
			box: platform.box,
			random: platform.random,
			identity: { ...this.#keys(), serverLongTermPublic: resolved.key, serverName: this.#name() },
			hosts,
			ownExtension: new OwnExtension(this.#o.extension.value),
			layer,
			liveness: { keepalive: KEEPALIVE, deadPeer: DEAD_PEER, idle: NEVER },
			connectTimeout: this.#o.connectTimeout,
			now,
		})
		const connection = new ClientConnection({
			endpoint, messenger: layer, udp, platform, changed,
			learnt: (at) => this.#learn(endpoint, at),
		})
		this.#open.add(connection)
		void connection.over.then(() => this.#open.delete(connection))
		return connection
	}

	/** Open connections end as failures; nothing is watched any more. */
	close(): void {
		this.#o.extension.stop()
		this.#unwatch()
		for (const connection of this.#open) connection.abort()
	}

	async #resolve(): Promise<Resolved> {
		const { address, names, platform } = this.#o
		if (this.#resolved === undefined || platform.clock() >= this.#resolvedUntil) {
			this.#resolved = await resolve(address, names)
			this.#resolvedUntil = platform.clock() + this.#resolved.life
		}
		return this.#resolved
	}

	/** Who was asked in time and did not answer has failed; when nobody has, DNS is asked again. */
	#learn(endpoint: ClientEndpoint, now: Nanos): void {
		const { hosts, winner } = endpoint
		if (winner < 0) this.#resolved = undefined
		hosts.forEach((host, i) => {
			if (i === winner) this.#memory.answered(host)
			else if (endpoint.waited(i, now) >= RACE_DELAY) this.#memory.failed(host)
		})
	}

	#keys(): { longTermPublic: Bytes, longTermSecret: Bytes } {
		const { keys, platform } = this.#o
		const longTermPublic = keys?.publicKey.slice() ?? new Uint8Array(32)
		const longTermSecret = keys?.secretKey.slice() ?? new Uint8Array(32)
		if (keys === undefined) platform.box.keypair(longTermPublic, longTermSecret, platform.random)
		return { longTermPublic, longTermSecret }
	}

	#name(): Bytes {
		const wire = new Uint8Array(SERVER_NAME_BYTES)
		writeServerName(wire, 0, this.#o.address.name)
		return wire
	}
}

interface ConnectionOptions {
	readonly endpoint: ClientEndpoint
	readonly messenger: Messenger
	readonly udp: RacingUdp
	readonly platform: Platform
	changed(connection: ClientConnection): void
	/** A host has won, or the connection is over and none has. */
	learnt(now: Nanos): void
}

/** After the last word we stay to repeat it, longer where packets were lost. */
const LINGER_TRIPS = 2
const LINGER_MIN: Nanos = 10 * MILLISECOND
const LINGER_LOSS: Nanos = SECOND

export class ClientConnection {
	readonly endpoint: ClientEndpoint
	readonly messenger: Messenger
	/** Resolves when nothing of it is left. */
	readonly over: Promise<void>
	readonly #o: ConnectionOptions
	readonly #loop: Loop
	readonly #pump: Pump
	/** Where the server's stream goes; destroyed when that ended as a failure. */
	#sink: Writable | undefined
	#isOver = false
	#fault: string | undefined
	#settled = false
	#lingering: NodeJS.Timeout | undefined
	#lingersUntil: Nanos = NEVER
	/** By ourselves, before the server had; whatever it makes of it. */
	#isAborted = false
	readonly #resolve: () => void

	constructor(options: ConnectionOptions) {
		const { endpoint, messenger, udp, platform } = options
		this.#o = options
		this.endpoint = endpoint
		this.messenger = messenger
		let resolve = (): void => {}
		this.over = new Promise((done) => {
			resolve = done
		})
		this.#resolve = resolve
		this.#loop = new Loop(endpoint, udp, platform.clock, {
			batch: BATCH, slotBytes: SLOT_BYTES, spinNanos: SPIN,
			memory: platform.memory,
			drained: (now) => this.#drained(now),
			unreachable: (address, port, now) => {
				const host = endpoint.hosts.findIndex((h) => h.address === address && h.port === port)
				if (host >= 0) endpoint.unreachable(host, now)
			},
		})
		this.#pump = new Pump({
			stream: messenger,
			clock: platform.clock,
			touch: (now) => this.#touch(now),
			peerFailed: () => this.#giveUp(),
		})
		this.#loop.start()
	}

	/** Why it is over, in words; undefined: both streams ended as successes, or it is not over. */
	get fault(): string | undefined {
		return this.#fault
	}

	/** What carries and seals our packets. */
	get datapath(): { readonly udp: string, readonly box: string } {
		const { udp, platform } = this.#o
		return { udp: udp.name, box: platform.box.name }
	}

	/** Our own UDP port. */
	get port(): number {
		return this.#o.udp.port
	}

	/** Joins it to a program. */
	join(source: Source, sink: Writable): Pump {
		this.#sink = sink
		this.#pump.open(source, sink)
		const now = this.#o.platform.clock()
		this.#pump.advance(now)
		this.#touch(now)
		return this.#pump
	}

	/** Our address or extension has changed: the server must hear it from where we are now. */
	moved(extension: Bytes): void {
		const now = this.#o.platform.clock()
		this.endpoint.moved(extension, now)
		this.#loop.poke()
	}

	/** Asks the server for an answer, which messenger.rttSamples counts. */
	ping(): void {
		const now = this.#o.platform.clock()
		this.messenger.ping(now)
		this.#touch(now)
	}

	/** Ends our stream as a failure, without waiting for whatever the peer has to say. */
	abort(): void {
		if (this.#isOver) return
		this.#isAborted = this.messenger.incomingEnd !== 'failure'
		const now = this.#o.platform.clock()
		this.messenger.fail(now)
		this.#pump.deaf()
		this.#touch(now)
		this.#linger(LINGER_MIN)
	}

	/** What we might still say is for nobody: the server's end of it has failed. */
	#giveUp(): void {
		this.#sink?.destroy()
		const now = this.#o.platform.clock()
		this.messenger.fail(now)
		this.#touch(now)
		this.#linger(LINGER_LOSS)
	}

	#touch(now: Nanos): void {
		if (this.#isOver) return
		this.endpoint.touch(now)
		this.#loop.poke()
	}

	#drained(now: Nanos): void {
		const { endpoint, udp, changed, learnt } = this.#o
		while (!this.#isOver && endpoint.event()) {
			if (endpoint.winner >= 0 && !this.#settled) {
				this.#settled = true
				udp.settle(endpoint.winner)
				learnt(now)
			}
			this.#pump.advance(now)
			endpoint.touch(now)
			changed(this)
			if (endpoint.state === 'timeWait') this.#linger(this.#lingerTime())
			if (endpoint.state === 'closed') this.#finish(now)
		}
	}

	#lingerTime(): Nanos {
		const { rtt, retransmissions } = this.messenger
		return Math.max(LINGER_MIN, LINGER_TRIPS * rtt, retransmissions > 0 ? LINGER_LOSS : 0)
	}

	/** The shortest of all times counts. */
	#linger(time: Nanos): void {
		const now = this.#o.platform.clock()
		if (now + time >= this.#lingersUntil) return
		this.#lingersUntil = now + time
		clearTimeout(this.#lingering)
		this.#lingering = setTimeout(() => this.#finish(this.#o.platform.clock()), time / MILLISECOND)
	}

	#finish(now: Nanos): void {
		if (this.#isOver) return
		this.#isOver = true
		this.#fault = this.#isAborted ? GIVEN_UP
			: faultOf(this.endpoint.ending, this.messenger.incomingEnd)
		clearTimeout(this.#lingering)
		if (!this.#settled) this.#o.learnt(now)
		this.#pump.close()
		this.#loop.stop()
		this.endpoint.close(now)
		this.messenger.release()
		this.#o.changed(this)
		this.#resolve()
	}
}

const FAILED = 'the server ended its stream as a failure'
const GIVEN_UP = 'the connection was given up here'

function faultOf(
	ending: Ending | undefined, theirEnd: 'open' | 'success' | 'failure',
): string | undefined {
	switch (ending) {
		case 'done': return theirEnd === 'failure' ? FAILED : undefined
		case 'timeout': return 'no answer'
		case 'lost': return 'the server is silent: connection lost'
		case 'refused': return 'the key in the address is no key that anybody can have'
		case 'idle':
		case 'aborted':
		case undefined: return theirEnd === 'failure' ? FAILED : GIVEN_UP
	}
}
