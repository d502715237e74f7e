// From one status to the next: bytes and packets per second, and how they went lately.

import type { Seen } from '../service/control-client.ts'
import type { Status } from '../service/status.ts'

/** Points of a sparkline that are kept: as many as a wide terminal shows. */
const POINTS_MAX = 240

export interface Point {
	/** Stream bytes per second, from and to clients. */
	readonly inRate: number
	readonly outRate: number
	/** The median of all connections; undefined: there is none. */
	readonly rttMs: number | undefined
}

export interface Moment {
	/** The oldest first; the last one is now. */
	readonly points: readonly Point[]
	/** Bytes per second of a connection, by its id. */
	readonly connections: ReadonlyMap<string, { readonly inRate: number, readonly outRate: number }>
	/** Drops per second, by reason. */
	readonly drops: ReadonlyMap<string, number>
	/** Packets per second through the gateways. */
	readonly gatewayIn: number
	readonly gatewayOut: number
}

const NOTHING: Moment = {
	points: [], connections: new Map(), drops: new Map(), gatewayIn: 0, gatewayOut: 0,
}

export class Rates {
	now: Moment = NOTHING
	/** By control socket. */
	#before = new Map<string, Status>()
	#at = 0

	/** at: milliseconds. */
	take(seen: readonly Seen[], at: number): void {
		const seconds = this.#before.size === 0 ? Infinity : Math.max(0.001, (at - this.#at) / 1000)
		const connections = new Map<string, { inRate: number, outRate: number }>()
		const drops = new Map<string, number>()
		const sum = { inRate: 0, outRate: 0, gatewayIn: 0, gatewayOut: 0 }
		for (const { path, status } of seen) {
			const before = this.#same(path, status)
			if (before === undefined) continue
			const [then, now] = [bytesOf(before), bytesOf(status)]
			sum.inRate += rate(then.received, now.received, seconds)
			sum.outRate += rate(then.sent, now.sent, seconds)
			sum.gatewayIn += rate(before.gateway?.forwardedIn, status.gateway?.forwardedIn, seconds)
			sum.gatewayOut += rate(before.gateway?.forwardedOut, status.gateway?.forwardedOut, seconds)
			takeConnections(before, status, seconds, connections)
			takeDrops(before, status, seconds, drops)
		}
		const { inRate, outRate, gatewayIn, gatewayOut } = sum
		const points = [...this.now.points, { inRate, outRate, rttMs: medianRtt(seen) }]
		this.now = { points: points.slice(-POINTS_MAX), connections, drops, gatewayIn, gatewayOut }
		this.#before = new Map(seen.map(({ path, status }) => [path, status]))
		this.#at = at
	}

	/** What the same process said before; another one may have taken its socket. */
	#same(path: string, { pid }: Status): Status | undefined {
		const before = this.#before.get(path)
		return before?.pid === pid ? before : undefined
	}
}

function takeConnections(
	before: Status, now: Status, seconds: number,
	rates: Map<string, { inRate: number, outRate: number }>,
): void {
	const then = new Map(before.connections.map((one) => [one.id, one]))
	for (const { id, receivedBytes, sentBytes } of now.connections) {
		const old = then.get(id)
		rates.set(id, {
			inRate: rate(old?.receivedBytes ?? 0, receivedBytes, seconds),
			outRate: rate(old?.sentBytes ?? 0, sentBytes, seconds),
		})
	}
}

function takeDrops(
	before: Status, now: Status, seconds: number, rates: Map<string, number>,
): void {
	const then = new Map(Object.entries(before.drops))
	for (const [reason, count] of Object.entries(now.drops)) {
		const more = rate(then.get(reason), count, seconds)
		if (more > 0) rates.set(reason, (rates.get(reason) ?? 0) + more)
	}
}

/** Servers on one listen address share its counts. */
function bytesOf({ servers }: Status): { received: number, sent: number } {
	const ports = new Map(servers.map(({ listen, port }) => [listen, port]))
	let [received, sent] = [0, 0]
	for (const { bytesReceived, bytesSent } of ports.values()) {
		received += bytesReceived
		sent += bytesSent
	}
	return { received, sent }
}

function rate(then: number | undefined, now: number | undefined, seconds: number): number {
	return then === undefined || now === undefined ? 0 : Math.max(0, now - then) / seconds
}

function medianRtt(seen: readonly Seen[]): number | undefined {
	const all = seen.flatMap(({ status }) => status.connections.flatMap(({ rttMs }) => rttMs ?? []))
	return all.sort((a, b) => a - b)[all.length >> 1]
}
