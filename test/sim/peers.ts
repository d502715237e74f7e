// Our endpoints as inhabitants of the virtual world, each with an application that writes and reads
// streams whose every byte is known in advance.

import type { Random } from '../../src/base/random.ts'
import { PiecePool } from '../../src/base/pieces.ts'
import type { Slot } from '../../src/base/slots.ts'
import { NEVER, SECOND, type Nanos } from '../../src/base/time.ts'
import type { Box } from '../../src/crypto/box.ts'
import { makeTweetnacl } from '../../src/crypto/tweetnacl.ts'
import { ClientEndpoint } from '../../src/endpoint/client.ts'
import type { Connection } from '../../src/endpoint/connection.ts'
import { Identity } from '../../src/endpoint/identity.ts'
import type { LivenessLimits } from '../../src/endpoint/liveness.ts'
import { OwnExtension } from '../../src/endpoint/own-extension.ts'
import type { Host } from '../../src/endpoint/race.ts'
import { ServerEndpoint } from '../../src/endpoint/server.ts'
import { ServerHandshake } from '../../src/handshake/server.ts'
import { RECORD_PIECE_BYTES } from '../../src/message/blocks.ts'
import type { ControllerFactory } from '../../src/message/congestion/controller.ts'
import { Cubic } from '../../src/message/congestion/cubic.ts'
import { Messenger } from '../../src/message/messenger.ts'
import { nodeAgree } from '../../src/platform/x25519.ts'
import { writeServerName } from '../../src/wire/server-name.ts'
import type { Node } from './world.ts'

export const box: Box = makeTweetnacl(nodeAgree())

export const LIVENESS: LivenessLimits = {
	keepalive: 20 * SECOND, deadPeer: 90 * SECOND, idle: NEVER,
}

const RING_BYTES = 2 ** 20

/** Message layers from one pair of pools. */
export function messengers(
	random: Random, connections: number, control: ControllerFactory = () => new Cubic(),
	ringBytes = RING_BYTES,
): (now: Nanos) => Messenger {
	const pieces = new PiecePool(16_384, 2 * connections + 256)
	const records = new PiecePool(RECORD_PIECE_BYTES, connections + 512)
	return (now) => new Messenger(
		{ pieces, records, random, control, sendBytes: ringBytes, receiveBytes: ringBytes }, now)
}

/** The byte at a position of a stream; streams of other salts differ everywhere. */
export function byteAt(position: number, salt: number): number {
	return (position * 31 + (position >>> 8) * 7 + (position >>> 16) * 3 + salt) & 255
}

const CHUNK = 8192
const scratch = new Uint8Array(CHUNK)

/** A program at one end: writes `total` bytes and the end, reads and compares all that comes. */
export class Program {
	written = 0
	read = 0
	wrong = -1
	ended = false
	incomingEnd: 'open' | 'success' | 'failure' = 'open'
	/** Bytes read for each turn; a slow reader reads few. */
	appetite = Infinity
	readonly #messenger: Messenger
	readonly #total: number
	readonly #ourSalt: number
	readonly #theirSalt: number

	constructor(messenger: Messenger, total: number, ourSalt: number, theirSalt: number) {
		this.#messenger = messenger
		this.#total = total
		this.#ourSalt = ourSalt
		this.#theirSalt = theirSalt
	}

	get done(): boolean {
		return this.incomingEnd !== 'open' && this.#messenger.outgoingDone
	}

	turn(now: Nanos): boolean {
		const wrote = this.#write(now)
		const read = this.#read(now)
		return wrote || read
	}

