// What one listen address tells: its servers, its connections, its counts. Looks, changes nothing.

import { toHex } from '../base/hex.ts'
import type { PiecePool } from '../base/pieces.ts'
import { MILLISECOND, SECOND, type Nanos } from '../base/time.ts'
import type { Connection } from '../endpoint/connection.ts'
import type { Identity } from '../endpoint/identity.ts'
import type { ServerEndpoint } from '../endpoint/server.ts'
import type { ExtensionSource } from '../platform/extension-source.ts'
import { addressText, type Udp } from '../platform/udp.ts'
import { ROW_BYTES, SLOT_BYTES } from './budget.ts'
import { ServiceName } from './name.ts'
import { serviceText, type ServiceSpec } from './spec.ts'
import type {
	ConnectionStatus, NameStatus, PortCounts, PortStatus, ServerStatus,
} from './status.ts'

/** Names of one server in one answer. */
const NAMES_SHOWN = 256

export interface PortParts {
	readonly state: string
	readonly endpoint: ServerEndpoint
	readonly udp: Udp
	readonly servers: readonly {
		readonly identity: Identity
		readonly extension: ExtensionSource | 'any'
	}[]
	readonly pools: { readonly pieces: PiecePool, readonly records: PiecePool }
	/** Datagrams of one batch. */
	readonly batch: number
	readonly now: Nanos
}

/** limit connections, from the one with this number on. */
export function portStatus(parts: PortParts, from: number, limit: number): PortStatus {
	const { endpoint, udp, pools, batch, now } = parts
	const listen = `${addressText(udp.address)}:${udp.port}`
	const connections: ConnectionStatus[] = []
	const counts = new Map<Identity, Map<string, number>>()
	let number = 0
	let sent = endpoint.counts.sentBytes
	let received = endpoint.counts.receivedBytes
	for (const connection of endpoint.connections()) {
		const { identity, name, layer } = connection
		sent += layer.sentBytes
		received += layer.receivedBytes
		const ofNames = counts.get(identity) ?? new Map<string, number>()
		counts.set(identity, ofNames.set(name.text, (ofNames.get(name.text) ?? 0) + 1))
		if (number >= from && connections.length < limit) {
			const clientKey = endpoint.clientKeyOf(connection)
			connections.push(connectionStatus(connection, clientKey, listen, now))
		}
		number++
	}
	const port: PortCounts = {
		connections: endpoint.size, opened: endpoint.counts.opened, cookies: endpoint.counts.cookies,
		packetsReceived: endpoint.counts.received, packetsSent: endpoint.counts.sent,
		bytesReceived: received, bytesSent: sent, losses: Object.fromEntries(udp.counters),
	}
	return {
		servers: parts.servers.map(({ identity, extension }) => {
			const ofNames = counts.get(identity) ?? new Map<string, number>()
			return { ...serverStatus(identity, extension, ofNames), listen, state: parts.state, port }
		}),
		connections,
		connectionsLeftOut: Math.max(0, number - from - connections.length),
		drops: { ...endpoint.drops },
		usedBytes: 2 * batch * SLOT_BYTES + endpoint.size * ROW_BYTES
			+ pools.pieces.used * pools.pieces.pieceBytes
			+ pools.records.used * pools.records.pieceBytes,
	}
}

function serverStatus(
	identity: Identity, extension: ExtensionSource | 'any', counts: ReadonlyMap<string, number>,
): Omit<ServerStatus, 'listen' | 'state' | 'port'> {
	const names: NameStatus[] = []
	let namesLeftOut = 0
	for (const name of identity.names) {
		if (names.length === NAMES_SHOWN) namesLeftOut++
		else names.push({ name: name.text, connections: counts.get(name.text) ?? 0,
			service: name instanceof ServiceName ? openText(name.service) : '' })
	}
	let connections = 0
	for (const count of counts.values()) connections += count
	return {
		publicKey: toHex(identity.publicKey),
		extension: extension === 'any' ? extension : toHex(extension.value),
		extensionSource: extension === 'any' ? null
			: { source: extension.text, note: extension.note ?? null },
		names, namesLeftOut, connections,
	}
}

/** Arguments of programs are left out. */
function openText(spec: ServiceSpec): string {
	if (spec.kind !== 'exec' && spec.kind !== 'handler') return serviceText(spec)
	return `${spec.kind}:${spec.words[0]}${spec.words.length > 1 ? ' …' : ''}`
}

function connectionStatus(
	connection: Connection, clientKey: string, listen: string, now: Nanos,
): ConnectionStatus {
	const { layer, path, clientLongTerm, name, openedAt, state } = connection
	return {
		id: clientKey.slice(0, 16),
		listen,
		name: name.text,
		client: clientLongTerm,
		peer: `${addressText(path.active.address)}:${path.active.port}`,
		state,
		ageSeconds: Math.floor((now - openedAt) / SECOND),
		sentBytes: layer.sentBytes,
		receivedBytes: layer.receivedBytes,
		rttMs: layer.rtt === 0 ? null : Math.round(layer.rtt / (MILLISECOND / 1000)) / 1000,
		windowBytes: Math.round(layer.window),
	}
}
