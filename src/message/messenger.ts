// The stream messenger: sender, receiver and acknowledgments of one connection behind the message
// layer's contract, and two streams for the program. spec: protocol.md 4

import { readU16, readU32, type Bytes } from '../base/bytes.ts'
import type { PiecePool } from '../base/pieces.ts'
import type { Random } from '../base/random.ts'
import { MILLISECOND, NEVER, type Nanos } from '../base/time.ts'
import { Acknowledge } from './acknowledge.ts'
import { BothWays } from './both-ways.ts'
import type { ControllerFactory } from './congestion/controller.ts'
import {
	ACKNOWLEDGMENT_BYTES, BLOCK_MAX, FAILURE, INITIATE_BLOCK_MAX, MESSAGE_ACK_ID,
	MESSAGE_FLAGS, MESSAGE_HEAD_BYTES, MESSAGE_ID, readGap, readHint, readLength,
	readPosition, readRange1End, SUCCESS, writeBlockHead,
} from './format.ts'
import type { MessageLayer } from './layer.ts'
import { MESSAGE_MAX } from '../wire/packets.ts'
import { Receiver, REFUSED } from './receiver.ts'
import { Sender } from './sender.ts'

/** A reference sender sleeps up to 60 s over a lost block, unless something comes. spec: 9.2 (1) */
const NUDGE: Nanos = 300 * MILLISECOND
const NUDGE_MAX: Nanos = 5000 * MILLISECOND
/** So often at the first pace; then ever more rarely, and after so many no more. */
const NUDGES_QUICK = 10
const NUDGES = 20

export interface MessengerOptions {
	/** 16 KiB pieces of stream data, shared by all. */
	readonly pieces: PiecePool
	/** Pieces of RECORD_PIECE_BYTES for what is known of blocks in flight. */
	readonly records: PiecePool
	readonly random: Random
	readonly control: ControllerFactory
	/** Stream bytes held at most in each direction. */
	readonly sendBytes: number
	readonly receiveBytes: number
}

export class Messenger implements MessageLayer {
	lastAckId = 0
	/** The peer's messages carry our mark: it is of our make. */
	peerIsOurs = false
	/** Messages with data that came, and of those how many were refused. */
	blocksReceived = 0
	blocksRefused = 0
	readonly #sender: Sender
	readonly #receiver: Receiver
	readonly #acknowledge: Acknowledge
	readonly #bothWays = new BothWays()
	/** The last message in either direction, and how often we nudged since the peer's last block. */
	#lastAt: Nanos
	#nudges = NUDGES

	constructor(o: MessengerOptions, now: Nanos) {
		const control = o.control(o.random, now)
		this.#sender = new Sender(o.pieces, o.records, o.sendBytes, control)
		this.#receiver = new Receiver(o.pieces, o.receiveBytes)
		this.#acknowledge = new Acknowledge(this.#receiver)
		this.#lastAt = now
	}

	// The outgoing stream.

	/** Bytes that write takes now. */
	get writable(): number {
		return this.#sender.writable
	}

	/** Bytes written and not yet acknowledged. */
	get pending(): number {
		return this.#sender.pending
	}

	/** Takes bytes of p[at, at + n) into the stream, from the first on; returns how many. */
	write(p: Bytes, at: number, n: number, _now: Nanos): number {
		return this.#sender.write(p, at, n)
	}

	/** The stream is whole: its end follows what was written. */
	end(_now: Nanos): void {
		this.#sender.end(SUCCESS)
	}

	/** The stream ends here, but is not whole. What was written is still sent. */
	fail(_now: Nanos): void {
		this.#sender.end(FAILURE)
	}

	/** Our end marker is acknowledged. */
	get outgoingDone(): boolean {
		return this.#sender.endAcked
	}

	// The incoming stream.

	get readable(): number {
		return this.#receiver.readable
	}

	read(to: Bytes, at: number, n: number, now: Nanos): number {
		const count = this.#receiver.read(to, at, n)
		if (count > 0) this.#acknowledge.opened(now)
		return count
	}

	/** To read without copying: the next peekLength bytes are peekBytes from peekAt on. */
	get peekBytes(): Bytes {
		return this.#receiver.bytes
	}

	get peekAt(): number {
		return this.#receiver.address
	}

	get peekLength(): number {
		return this.#receiver.stretch
	}

	/** Of what was looked at, n bytes were read. */
	consume(n: number, now: Nanos): void {
		this.#receiver.consume(n)
		this.#acknowledge.opened(now)
	}

