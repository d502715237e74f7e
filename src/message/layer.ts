// What a connection needs of the layer that stands on its boxes. The stream messenger is one; the
// queue that feeds a NaCl message handler is another. Neither knows keys, addresses or sockets.

import type { Bytes } from '../base/bytes.ts'
import type { Nanos } from '../base/time.ts'

/** spec: protocol.md 4.1, 4.3: every message is a multiple of 16 bytes within these bounds. */
export const MESSAGE_UNIT = 16
export const MESSAGE_MAX = 1088
export const INITIATE_MESSAGE_MAX = 640

export interface MessageLayer {
	/** Takes the opened message p[at, at + n); bytes are borrowed for this call. Never throws on input. */
	receive(p: Bytes, at: number, n: number, now: Nanos): void

	/**
	 * Writes the next message to p[at, …), at most room bytes (640 inside an Initiate, else 1,088),
	 * every byte of it. Returns its length, a multiple of 16; 0: nothing to send now.
	 */
	transmit(p: Bytes, at: number, room: number, now: Nanos): number

	/** When wake or transmit will next have something to do without input. */
	wakeAt(): Nanos
	wake(now: Nanos): void

	/** Gives everything borrowed back; no other call may follow. */
	release(): void
}
