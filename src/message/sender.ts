// The outgoing stream: cuts it into blocks, and decides which block, new or old, goes next and
// when. What is out and lost is Flight's knowledge; speed is the controller's. spec: protocol.md
// 4.8, 5.5

import { NONE, type PiecePool } from '../base/pieces.ts'
import type { Bytes } from '../base/bytes.ts'
import { Ring } from '../base/ring.ts'
import { NEVER, ZERO, type Nanos } from '../base/time.ts'
import type { Controller } from './congestion/controller.ts'
import { Flight, isLater, PROBES } from './flight.ts'
import {
	BLOCK_MAX, FAILURE, MESSAGE_HEAD_BYTES, messageBytes, messageBytesWithin, writeBlockHead,
} from './format.ts'
import { Pacer } from './pacer.ts'

/** What the reference's receiver keeps beyond what it has acknowledged. spec: 4.5 */
const REFERENCE_WINDOW = 131072
/** What its queue and its pipe hold, and what its socket holds. spec: 5.5 */
const REFERENCE_BLOCKS = 64
const REFERENCE_BURST = 32
/** Times the interval between pings grows while the window stays shut. */
const PERSIST_MAX = 5

export class Sender {
	readonly flight: Flight
	/** Data bytes of the largest block. */
	blockMax = BLOCK_MAX
	/** Bytes below are acknowledged, and forgotten. */
	acked = 0
	/** Our end marker is acknowledged. */
	endAcked = false
	/** Transmissions of data blocks, old ones included. */
	blocksSent = 0
	readonly #control: Controller
	readonly #pacer: Pacer
	readonly #ring: Ring
	/** The next byte that has been in no block yet, and the next that will be written. */
	#next = 0
	#written = 0
	/** SUCCESS or FAILURE once the stream is ended; sent once a block carried it. */
	#end = 0
	#endSent = false
	/**
	 * Positions below may be sent; our own peers say so, for others it follows what is acknowledged.
	 */
	#limit = REFERENCE_WINDOW
	/** Position beyond which the messenger wants no new data sent. */
	furthest = Infinity
	#ours = false
	/** When transmit has something to do: 0 when it must look, NEVER when only input helps. */
	#resumeAt: Nanos = ZERO
	/** An ID-carrying empty block is wanted; it is out since pingSentAt; times it was repeated. */
	#pingWanted = false
	#pingFirst = 0
	#pingId = 0
	#pingSentAt: Nanos = ZERO
	#pingWaits = 0
	/** When a shut window is asked about, and how often it was. */
	#persistAt: Nanos = NEVER
	#persists = 0

	constructor(
		pieces: PiecePool, records: PiecePool, capacity: number, control: Controller,
	) {
		this.#control = control
		this.#ring = new Ring(pieces, capacity)
		this.#pacer = new Pacer(control)
		this.#pacer.burstMax = REFERENCE_BURST
		this.flight = new Flight(records, control)
	}

	/** Message bytes that congestion control lets be in flight. */
	get window(): number {
		return this.#control.window
	}

	/** Position that new blocks have reached. */
	get sent(): number {
		return this.#next
	}

	/** Bytes that write would take now. */
	get writable(): number {
		return this.#end === 0 ? this.#ring.room(this.#written) : 0
	}

	/** Written and not yet acknowledged. */
	get pending(): number {
		return this.#written - this.acked
	}

	write(p: Bytes, at: number, n: number): number {
		const room = this.#ring.front + this.#ring.capacity - this.#written
		const count = this.#end === 0 ? this.#ring.store(this.#written, p, at, Math.min(n, room)) : 0
		this.#written += count
		if (count > 0) this.#resumeAt = 0
		return count
	}

	get failed(): boolean {
		return this.#end === FAILURE
	}