	#write(now: Nanos): boolean {
		let busy = false
		while (this.written < this.#total) {
			const n = Math.min(CHUNK, this.#total - this.written)
			for (let i = 0; i < n; i++) scratch[i] = byteAt(this.written + i, this.#ourSalt)
			const accepted = this.#messenger.write(scratch, 0, n, now)
			this.written += accepted
			busy ||= accepted > 0
			if (accepted < n) break
		}
		if (this.written === this.#total && !this.ended) {
			this.ended = true
			this.#messenger.end(now)
			busy = true
		}
		return busy
	}

	#read(now: Nanos): boolean {
		let left = this.appetite
		let busy = false
		for (;;) {
			const n = this.#messenger.read(scratch, 0, Math.min(CHUNK, left), now)
			if (n === 0) break
			for (let i = 0; i < n; i++) {
				if (scratch[i] !== byteAt(this.read + i, this.#theirSalt)) this.wrong = this.read + i
			}
			this.read += n
			left -= n
			busy = true
		}
		if (this.#messenger.incomingEnd !== this.incomingEnd) {
			this.incomingEnd = this.#messenger.incomingEnd
			busy = true
		}
		return busy
	}
}

export interface ServerOptions {
	random: Random
	connections?: number
	/** What the program of each connection writes; it reads whatever comes. */
	down?: number
	name?: string
	extension?: Uint8Array | 'any'
	clients?: ReadonlySet<string>
	liveness?: LivenessLimits
	now?: Nanos
	secretKey?: Uint8Array
	/** Message layers from pools that it shares with others. */
	makeLayer?: (now: Nanos) => Messenger
}

/** One server with one name, on a ServerEndpoint. */
export class ServerNode implements Node {
	readonly endpoint: ServerEndpoint
	readonly identity: Identity
	readonly extension: OwnExtension
	readonly publicKey = new Uint8Array(32)
	/** A program for each connection that was opened, in order; alive or not. */
	readonly programs: Program[] = []
	readonly connections: Connection[] = []
	readonly #byConnection = new Map<Connection, Program>()
	readonly #down: number

	constructor(o: ServerOptions) {
		const { random, connections = 16, now = 0 } = o
		const secretKey = o.secretKey?.slice() ?? new Uint8Array(32)
		if (o.secretKey === undefined) random.fill(secretKey, 0, 32)
		box.publicOf(this.publicKey, secretKey)
		this.#down = o.down ?? 0
		this.endpoint = new ServerEndpoint(connections, random)
		const any = o.extension === 'any'
		this.extension = new OwnExtension(o.extension === 'any' || o.extension === undefined
			? new Uint8Array(16) : o.extension)
		const handshake = new ServerHandshake(box, random, secretKey, now)
		this.identity = new Identity(this.publicKey, handshake, any ? 'any' : this.extension)
		this.identity.serve([[wireName(o.name ?? 'test'), {
			text: o.name ?? 'test', clients: o.clients, liveness: o.liveness ?? LIVENESS,
			makeLayer: o.makeLayer ?? messengers(random, connections),
		}]])
		this.endpoint.add(this.identity)
	}

	receive(slot: Slot, now: Nanos): string | undefined {
		return this.endpoint.receive(slot, now)
	}

	transmit(out: Slot, now: Nanos): boolean {
		return this.endpoint.transmit(out, now)
	}

	wakeAt(): Nanos {
		return this.endpoint.wakeAt()
	}

	wake(now: Nanos): void {
		this.endpoint.wake(now)
	}

	turn(now: Nanos): boolean {
		let busy = false
		for (let c = this.endpoint.event(now); c !== undefined; c = this.endpoint.event(now)) {
			if (c.state !== 'closed') busy = this.#program(c).turn(now) || busy
			this.endpoint.touch(c, now)
		}
		return busy
	}

	#program(connection: Connection): Program {
		let program = this.#byConnection.get(connection)
		if (program === undefined) {
			program = new Program(connection.layer as Messenger, this.#down, 2, 1)
			this.#byConnection.set(connection, program)
			this.programs.push(program)
			this.connections.push(connection)
		}
		return program
	}
}

/** A host as tests name it. */
export type Reached = Omit<Host, 'extension'> & Partial<Host>

export interface ClientNodeOptions {
	random: Random
	server: { publicKey: Uint8Array }
	hosts: readonly Reached[]
	up?: number
	name?: string
	extension?: Uint8Array
	/** Of hosts that name none. */
	serverExtension?: Uint8Array
	liveness?: LivenessLimits
	connectTimeout?: Nanos
	now?: Nanos
	longTermSecret?: Uint8Array
	makeLayer?: (now: Nanos) => Messenger
}

export class ClientNode implements Node {
	readonly endpoint: ClientEndpoint
	readonly program: Program
	readonly messenger: Messenger
	readonly extension: OwnExtension
	readonly longTermPublic = new Uint8Array(32)
	/** Slot.local of what leaves: which of its host's addresses is used. */
	local = 0

	constructor(o: ClientNodeOptions) {
		const { random, now = 0 } = o
		const longTermSecret = o.longTermSecret ?? new Uint8Array(32)
		if (o.longTermSecret === undefined) random.fill(longTermSecret, 0, 32)
		box.publicOf(this.longTermPublic, longTermSecret)
		this.messenger = (o.makeLayer ?? messengers(random, 1))(now)
		this.extension = new OwnExtension(o.extension ?? new Uint8Array(16))
		this.endpoint = new ClientEndpoint({
			box,
			random,
			identity: {
				longTermPublic: this.longTermPublic,
				longTermSecret,
				serverLongTermPublic: o.server.publicKey,
				serverName: wireName(o.name ?? 'test'),
			},
			hosts: o.hosts.map((host) =>
				({ extension: o.serverExtension ?? new Uint8Array(16), ...host })),
			ownExtension: this.extension,
			layer: this.messenger,
			liveness: o.liveness ?? LIVENESS,
			connectTimeout: o.connectTimeout ?? 60 * SECOND,
			now,
		})
		this.program = new Program(this.messenger, o.up ?? 0, 1, 2)
	}

	receive(slot: Slot, now: Nanos): string | undefined {
		return this.endpoint.receive(slot, now)
	}

	transmit(out: Slot, now: Nanos): boolean {
		const sent = this.endpoint.transmit(out, now)
		out.local = this.local
		return sent
	}

	wakeAt(): Nanos {
		return this.endpoint.wakeAt()
	}

	wake(now: Nanos): void {
		this.endpoint.wake(now)
	}

	turn(now: Nanos): boolean {
		if (this.endpoint.state === 'closed') return false
		const busy = this.program.turn(now)
		this.endpoint.touch(now)
		return busy
	}
}

export function wireName(text: string): Uint8Array {
	const wire = new Uint8Array(256)
	if (!writeServerName(wire, 0, new TextEncoder().encode(text))) throw new Error(`no name: ${text}`)
	return wire
}
