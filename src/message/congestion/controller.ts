// What the sender asks of congestion control. A controller knows no blocks and no IDs: it hears how
// much was acknowledged or lost, and of which age, and says how much may be out and how fast.

import type { Random } from '../../base/random.ts'
import type { Nanos } from '../../base/time.ts'

export interface Controller {
	/** Message bytes that may be in flight. */
	readonly window: number
	/** Between two messages of full length; 0: unpaced. Shorter messages take their share. */
	readonly interval: Nanos
	/** Full messages that may leave at once after a pause. */
	readonly burst: number
	/**
	 * Age at which the oldest block is sent again, if it is this alone that decides; 0: the sender
	 * does.
	 */
	readonly timeout: Nanos

	/** A message came back after rtt; smoothed is the sender's average. */
	onSample(rtt: Nanos, smoothed: Nanos, now: Nanos): void

	/**
	 * So many message bytes are acknowledged for the first time, the newest of them sent at sentAt.
	 * limited: the window kept the sender from sending more.
	 */
	onAcked(bytes: number, sentAt: Nanos, limited: boolean, now: Nanos): void

	/** So many message bytes are given up, the newest of them sent at sentAt. */
	onLost(bytes: number, sentAt: Nanos, now: Nanos): void

	/** A block leaves once more. */
	onRetransmit(now: Nanos): void

	/** Nothing came through for several timeouts. */
	onPersistent(now: Nanos): void

	/** All that was given up since the last reduction had arrived after all. */
	onSpurious(now: Nanos): void

	/** The peer is reached by another path. */
	onNewPath(now: Nanos): void
}

export type ControllerFactory = (random: Random, now: Nanos) => Controller