	/** No byte follows what was written. The first end counts. */
	end(flag: number): void {
		if (this.#end !== 0) return
		this.#end = flag
		this.#resumeAt = 0
	}

	ping(): void {
		this.#pingWanted = true
		this.#resumeAt = 0
	}

	/** The peer is of our make and takes window bytes beyond those acknowledged up to end. */
	hinted(end: number, window: number): void {
		if (end < this.acked) return
		this.#ours = true
		this.#pacer.burstMax = Infinity
		this.#limit = end + window
		if (this.#limit <= this.#next) return
		this.#persists = 0
		this.#persistAt = NEVER
	}

	acknowledgeId(id: number, now: Nanos): void {
		this.flight.acknowledgeId(id, now)
		if (this.#pingFirst === 0 || isLater(this.#pingFirst, id) || isLater(id, this.#pingId)) return
		if (id === this.#pingId) this.flight.sample(id, this.#pingSentAt, now)
		this.#pingFirst = 0
		this.#pingWaits = 0
	}

	/** True when nothing beyond what was sent is claimed; then the range is believed. */
	acknowledge(start: number, stop: number, now: Nanos): boolean {
		if (stop > this.#next + (this.#endSent ? 1 : 0)) return false
		if (stop > start && stop > this.acked) this.flight.acknowledge(start, stop, now)
		return true
	}

	/** The message in hand was taken in. */
	settle(now: Nanos): void {
		this.flight.settle(now)
		this.#resumeAt = 0
		const { blocks } = this.flight
		const acked = blocks.count === 0 ? this.#next : blocks.position(blocks.record(blocks.first))
		if (this.#endSent && blocks.count === 0) this.endAcked = true
		if (acked === this.acked) return
		this.acked = acked
		this.#ring.advance(acked)
		if (!this.#ours) this.#limit = acked + REFERENCE_WINDOW
	}

	/** Writes the next block's message, but for what it acknowledges; returns its length or 0. */
	transmit(p: Bytes, at: number, room: number, now: Nanos): number {
		let n = 0
		if (this.flight.probes > 0) n = this.#transmitProbe(p, at, room, now)
		if (n === 0) n = this.#transmitPaced(p, at, room, now)
		if (n === 0 && this.#pingWanted) n = this.#writePing(p, at, now)
		return n
	}

	/** A block without data that its receiver must answer. spec: 4.4, 4.10 */
	emptyBlock(p: Bytes, at: number, id: number): number {
		const n = messageBytes(0)
		writeBlockHead(p, at, n, id, this.acked, 0)
		return n
	}

	wakeAt(): Nanos {
		const ping = this.#pingRepeatAt()
		return Math.min(this.#resumeAt, this.flight.wakeAt(), this.#persistAt, ping)
	}

	wake(now: Nanos): void {
		this.flight.wake(now)
		if (now >= this.#persistAt) {
			this.#persistAt = NEVER
			this.#persists = Math.min(this.#persists + 1, PERSIST_MAX)
			this.#pingWanted = true
		}
		if (now >= this.#pingRepeatAt()) {
			this.#pingWaits++
			this.#pingWanted = true
		}
		this.#resumeAt = 0
	}

	newPath(now: Nanos): void {
		this.flight.forgetPath()
		this.#control.onNewPath(now)
		this.#pacer.reset()
		this.#resumeAt = 0
	}

	release(): void {
		this.flight.release()
		this.#ring.release()
	}

	#writePing(p: Bytes, at: number, now: Nanos): number {
		const id = this.flight.takeId()
		if (this.#pingFirst === 0) this.#pingFirst = id
		this.#pingId = id
		this.#pingSentAt = now
		this.#pingWanted = false
		return this.emptyBlock(p, at, id)
	}

	/** A ping is repeated until it is answered, unless blocks ask the same question. */
	#pingRepeatAt(): Nanos {
		if (this.#pingFirst === 0 || this.#pingWanted || this.flight.blocks.sentCount > 0) return NEVER
		return this.#pingSentAt + this.flight.rtt.timeout(this.#pingWaits)
	}

	/** After silence: the first block that is missing, then the one that is out longest. */
	#transmitProbe(p: Bytes, at: number, room: number, now: Nanos): number {
		const { blocks, probes } = this.flight
		this.flight.probes = probes - 1
		if (blocks.count === 0) return 0
		const first = blocks.record(blocks.first)
		const r = probes === PROBES ? first : blocks.sentHead
		if (probes < PROBES && (r === first || r === NONE)) return 0
		return this.#transmitBlock(r, p, at, room, now)
	}

	#transmitPaced(p: Bytes, at: number, room: number, now: Nanos): number {
		const { blocks } = this.flight
		this.#resumeAt = NEVER
		const lost = blocks.lostHead
		const d = lost !== NONE ? blocks.bytes(lost) : this.#cut(room)
		if (d < 0) return this.#persist(now)
		if (!this.#windowTakes(messageBytes(d))) {
			this.flight.limitedId = this.flight.lastId
			return 0
		}
		if (this.#pacer.at > now) {
			this.#resumeAt = this.#pacer.at
			return 0
		}
		if (lost !== NONE) return this.#transmitBlock(lost, p, at, room, now)
		if (!blocks.canAppend) return 0
		return this.#transmitNew(d, p, at, room, now)
	}

	/** Bytes of the next new block: 0 for a mere end marker, -1 when there is no block to send. */
	#cut(room: number): number {
		const left = Math.min(this.#written, this.furthest) - this.#next
		if (left <= 0 && this.#next < this.#written) return -1
		if (left === 0) return this.#end !== 0 && !this.#endSent ? 0 : -1
		if (!this.#ours && this.flight.blocks.sentCount >= REFERENCE_BLOCKS) return -1
		const wanted = Math.min(left, this.blockMax, this.#ring.stretch(this.#next))
		const d = Math.min(wanted, room - MESSAGE_HEAD_BYTES, this.#limit - this.#next)
		// What the window cuts short waits for more of it while answers are still to come.
		if (d <= 0 || (d < wanted && this.flight.blocks.sentCount > 0)) return -1
		return d
	}

	#windowTakes(bytes: number): boolean {
		return this.flight.bytes + bytes <= this.#control.window || this.flight.blocks.sentCount === 0
	}

	#transmitNew(d: number, p: Bytes, at: number, room: number, now: Nanos): number {
		const n = messageBytesWithin(d, room)
		if (n === 0) return 0
		const ends = this.#end !== 0 && this.#next + d === this.#written
		const wire = ends ? d + this.#end : d
		const position = this.#next
		const r = this.flight.sendNew(position, wire, now)
		this.#next += d
		if (ends) this.#endSent = true
		return this.#fill(r, p, at, n, now)
	}

	#transmitBlock(r: number, p: Bytes, at: number, room: number, now: Nanos): number {
		const n = messageBytesWithin(this.flight.blocks.bytes(r), room)
		if (n === 0) return 0
		this.flight.sendAgain(r, now)
		return this.#fill(r, p, at, n, now)
	}

	#fill(r: number, p: Bytes, at: number, n: number, now: Nanos): number {
		const { blocks } = this.flight
		const d = blocks.bytes(r)
		writeBlockHead(p, at, n, blocks.id(r), blocks.position(r), blocks.wire(r))
		this.#ring.load(blocks.position(r), p, at + n - d, d)
		this.#pacer.sent(n, now)
		this.blocksSent++
		// A block is as good a question as an empty one.
		this.#pingWanted = false
		this.#resumeAt = 0
		return n
	}

	/** Everything is acknowledged and the peer's window is shut: it will be asked again. */
	#persist(now: Nanos): number {
		const shut = this.#ours && this.#written > this.#next && this.#limit <= this.#next
		if (!shut || this.flight.blocks.count > 0 || this.#persistAt !== NEVER) return 0
		this.#persistAt = now + this.flight.rtt.timeout(this.#persists)
		return 0
	}
}
