// The layer under a NaCl message handler: messages pass as they are, both ways, framed by their
// length as the handler's pipes want them. Nothing of a message is understood but its two IDs. What
// finds no room is thrown away, as the reference does: that is the handler's flow control. spec:
// protocol.md 6.1

import { fill, readU32, writeU32, type Bytes } from '../base/bytes.ts'
import type { PiecePool } from '../base/pieces.ts'
import { Ring } from '../base/ring.ts'
import { NEVER, type Nanos } from '../base/time.ts'
import { MESSAGE_MAX, MESSAGE_MIN as UNIT } from '../wire/packets.ts'
import type { MessageLayer } from './layer.ts'

const FRAME_MAX = 1 + MESSAGE_MAX
/** What the reference's queue holds: 64 messages. */
const QUEUE_BYTES = 64 * FRAME_MAX
/** An empty block with an ID, in the smallest length that the reference sends. */
const PING_BYTES = 192
const ACK_ID = 4
/** Far above what a handler counts up to, so that an answer to us looks like none of its own. */
const FIRST_PING_ID = 0xc0000000

export class MessageQueue implements MessageLayer {
	lastAckId = 0
	/** Both are its handler's to know. */
	readonly failed = false
	readonly mayHaveLeft = false
	sentBytes = 0
	receivedBytes = 0
	/** The handler's own affair. */
	readonly rtt = 0
	readonly window = 0
	incomingEnd: 'open' | 'success' | 'failure' = 'open'
	/** The handler wrote something that is no message: there is no way to find the next one. */
	broken = false
	/** Messages from the peer that found no room. */
	lost = 0
	/** Frames for the handler, from #in.front to #inEnd. */
	readonly #in: Ring
	#inEnd = 0
	/** Whole frames from the handler, from #out.front to #outEnd. */
	readonly #out: Ring
	#outEnd = 0
	/** The frame that the handler is writing: so many bytes of it have come. */
	readonly #partial = new Uint8Array(FRAME_MAX)
	#partialBytes = 0
	/** Scratch for a frame's length byte. */
	readonly #length = new Uint8Array(1)
	#pingWanted = false
	#pingId = FIRST_PING_ID
	/** The handler is gone; what it wrote is still sent. */
	#ended = false
	#discarding = false

	constructor(pieces: PiecePool) {
		this.#in = new Ring(pieces, QUEUE_BYTES)
		this.#out = new Ring(pieces, QUEUE_BYTES)
	}

	get movedBytes(): number {
		return this.sentBytes + this.receivedBytes
	}

	get outgoingDone(): boolean {
		return this.#ended && this.#out.front === this.#outEnd
	}

	/** Messages have no end of their own: the connection is over when its handler is. */
	get incomingDone(): boolean {
		return this.outgoingDone
	}

