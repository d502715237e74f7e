// What curvecpclient does: one connection to a server, whose messages a handler reads on descriptor
// 8 and writes on 9. It ends when its handler does. spec: protocol.md 2.3-2.6, 6

import { Quota } from '../base/quota.ts'
import type { Bytes } from '../base/bytes.ts'
import { toHex } from '../base/hex.ts'
import { PiecePool } from '../base/pieces.ts'
import { MILLISECOND, NEVER, type Nanos } from '../base/time.ts'
import { ClientEndpoint } from '../endpoint/client.ts'
import { OwnExtension } from '../endpoint/own-extension.ts'
import type { Host } from '../endpoint/race.ts'
import { CONNECT_TIMEOUT, HANDLED_DEAD_PEER, KEEPALIVE } from '../limits.ts'
import { MessageQueue } from '../message/queue.ts'
import { watchAddresses } from '../platform/address-watch.ts'
import type { ExtensionSource } from '../platform/extension-source.ts'
import type { Keys } from '../platform/keydir.ts'
import { Loop } from '../platform/loop.ts'
import type { Platform } from '../platform/platform.ts'
import { openRacingUdp, type RacingUdp } from '../platform/racing-udp.ts'
import { Trouble } from '../platform/trouble.ts'
import { addressText } from '../platform/udp.ts'
import { PIECE_BYTES, SLOT_BYTES } from './budget.ts'
import { ProgramService } from './exec.ts'
import type { Log } from './log.ts'
import { Programs } from './programs.ts'
import { wireNameOf } from './server.ts'

export interface HandlerClientOptions {
	readonly platform: Platform
	readonly log: Log
	/** undefined: a fresh long-term key. */
	readonly keys: Keys | undefined
	readonly name: Bytes
	readonly key: Bytes
	readonly hosts: readonly Host[]
	readonly extension: Bytes
	readonly ownExtension: ExtensionSource
	readonly words: readonly string[]
	/** Descriptors above 2 that the handler gets beside its own. */
	readonly inherited: readonly number[]
}

const SOCKET_BYTES = 4_194_304
const BATCH = 64
const SPIN: Nanos = MILLISECOND
/** The handler's queues, both at their fullest. */
const PIECES = 16

/** Resolves with the handler's exit code; throws Trouble when no server answers. */
export async function runHandler(options: HandlerClientOptions): Promise<number> {
	const { platform, hosts, ownExtension } = options
	const udp = await openRacingUdp(() => platform.openUdp({
		address: 0, port: 0, answerFromAsked: false,
		receiveBufferBytes: SOCKET_BYTES, sendBufferBytes: SOCKET_BYTES,
	}), hosts, false)
	const client = new HandlerClient(options, udp)
	ownExtension.start(() => client.moved())
	const unwatch = watchAddresses(() => client.moved())
	try {
		return await client.exited
	} finally {
		unwatch()
		ownExtension.stop()
	}
}

class HandlerClient {
	readonly exited: Promise<number>
	readonly #o: HandlerClientOptions
	readonly #udp: RacingUdp
	readonly #queue = new MessageQueue(new PiecePool(PIECE_BYTES, PIECES))
	readonly #programs: Programs
	readonly #endpoint: ClientEndpoint
	readonly #loop: Loop
	#service: ProgramService | undefined
	#settled = false
	#over = false
	#resolve: (code: number | Promise<number>) => void = () => {}

	constructor(options: HandlerClientOptions, udp: RacingUdp) {
		this.#o = options
		this.#udp = udp
		const { platform } = options
		this.exited = new Promise((resolve) => {
			this.#resolve = resolve
		})
		this.#programs = new Programs(new Quota(1))
		this.#endpoint = this.#makeEndpoint()
		this.#loop = new Loop(this.#endpoint, udp, platform.clock, {
			batch: BATCH, slotBytes: SLOT_BYTES, spinNanos: SPIN, memory: platform.memory,
			drained: (now) => this.#drained(now),
			unreachable: (address, port, now) => {
				const host = options.hosts.findIndex((h) => h.address === address && h.port === port)
				if (host >= 0) this.#endpoint.unreachable(host, now)
			},
		})
		this.#loop.start()
	}

	/** Our address or extension has changed. */
	moved(): void {
		this.#endpoint.moved(this.#o.ownExtension.value, this.#o.platform.clock())
		this.#loop.poke()
	}

	#makeEndpoint(): ClientEndpoint {
		const { platform, keys, key, name, hosts, ownExtension } = this.#o
		const { box, random, clock } = platform
		const longTermPublic = keys?.publicKey.slice() ?? new Uint8Array(32)
		const longTermSecret = keys?.secretKey.slice() ?? new Uint8Array(32)
		if (keys === undefined) box.keypair(longTermPublic, longTermSecret, random)
		return new ClientEndpoint({
			box, random, hosts,
			identity: {
				longTermPublic, longTermSecret, serverLongTermPublic: key, serverName: wireNameOf(name),
			},
			ownExtension: new OwnExtension(ownExtension.value),
			layer: this.#queue,
			liveness: { keepalive: KEEPALIVE, deadPeer: HANDLED_DEAD_PEER, idle: NEVER },
			connectTimeout: CONNECT_TIMEOUT,
			now: clock(),
		})
	}

	#drained(now: Nanos): void {
		while (!this.#over && this.#endpoint.event()) {
			if (this.#endpoint.winner >= 0 && !this.#settled) {
				this.#settled = true
				this.#udp.settle(this.#endpoint.winner)
				this.#service = this.#startHandler()
			}
			this.#service?.advance()
			this.#endpoint.touch(now)
			const { state } = this.#endpoint
			if (state === 'timeWait' || state === 'closed') this.#finish(now)
		}
		// A handler may be done before the server has said a word.
		if (this.#queue.outgoingDone) this.#finish(now)
	}

	/** It is started when a server has answered, and not before. */
	#startHandler(): ProgramService {
		const { platform, log, words, inherited, key, extension } = this.#o
		const host = this.#o.hosts[this.#endpoint.winner]!
		return new ProgramService({ kind: 'handler', words, inherited }, {
			stream: this.#queue, log, programs: this.#programs, clock: platform.clock,
			peer: {
				key: toHex(key), ip: addressText(host.address), port: host.port,
				extension: toHex(extension), serverName: new TextDecoder().decode(this.#o.name),
			},
			touch: (now) => {
				this.#endpoint.touch(now)
				this.#loop.poke()
			},
			facts: () => ({ uptimeNanos: 0, connections: 1, opened: 1 }),
		})
	}

	#finish(now: Nanos): void {
		if (this.#over) return
		this.#over = true
		this.#loop.stop()
		this.#service?.over(true)
		this.#endpoint.close(now)
		this.#queue.release()
		const silence = new Trouble('reach', this.#servers(), 'no response: timed out')
		this.#resolve(this.#service?.exited ?? Promise.reject(silence))
	}

	#servers(): string {
		const { hosts } = this.#o
		return `${hosts.map(({ address }) => addressText(address)).join(', ')}, port ${hosts[0]!.port}`
	}
}
