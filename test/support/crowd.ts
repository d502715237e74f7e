// Many clients of one server in one process, on one socket: they are told apart by their
// extensions. Each is a whole ClientEndpoint that sends a portion to an echo and waits for it.

import { readU32, writeU32, type Bytes } from '../../src/base/bytes.ts'
import { TimerHeap } from '../../src/base/heap.ts'
import { PiecePool } from '../../src/base/pieces.ts'
import { RowQueue } from '../../src/base/row-queue.ts'
import type { Slot } from '../../src/base/slots.ts'
import { MILLISECOND, NEVER, SECOND, type Nanos } from '../../src/base/time.ts'
import { ClientEndpoint } from '../../src/endpoint/client.ts'
import { OwnExtension } from '../../src/endpoint/own-extension.ts'
import { DEAD_PEER, KEEPALIVE } from '../../src/limits.ts'
import { Cubic } from '../../src/message/congestion/cubic.ts'
import { Messenger } from '../../src/message/messenger.ts'
import { Loop, type Machine } from '../../src/platform/loop.ts'
import type { Platform } from '../../src/platform/platform.ts'
import type { Udp } from '../../src/platform/udp.ts'
import { parseAddress } from '../../src/service/address.ts'
import { PIECE_BYTES, RECORD_BYTES, SLOT_BYTES } from '../../src/service/budget.ts'
import { resolve, type Resolved } from '../../src/service/resolve.ts'
import {
	EXTENSION_BYTES, PACKET_RECEIVER_EXTENSION, SERVER_NAME_BYTES,
} from '../../src/wire/packets.ts'
import { writeServerName } from '../../src/wire/server-name.ts'

/** Handshakes that are under way at once. */
const OPENING = 128
const BUFFER_BYTES = 4_194_304
const RING_BYTES = 65_536
const POLL_MILLIS = 5

interface Member {
	readonly endpoint: ClientEndpoint
	readonly messenger: Messenger
	/** Bytes of its portion that are not back yet, and when it was due. */
	wanted: number
	sentAt: Nanos
}

export class Crowd implements Machine {
	/** Portions that came back, by member. */
	readonly rounds: Int32Array
	/** Members whose first portion is back, and members that are over. */
	opened = 0
	lost = 0
	readonly #platform: Platform
	readonly #resolved: Resolved
	readonly #name: Bytes
	readonly #members: Member[] = []
	readonly #ready: RowQueue
	readonly #changed: RowQueue
	readonly #timers: TimerHeap
	/** When each sends its next portion. */
	readonly #due: TimerHeap
	readonly #pools: { pieces: PiecePool, records: PiecePool }
	readonly #identity: { longTermPublic: Bytes, longTermSecret: Bytes }
	readonly #loop: Loop
	#portion: Bytes = new Uint8Array(0)
	#interval: Nanos = NEVER

	static async make(platform: Platform, url: string, size: number): Promise<Crowd> {
		const address = parseAddress(url)
		const udp = await platform.openUdp({
			address: 0, port: 0, answerFromAsked: false,
			receiveBufferBytes: BUFFER_BYTES, sendBufferBytes: BUFFER_BYTES,
		})
		return new Crowd(platform, udp, await resolve(address), address.name, size)
	}

