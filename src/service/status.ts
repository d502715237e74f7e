// What a running process tells about itself, to its owner's tools: bounded in size and in what it
// costs to ask, and without secrets. spec: product.md 2

import { VERSION } from '../base/version.ts'
import { SECOND, type Nanos } from '../base/time.ts'
import { addressText } from '../platform/udp.ts'
import { DROPS, makeDropCounts, type Drop } from '../wire/drop.ts'
import type { Commands } from './control-commands.ts'
import type { Gateway } from './gateway.ts'
import type { Log } from './log.ts'
import type { Server } from './server.ts'

export type ProcessKind = 'server' | 'gateway' | 'run'

export interface Status {
	readonly version: string
	readonly process: ProcessKind
	readonly pid: number
	readonly uptimeSeconds: number
	readonly servers: readonly ServerStatus[]
	/** At most CONNECTIONS_SHOWN of them. */
	readonly connections: readonly ConnectionStatus[]
	readonly connectionsLeftOut: number
	readonly gateway: GatewaySummary | null
	readonly drops: Readonly<Record<Drop, number>>
	readonly memory: MemoryStatus
}

export interface MemoryStatus {
	/** What was promised at start, and how much of it is in use. */
	readonly budgetBytes: number
	readonly usedBytes: number
	/** All that the process holds, Node.js included. */
	readonly rssBytes: number
}

/** One long-term key on one address. */
export interface ServerStatus {
	readonly listen: string
	readonly state: string
	readonly publicKey: string
	/** 32 hexadecimal digits, or any. */
	readonly extension: string
	/** Where it came from; note: that it yielded nothing, or not what it should. */
	readonly extensionSource: { readonly source: string, readonly note: string | null } | null
	/** At most NAMES_SHOWN of them. */
	readonly names: readonly NameStatus[]
	readonly namesLeftOut: number
	readonly connections: number
	/** Of the listen address, which other servers may share. */
	readonly port: PortCounts
}

export interface NameStatus {
	readonly name: string
	/** Without the arguments of a program: they may hold secrets. */
	readonly service: string
	readonly connections: number
}

/** Since start, but for connections. */
export interface PortCounts {
	/** Held now, TIME-WAIT included. */
	readonly connections: number
	readonly opened: number
	readonly cookies: number
	readonly packetsReceived: number
	readonly packetsSent: number
	readonly bytesReceived: number
	readonly bytesSent: number
	/** Datagrams lost on this machine, by cause. */
	readonly losses: Readonly<Record<string, number>>
}

export interface ConnectionStatus {
	/** The same as long as it lasts. */
	readonly id: string
	readonly listen: string
	readonly name: string
	/** The client's long-term public key. */
	readonly client: string
	readonly peer: string
	readonly state: string
	readonly ageSeconds: number
	readonly sentBytes: number
	readonly receivedBytes: number
	/** null: nothing is known yet. */
	readonly rttMs: number | null
	readonly windowBytes: number
}

export interface GatewaySummary {
	readonly wan: string
	readonly lan: string
	readonly address: string
	readonly ports: readonly number[]
	readonly datapath: string
	readonly reason: string
	readonly routes: number
	readonly forwardedIn: number
	readonly forwardedOut: number
	readonly drops: Readonly<Record<Drop, number>>
	readonly losses: Readonly<Record<string, number>>
	readonly notes: readonly string[]
}

/** What one listen address tells. */
export interface PortStatus {
	readonly servers: readonly ServerStatus[]
	readonly connections: readonly ConnectionStatus[]
	readonly connectionsLeftOut: number
	readonly drops: Readonly<Record<Drop, number>>
	readonly usedBytes: number
}

/** A running process, for whoever manages it; a reload may change what servers yields. */
export interface Managed {
	readonly process: ProcessKind
	readonly log: Log
	readonly servers: readonly Server[]
	readonly gateway: Gateway | undefined
	readonly budgetBytes: number
	/** What of it is allocated from the start, beside what servers count themselves. */
	readonly fixedBytes: number
	/** Reads the configuration again; yields what has changed. */
	reload?(): Promise<object>
	/** What this process can do beside. */
	readonly more?: Commands
}

/** Connections of one answer: more are asked for page by page. */
export const CONNECTIONS_SHOWN = 1024

/** shown: connections that are told one by one. */
export function statusOf(
	managed: Managed, uptime: Nanos, shown = CONNECTIONS_SHOWN,
): Status {
	const { process: kind, gateway, budgetBytes } = managed
	const drops = makeDropCounts()
	const servers: ServerStatus[] = []
	const connections: ConnectionStatus[] = []
	let connectionsLeftOut = 0
	let usedBytes = managed.fixedBytes
	for (const server of managed.servers) {
		const port = server.status(0, shown - connections.length)
		servers.push(...port.servers)
		connections.push(...port.connections)
		connectionsLeftOut += port.connectionsLeftOut
		usedBytes += port.usedBytes
		add(drops, port.drops)
	}
	const summary = gateway === undefined ? null : summaryOf(gateway)
	if (summary !== null) add(drops, summary.drops)
	return {
		version: VERSION, process: kind, pid: process.pid,
		uptimeSeconds: Math.floor(uptime / SECOND),
		servers, connections, connectionsLeftOut, gateway: summary, drops,
		memory: { budgetBytes, usedBytes, rssBytes: process.memoryUsage.rss() },
	}
}

function summaryOf(gateway: Gateway): GatewaySummary {
	const { packets: _, address, ...status } = gateway.status(false)
	return { ...status, address: addressText(address) }
}

export function add(to: Record<Drop, number>, drops: Readonly<Record<Drop, number>>): void {
	for (const drop of DROPS) to[drop] += drops[drop]
}

/** Several processes as one: lists joined, counts added; the first gateway stands for all. */
export function merged(all: readonly Status[]): Omit<Status, 'process' | 'pid'> {
	const drops = makeDropCounts()
	for (const one of all) add(drops, one.drops)
	const sum = (pick: (one: Status) => number): number =>
		all.reduce((total, one) => total + pick(one), 0)
	return {
		version: all[0]?.version ?? VERSION,
		uptimeSeconds: Math.max(0, ...all.map(({ uptimeSeconds }) => uptimeSeconds)),
		servers: all.flatMap(({ servers }) => servers),
		connections: all.flatMap(({ connections }) => connections),
		connectionsLeftOut: sum((one) => one.connectionsLeftOut),
		gateway: all.find(({ gateway }) => gateway !== null)?.gateway ?? null,
		drops,
		memory: {
			budgetBytes: sum(({ memory }) => memory.budgetBytes),
			usedBytes: sum(({ memory }) => memory.usedBytes),
			rssBytes: sum(({ memory }) => memory.rssBytes),
		},
	}
}
