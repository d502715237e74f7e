// The memory of a server as a sum that a person can read: every term with its user. It is allocated
// at start, or at most reached, and never passed; node itself stands beside it.

import { NEVER, type Nanos } from '../base/time.ts'
import type { LivenessLimits } from '../endpoint/liveness.ts'
import {
	CONNECTIONS_MAX, DEAD_PEER, DRAIN, FINISHED_MAX, HELLO_QUEUE_MAX, KEEPALIVE, SERVICE_READ_BYTES,
} from '../limits.ts'
import { HELLO_BYTES } from '../wire/packets.ts'

export interface ServerLimits {
	readonly connections: number
	/** Of PIECE_BYTES, for stream data both ways, and of RECORD_BYTES, for blocks in flight. */
	readonly pieces: number
	readonly records: number
	/** Stream bytes that one connection holds at most in each direction. */
	readonly sendBytes: number
	readonly receiveBytes: number
	/** Finished connections that each server remembers for each of its two minute keys. */
	readonly finished: number
	/** Programs of exec and handler that run at once. */
	readonly programs: number
	readonly liveness: LivenessLimits
	readonly drain: Nanos
	/** Datagrams of one batch each way. */
	readonly batch: number
	/** What the kernel is asked for. */
	readonly socketBytes: number
}

export const PIECE_BYTES = 16_384
export const RECORD_BYTES = 1024
/** The longest packet, 1,184 bytes, and room to see that a datagram is too long. */
export const SLOT_BYTES = 1280

export const HOST_LIMITS: ServerLimits = {
	connections: CONNECTIONS_MAX,
	pieces: 4 * CONNECTIONS_MAX,
	records: 4 * CONNECTIONS_MAX,
	sendBytes: 1_048_576,
	receiveBytes: 1_048_576,
	finished: FINISHED_MAX,
	programs: CONNECTIONS_MAX,
	liveness: { keepalive: KEEPALIVE, deadPeer: DEAD_PEER, idle: NEVER },
	drain: DRAIN,
	batch: 64,
	socketBytes: 4_194_304,
}

export interface Term {
	readonly count: number
	readonly bytes: number
	readonly what: string
}

/** Objects of one open connection: session, path, message layer, service, names in tables. */
export const ROW_BYTES = 6144
/** A finished C' in the table that refuses its replay: its text and its place. */
const FINISHED_BYTES = 160

export function budgetOf(limits: ServerLimits, servers: number): Term[] {
	const { connections, pieces, records, batch } = limits
	return [
		{ count: 2 * batch, bytes: SLOT_BYTES, what: 'packet slots: one batch in, one out' },
		{ count: HELLO_QUEUE_MAX, bytes: HELLO_BYTES, what: 'Hellos that wait for their Cookie' },
		{ count: connections, bytes: ROW_BYTES, what: 'connections: keys, paths, streams, service' },
		{ count: pieces, bytes: PIECE_BYTES, what: 'ring pieces: stream data on its way, both ways' },
		{ count: records, bytes: RECORD_BYTES, what: 'record pieces: blocks in flight' },
		{ count: connections, bytes: SERVICE_READ_BYTES,
			what: 'one read of a service that found no room: only when the rings are full' },
		{ count: servers * 2 * limits.finished, bytes: FINISHED_BYTES,
			what: 'finished connections: their Initiates open nothing again' },
	]
}