	receive(p: Bytes, at: number, n: number, _now: Nanos): void {
		this.lastAckId = n >= ACK_ID + 4 ? readU32(p, at + ACK_ID) : 0
		if (this.#discarding || n === 0) return
		this.receivedBytes += n
		this.#length[0] = n / UNIT
		this.#inEnd = alignEmpty(this.#in, this.#inEnd)
		const fits = this.#in.room(this.#inEnd) > n
			&& this.#in.store(this.#inEnd, this.#length, 0, 1) === 1
			&& this.#in.store(this.#inEnd + 1, p, at, n) === n
		if (fits) this.#inEnd += 1 + n
		else this.lost++
	}

	transmit(p: Bytes, at: number, room: number, _now: Nanos): number {
		const n = this.#next()
		if (n > 0 && n <= room) return this.#take(p, at, n)
		if (!this.#pingWanted || room < PING_BYTES) return 0
		this.#pingWanted = false
		const id = this.#pingId
		this.#pingId = id === 0xffffffff ? FIRST_PING_ID : id + 1
		return this.#writePing(p, at, id)
	}

	transmitProbe(p: Bytes, at: number, room: number, id: number, _now: Nanos): number {
		return room < PING_BYTES || this.outgoingDone ? 0 : this.#writePing(p, at, id)
	}

	ping(_now: Nanos): void {
		this.#pingWanted = !this.#ended
	}

	seedRtt(_rtt: Nanos, _now: Nanos): void {}
	newPath(_now: Nanos): void {}
	wake(_now: Nanos): void {}

	wakeAt(): Nanos {
		return NEVER
	}

	release(): void {
		this.#in.release()
		this.#out.release()
	}

	/** What waits for the handler; peekBytes[peekAt, peekAt + peekLength) of it lies in one piece. */
	get readable(): number {
		return this.#inEnd - this.#in.front
	}

	get peekBytes(): Bytes {
		return this.#in.bytes
	}

	get peekAt(): number {
		return this.readable === 0 ? 0 : this.#in.address(this.#in.front)
	}

	get peekLength(): number {
		return Math.min(this.readable, this.#in.stretch(this.#in.front))
	}

	consume(n: number, _now: Nanos): void {
		if (n > 0) this.#in.advance(this.#in.front + n)
	}

	/** How much the handler may write at once; a little more than nothing while there is room. */
	get writable(): number {
		if (this.#ended || this.broken) return 0
		return Math.max(0, this.#out.room(this.#outEnd) - FRAME_MAX)
	}

	/** Takes what the handler wrote; returns how many bytes of p[at, at + n) it took. */
	write(p: Bytes, at: number, n: number, _now: Nanos): number {
		let done = 0
		while (done < n && !this.broken && !this.#ended) {
			if (this.#partialBytes === 0) {
				const units = p[at + done]!
				this.broken = units === 0 || units * UNIT > MESSAGE_MAX
				if (this.broken) return n
			}
			const units = this.#partialBytes === 0 ? p[at + done]! : this.#partial[0]!
			const missing = 1 + units * UNIT - this.#partialBytes
			const count = Math.min(missing, n - done)
			// The last part of a frame is taken only when the whole frame finds room.
			if (count === missing && !this.#hasRoom(1 + units * UNIT)) return done
			for (let i = 0; i < count; i++) {
				this.#partial[this.#partialBytes++] = p[at + done++]!
			}
			if (count === missing) this.#keep()
		}
		return n
	}

	/** The handler is gone. */
	end(now: Nanos): void {
		this.#ended = true
		this.#pingWanted = false
		this.discardIncoming(now)
	}

	fail(now: Nanos): void {
		this.end(now)
	}

	/** What comes from now on is for nobody. */
	discardIncoming(_now: Nanos): void {
		this.#discarding = true
		this.#in.advance(this.#inEnd)
	}

	#hasRoom(n: number): boolean {
		this.#outEnd = alignEmpty(this.#out, this.#outEnd)
		return this.#out.room(this.#outEnd) >= n
	}

	#keep(): void {
		const n = this.#partialBytes
		this.#partialBytes = 0
		if (this.#out.store(this.#outEnd, this.#partial, 0, n) === n) this.#outEnd += n
	}

	/** The length of the next message, 0 for none. */
	#next(): number {
		if (this.#out.front === this.#outEnd) return 0
		this.#out.load(this.#out.front, this.#length, 0, 1)
		return this.#length[0]! * UNIT
	}

	#take(p: Bytes, at: number, n: number): number {
		this.#out.load(this.#out.front + 1, p, at, n)
		this.#out.advance(this.#out.front + 1 + n)
		this.sentBytes += n
		return n
	}

	/** No block of any stream, so that every receiver answers it and none is confused by it. */
	#writePing(p: Bytes, at: number, id: number): number {
		fill(p, at, PING_BYTES, 0)
		writeU32(p, at, id)
		return PING_BYTES
	}
}

/**
 * Where the next frame of an empty ring starts: in a piece that holds all of it. So the one piece
 * that everybody is promised is enough to go on.
 */
function alignEmpty(ring: Ring, end: number): number {
	if (ring.front !== end || ring.stretch(end) >= FRAME_MAX) return end
	const next = end + ring.stretch(end)
	ring.advance(next)
	return next
}
