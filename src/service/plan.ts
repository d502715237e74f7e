// From the limits that people write to what is allocated: `memory` is divided among the terms of
// the budget, and what the fixed ones leave becomes ring pieces. spec: product.md 6,
// architecture.md 7

import type { Nanos } from '../base/time.ts'
import { EXPECTED_MAX } from '../gateway/key-index.ts'
import {
	BUCKETS, CHANGED_PORTS_MAX, FINISHED_MAX, FINISHED_MIN, SERVICE_READ_BYTES,
} from '../limits.ts'
import {
	budgetOf, HOST_LIMITS, PIECE_BYTES, RECORD_BYTES, SLOT_BYTES, type ServerLimits, type Term,
} from './budget.ts'
import { formatSize } from './quantities.ts'

/** [limits], every value decided. */
export interface Limits {
	/** Connections of one process, on all its ports together. */
	readonly connections: number
	/** Bytes of everything that the program allocates for them; a gateway's tables come on top. */
	readonly memory: number
	readonly programs: number
	readonly routes: number
	/** What the kernel is asked for, each way, for each UDP socket. */
	readonly socketBuffer: number
	readonly connect: Nanos
	readonly keepalive: Nanos
	readonly deadPeer: Nanos
	readonly idle: Nanos
	readonly drain: Nanos
}

/** What a configuration declares, as far as it costs memory. */
export interface Extent {
	readonly servers: number
	/** Different addresses that they listen on. */
	readonly listens: number
	/** Public UDP ports of the gateway; 0: no gateway. */
	readonly gatewayPorts: number
}

export const ONE_SERVER: Extent = { servers: 1, listens: 1, gatewayPorts: 0 }

export interface Plan {
	readonly server: ServerLimits
	/** What is allocated at start, or at most reached; without the gateway within limits.memory. */
	readonly terms: readonly Term[]
	readonly totalBytes: number
	/** What the process needs beside it: Node, the kernel. */
	readonly outside: readonly Term[]
	readonly outsideBytes: number
}

/** The limits contradict each other. */
export interface Shortage {
	/** The memory that so many connections need at least. */
	readonly needBytes: number
	/** The connections that so much memory allows; 0: not one. */
	readonly connectionsMax: number
}

/** Each connection is promised one ring piece each way. */
const PROMISED_PIECES = 2
/** Blocks of 1,024 bytes fill a ring piece with half a record piece. */
const RECORDS_PER_PIECE = 1 / 2
const PAIR_BYTES = PIECE_BYTES + RECORDS_PER_PIECE * RECORD_BYTES
/** A pool is one ArrayBuffer of at most 1 GiB. */
const PIECES_MAX = 2 ** 30 / PIECE_BYTES

/** Resident at start, measured: Node 20 with the bundle. */
const NODE_BYTES = 60_000_000
/** A row of the gateway's tables and its place in two indices. */
const ROUTE_BYTES = 96
/** Where each index has a place for it. */
const EXPECTED_BYTES = 4
const BUCKET_BYTES = 16
const CHANGED_PORT_BYTES = 64

export function planOf(limits: Limits, extent: Extent): Plan | Shortage {
	const { connections, memory } = limits
	const fixed = sumOf(serverTerms(limits, extent, 0, 0).filter(isInside))
	const promised = connections * (PROMISED_PIECES * PAIR_BYTES + RECORD_BYTES)
	if (extent.servers > 0 && fixed + promised > memory) {
		const base = sumOf(serverTerms({ ...limits, connections: 0 }, extent, 0, 0).filter(isInside))
		const each = (fixed + promised - base) / connections
		return {
			needBytes: fixed + promised,
			connectionsMax: Math.max(0, Math.floor((memory - base) / each)),
		}
	}
	const fits = Math.floor((memory - fixed - connections * RECORD_BYTES) / PAIR_BYTES)
	const pieces = Math.min(PIECES_MAX, fits)
	const records = Math.floor(pieces * RECORDS_PER_PIECE) + connections
	const all = serverTerms(limits, extent, pieces, records)
	const terms = [...all.filter(isInside), ...gatewayTerms(limits.routes, extent.gatewayPorts)]
	const outside = [...all.filter((term) => !isInside(term)), ...outsideTerms(limits, extent)]
	return {
		server: serverLimits(limits, extent.servers, pieces, records),
		terms,
		totalBytes: sumOf(terms),
		outside,
		outsideBytes: sumOf(outside),
	}
}

export function isShortage(plan: Plan | Shortage): plan is Shortage {
	return 'needBytes' in plan
}

/** What a person changes. */
export function shortageText({ needBytes, connectionsMax }: Shortage, limits: Limits): string {
	const less = connectionsMax > 0 ? `, or connections = ${connectionsMax}` : ''
	return `${limits.connections} connections need memory = "${mebibytes(needBytes)}M" at least: `
		+ `two ring pieces of 16K each, and their rows${less}; `
		+ `found ${formatSize(limits.memory)}`
}

function mebibytes(bytes: number): number {
	return Math.ceil(bytes / 2 ** 20)
}

export function serverLimits(
	limits: Limits, servers: number, pieces: number, records: number,
): ServerLimits {
	const { connections, programs, keepalive, deadPeer, idle, drain, socketBuffer } = limits
	return {
		...HOST_LIMITS,
		connections,
		pieces,
		records,
		finished: Math.max(FINISHED_MIN, Math.floor(FINISHED_MAX / Math.max(1, servers))),
		programs,
		liveness: { keepalive, deadPeer, idle },
		drain,
		socketBytes: socketBuffer,
	}
}

function serverTerms(limits: Limits, extent: Extent, pieces: number, records: number): Term[] {
	if (extent.servers === 0) return []
	const more = extent.listens - 1
	return [
		...budgetOf(serverLimits(limits, extent.servers, pieces, records), extent.servers),
		...more > 0 ? [{
			count: more * 2 * HOST_LIMITS.batch, bytes: SLOT_BYTES,
			what: 'packet slots of the other listen addresses',
		}] : [],
	]
}

/** Reads that found no room are held by Node: reached only when every ring is full. */
function isInside(term: Term): boolean {
	return term.bytes !== SERVICE_READ_BYTES
}

/** ports: how many public ones. */
export function gatewayTerms(routes: number, ports: number): Term[] {
	if (ports === 0) return []
	return [
		{ count: routes, bytes: ROUTE_BYTES, what: 'gateway: routes and their counters' },
		{ count: 2 * EXPECTED_MAX, bytes: EXPECTED_BYTES, what: 'gateway: keys that are fetched' },
		{ count: 2 * BUCKETS, bytes: BUCKET_BYTES, what: 'gateway: rates of sources and of targets' },
		...ports > 1 ? [{
			count: CHANGED_PORTS_MAX, bytes: CHANGED_PORT_BYTES,
			what: 'gateway: flows whose port is changed',
		}] : [],
	]
}

function outsideTerms(limits: Limits, extent: Extent): Term[] {
	return [
		{ count: 1, bytes: NODE_BYTES, what: 'Node.js and the program' },
		// The kernel doubles what it grants, for its own bookkeeping.
		{ count: 2 * 2 * extent.listens, bytes: limits.socketBuffer, what: 'the kernel: UDP buffers' },
	]
}

export function sumOf(terms: readonly Term[]): number {
	return terms.reduce((total, { count, bytes }) => total + count * bytes, 0)
}