	/** How the peer ended its stream, once everything before that was read. */
	get incomingEnd(): 'open' | 'success' | 'failure' {
		if (!this.#receiver.complete || this.#receiver.readable > 0) return 'open'
		return this.#receiver.failed ? 'failure' : 'success'
	}

	/** The peer's end, and everything before it, arrived and was read. */
	get incomingDone(): boolean {
		return this.incomingEnd !== 'open'
	}

	get failed(): boolean {
		return this.#sender.failed || this.incomingEnd === 'failure'
	}

	get mayHaveLeft(): boolean {
		return !this.peerIsOurs && this.incomingDone && this.#sender.pending === 0
	}

	/**
	 * Nobody reads any more: what comes is acknowledged, so that the peer can end, and thrown away.
	 */
	discardIncoming(now: Nanos): void {
		this.#receiver.discard()
		this.#acknowledge.opened(now)
	}

	// Facts for the endpoint and the statistics.

	get movedBytes(): number {
		return this.#sender.acked + this.#receiver.received
	}

	get sentBytes(): number {
		return this.#sender.acked
	}

	get receivedBytes(): number {
		return this.#receiver.received
	}

	get window(): number {
		return this.#sender.window
	}

	get rtt(): Nanos {
		return this.#sender.flight.rtt.smoothed
	}

	/** The newest round trip, and how many were measured: pings among them. */
	get latestRtt(): Nanos {
		return this.#sender.flight.rtt.latest
	}

	get rttSamples(): number {
		return this.#sender.flight.samples
	}

	get blocksSent(): number {
		return this.#sender.blocksSent
	}

	get retransmissions(): number {
		return this.#sender.flight.retransmissions
	}

	/** A round trip that the handshake has seen. */
	seedRtt(rtt: Nanos, _now: Nanos): void {
		this.#sender.flight.rtt.seed(rtt)
	}

	ping(_now: Nanos): void {
		this.#sender.ping()
	}

	newPath(now: Nanos): void {
		this.#sender.newPath(now)
	}

	receive(p: Bytes, at: number, n: number, now: Nanos): void {
		this.#lastAt = now
		this.lastAckId = 0
		if (n < MESSAGE_HEAD_BYTES) return
		this.lastAckId = readU32(p, at + MESSAGE_ACK_ID)
		if (this.lastAckId !== 0) this.#sender.acknowledgeId(this.lastAckId, now)
		const end = readRange1End(p, at)
		this.#receiveRanges(p, at, end, now)
		this.#sender.settle(now)
		const window = readHint(p, at)
		if (window >= 0) {
			this.peerIsOurs = true
			this.#acknowledge.ours = true
			this.#sender.hinted(end, window)
		}
		this.#receiveBlock(p, at, n, now)
	}

	transmit(p: Bytes, at: number, room: number, now: Nanos): number {
		this.#sender.blockMax = room < MESSAGE_MAX ? INITIATE_BLOCK_MAX : BLOCK_MAX
		let n = this.#sender.transmit(p, at, room, now)
		if (n === 0) {
			if (this.#acknowledge.dueAt > now) return 0
			n = ACKNOWLEDGMENT_BYTES
			writeBlockHead(p, at, n, 0, 0, 0)
		}
		return this.#send(p, at, n, now)
	}

	transmitProbe(p: Bytes, at: number, _room: number, id: number, now: Nanos): number {
		return this.#send(p, at, this.#sender.emptyBlock(p, at, id), now)
	}

	wakeAt(): Nanos {
		return Math.min(
			this.#sender.wakeAt(), this.#acknowledge.dueAt, this.#nudgeAt(), this.#bothWays.wakeAt())
	}

	wake(now: Nanos): void {
		this.#sender.wake(now)
		this.#bothWays.wake(now)
		this.#sender.furthest = this.#bothWays.limit
		if (now < this.#nudgeAt()) return
		this.#nudges++
		this.#lastAt = now
		if (this.#acknowledge.dueAt === NEVER) this.#acknowledge.dueAt = now
	}

	release(): void {
		this.#sender.release()
		this.#receiver.release()
	}

	#send(p: Bytes, at: number, n: number, now: Nanos): number {
		this.#acknowledge.write(p, at, now)
		this.#lastAt = now
		return n
	}

	/** Six ranges, each after the one before; the first that claims too much ends the list. */
	#receiveRanges(p: Bytes, at: number, end: number, now: Nanos): void {
		if (!this.#sender.acknowledge(0, end, now)) return
		let stop = end
		for (let k = 2; k <= 6; k++) {
			const length = readLength(p, at, k)
			const start = stop + readGap(p, at, k)
			stop = start + length
			if (length > 0 && !this.#sender.acknowledge(start, stop, now)) return
		}
	}

	#receiveBlock(p: Bytes, at: number, n: number, now: Nanos): void {
		const field = readU16(p, at + MESSAGE_FLAGS)
		const flags = field & (SUCCESS | FAILURE)
		const d = field - flags
		// Reserved bits are above 1,024 as well.
		if (d > BLOCK_MAX || MESSAGE_HEAD_BYTES + d > n) return
		const id = readU32(p, at + MESSAGE_ID)
		if (id === 0 && d === 0 && flags === 0) return
		const position = readPosition(p, at)
		this.blocksReceived++
		this.#nudges = 0
		const verdict = this.#receiver.accept(p, at + n - d, d, position, flags)
		if (verdict === REFUSED) this.blocksRefused++
		const stop = position + d + (flags !== 0 ? 1 : 0)
		this.#acknowledge.took(id, verdict, position, stop, flags !== 0, now)
		if (!this.peerIsOurs) this.#restrain(d, now)
	}

	#restrain(d: number, now: Nanos): void {
		if (this.#receiver.complete) this.#bothWays.end()
		else this.#bothWays.took(d, this.#receiver.received, this.#sender.sent, now)
		this.#sender.furthest = this.#bothWays.limit
	}

	/** A reference sender may have fallen asleep over something that we lack, or cannot know of. */
	#nudgeAt(): Nanos {
		if (this.peerIsOurs || this.#nudges >= NUDGES || this.#receiver.complete) return NEVER
		const slower = 2 ** Math.max(0, this.#nudges - NUDGES_QUICK)
		return this.#lastAt + Math.min(NUDGE * slower, NUDGE_MAX)
	}
}