	private constructor(
		platform: Platform, udp: Udp, resolved: Resolved, name: Bytes, size: number,
	) {
		this.#platform = platform
		this.#resolved = resolved
		this.#name = new Uint8Array(SERVER_NAME_BYTES)
		writeServerName(this.#name, 0, name)
		this.rounds = new Int32Array(size)
		this.#ready = new RowQueue(size)
		this.#changed = new RowQueue(size)
		this.#timers = new TimerHeap(size)
		this.#due = new TimerHeap(size)
		this.#pools = {
			pieces: new PiecePool(PIECE_BYTES, 2 * size + 64),
			records: new PiecePool(RECORD_BYTES, 2 * size + 64),
		}
		this.#identity = { longTermPublic: new Uint8Array(32), longTermSecret: new Uint8Array(32) }
		const { longTermPublic, longTermSecret } = this.#identity
		platform.box.keypair(longTermPublic, longTermSecret, platform.random)
		this.#loop = new Loop(this, udp, platform.clock, {
			batch: 64, slotBytes: SLOT_BYTES, spinNanos: MILLISECOND, memory: platform.memory,
			drained: (now) => this.#drain(now),
		})
		this.#loop.start()
	}

	/**
	 * Opens one after the other until all are, and has each move one portion of so many bytes; throws
	 * when they have not been in time.
	 */
	async open(bytes: number, patience: Nanos): Promise<void> {
		this.#portion = new Uint8Array(bytes).fill(7)
		const until = this.#platform.clock() + patience
		while (this.opened < this.rounds.length) {
			while (this.#members.length < this.rounds.length
				&& this.#members.length - this.opened < OPENING) this.#add()
			this.#loop.poke()
			await pause()
			if (this.#platform.clock() > until || this.lost > 0) {
				throw new Error(`${this.opened} of ${this.rounds.length} open, ${this.lost} lost`)
			}
		}
	}

	/** Every member sends a portion at each such interval, each at its own moment. */
	move(interval: Nanos): void {
		this.#interval = interval
		const now = this.#platform.clock()
		const size = this.#members.length
		for (let row = 0; row < size; row++) this.#due.set(row, now + (interval * row) / size)
		this.#loop.poke()
	}

	close(): void {
		this.#loop.stop()
	}

	receive(packet: Slot, now: Nanos): unknown {
		const row = readU32(packet.bytes, PACKET_RECEIVER_EXTENSION)
		const member = this.#members[row]
		if (member === undefined) return 'extension'
		this.#note(row)
		return member.endpoint.receive(packet, now)
	}

	transmit(out: Slot, now: Nanos): boolean {
		for (let row = this.#ready.first(); row >= 0; row = this.#ready.first()) {
			this.#ready.shift()
			const { endpoint } = this.#members[row]!
			if (endpoint.transmit(out, now)) {
				out.local = 0 // there it says which host is meant
				this.#ready.push(row)
				return true
			}
			this.#timers.set(row, endpoint.wakeAt())
		}
		return false
	}

	wakeAt(): Nanos {
		return Math.min(this.#timers.nextAt(), this.#due.nextAt())
	}

	wake(now: Nanos): void {
		while (this.#due.nextAt() <= now) this.#send(this.#due.next(), this.#due.nextAt())
		while (this.#timers.nextAt() <= now) {
			const row = this.#timers.next()
			this.#timers.set(row, NEVER)
			this.#members[row]!.endpoint.wake(now)
			this.#note(row)
		}
	}

	#note(row: number): void {
		this.#ready.push(row)
		this.#changed.push(row)
	}

	#drain(now: Nanos): void {
		for (let row = this.#changed.shift(); row >= 0; row = this.#changed.shift()) {
			const member = this.#members[row]!
			const { endpoint, messenger } = member
			if (!endpoint.event()) continue
			if (endpoint.state === 'closed') this.lost++
			for (let n = messenger.peekLength; n > 0; n = messenger.peekLength) {
				messenger.consume(n, now)
				member.wanted -= n
				if (member.wanted > 0) continue
				if (this.rounds[row]!++ === 0) this.opened++
				// Who is late has missed its turns.
				if (this.#interval !== NEVER) this.#due.set(row, member.sentAt + Math.max(1,
					Math.ceil((now - member.sentAt) / this.#interval)) * this.#interval)
			}
			endpoint.touch(now)
			this.#ready.push(row)
		}
	}

	/** at: when it was due, which is now or a little before. */
	#send(row: number, at: Nanos): void {
		const member = this.#members[row]!
		const { endpoint, messenger } = member
		const now = this.#platform.clock()
		member.wanted = this.#portion.length
		member.sentAt = at
		this.#due.set(row, NEVER)
		messenger.write(this.#portion, 0, this.#portion.length, now)
		endpoint.touch(now)
		this.#ready.push(row)
	}

	#add(): void {
		const row = this.#members.length
		const now = this.#platform.clock()
		const { box, random } = this.#platform
		const extension = new Uint8Array(EXTENSION_BYTES)
		writeU32(extension, 0, row)
		const messenger = new Messenger({
			...this.#pools, random, control: () => new Cubic(),
			sendBytes: RING_BYTES, receiveBytes: RING_BYTES,
		}, now)
		const { key, hosts } = this.#resolved
		const endpoint = new ClientEndpoint({
			box, random, hosts, layer: messenger, now, connectTimeout: 60 * SECOND,
			identity: { ...this.#identity, serverLongTermPublic: key, serverName: this.#name },
			ownExtension: new OwnExtension(extension),
			liveness: { keepalive: KEEPALIVE, deadPeer: DEAD_PEER, idle: NEVER },
		})
		this.#members.push({ endpoint, messenger, wanted: 0, sentAt: now })
		this.#send(row, now)
	}
}

function pause(): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, POLL_MILLIS))
}
