// What a connection needs of the layer that stands on its boxes. The stream messenger is one; the
// queue that feeds a NaCl message handler is another. Neither knows keys, addresses or sockets.

import type { Bytes } from '../base/bytes.ts'
import type { Nanos } from '../base/time.ts'

export interface MessageLayer {
	/** The ID that the message received last acknowledges, 0 for none. */
	readonly lastAckId: number
	/** Our end was acknowledged: nothing is left to send but repeated acknowledgments. */
	readonly outgoingDone: boolean
	/** Their end came, and all before it was read: nothing is left to expect but repetitions. */
	readonly incomingDone: boolean
	/** One of the two streams ended as a failure. */
	readonly failed: boolean
	/**
	 * Their end came, they have all our bytes, and they are not of our make: NaCl's handlers leave
	 * then, although our end may not have been acknowledged.
	 */
	readonly mayHaveLeft: boolean
	/** Stream bytes that the peer has acknowledged, or all that came from it; and their sum. */
	readonly sentBytes: number
	readonly receivedBytes: number
	readonly movedBytes: number
	/** Smoothed round-trip time; 0 when nothing is known. */
	readonly rtt: Nanos
	/** Message bytes that congestion control lets be in flight; 0: there is no such control. */
	readonly window: number

	/**
	 * Takes the opened message p[at, at + n); bytes are borrowed for this call. Never throws on
	 * input.
	 */
	receive(p: Bytes, at: number, n: number, now: Nanos): void

	/**
	 * Writes the next message to p[at, …), at most room bytes (640 inside an Initiate, else 1,088),
	 * every byte of it. Returns its length, a multiple of 16; 0: nothing to send now.
	 */
	transmit(p: Bytes, at: number, room: number, now: Nanos): number

	/** Like transmit, but a message of no stream with this ID, which its receiver must answer. */
	transmitProbe(p: Bytes, at: number, room: number, id: number, now: Nanos): number

	/** Asks the peer for an answer: the next transmit carries a message ID. */
	ping(now: Nanos): void

	/** A first round trip, measured by the handshake, before any of the layer's own. */
	seedRtt(rtt: Nanos, now: Nanos): void

	/** The peer is reached by another path now: what was learnt of the old one does not hold. */
	newPath(now: Nanos): void

	/** When wake or transmit will next have something to do without input. */
	wakeAt(): Nanos
	wake(now: Nanos): void

	/** Gives everything borrowed back; no other call may follow. */
	release(): void
}
