// What is different between the configuration that runs and the one that was read again: what takes
// effect now, and what only a new start brings.

import { isDeepStrictEqual } from 'node:util'
import { toHex } from '../base/hex.ts'
import { listenText } from './config-check.ts'
import type { Config, GatewayConfig, NameConfig, ServerConfig } from './config.ts'
import type { Limits } from './plan.ts'

export interface Changes {
	/** In the file's words: 'name ssh.example on 0.0.0.0:4000: clients'. */
	readonly applied: readonly string[]
	/** Keys as the file has them: 'limits.connections'. */
	readonly needRestart: readonly string[]
}

/** Sizes of what was allocated at start. */
const FIXED_LIMITS = {
	connections: 'connections', memory: 'memory', socketBuffer: 'socket-buffer', routes: 'routes',
} as const
const FREE_LIMITS = {
	programs: 'programs', connect: 'connect', keepalive: 'keepalive', deadPeer: 'dead-peer',
	idle: 'idle', drain: 'drain',
} as const
const FIXED_GATEWAY = {
	wan: 'wan', lan: 'lan', address: 'address', ports: 'ports', datapath: 'datapath',
	clientsPrefix: 'clients-prefix', sourceRate: 'source-rate', targetRate: 'target-rate',
} as const
const FREE_GATEWAY = { routes: 'routes', route: 'route', encoded: 'encoded' } as const

/** What has a place in [limits] only to be copied into every name. */
const LIVENESS = ['keepalive', 'deadPeer', 'idle'] as const

export function changesOf(before: Config, after: Config): Changes {
	const differ = (a: unknown, b: unknown): boolean => !isDeepStrictEqual(a, b)
	const fixed = (key: 'user' | 'control' | 'metrics' | 'network'): string[] =>
		differ(before[key], after[key]) ? [key] : []
	return {
		applied: [
			...serverChanges(before, after),
			...before.extensionSource === after.extensionSource ? [] : ['extension.source'],
			...gatewayKeys(before, after, FREE_GATEWAY),
			...limitKeys(before.limits, after.limits, FREE_LIMITS),
			...differ(before.console, after.console) ? ['console'] : [],
			...before.log.level === after.log.level ? [] : ['log.level'],
			...before.log.format === after.log.format ? [] : ['log.format'],
		],
		needRestart: [
			...fixed('user'), ...fixed('control'), ...fixed('metrics'), ...fixed('network'),
			...(before.gateway === undefined) === (after.gateway === undefined) ? [] : ['gateway'],
			...gatewayKeys(before, after, FIXED_GATEWAY),
			...limitKeys(before.limits, after.limits, FIXED_LIMITS),
		],
	}
}

/** What may go on with the other file's freedom, and keeps what only a start can change. */
export function withoutRestart(before: Config, after: Config): Config {
	const { user, control, metrics, network, board } = before
	const { connections, memory, socketBuffer, routes } = before.limits
	return {
		...after, user, control, metrics, network, board,
		limits: { ...after.limits, connections, memory, socketBuffer, routes },
		gateway: gatewayWithoutRestart(before.gateway, after.gateway),
	}
}

function gatewayWithoutRestart(
	before: GatewayConfig | undefined, after: GatewayConfig | undefined,
): GatewayConfig | undefined {
	if (before === undefined || after === undefined) return before
	const { routes, route, encoded } = after
	return { ...before, routes, route, encoded }
}

function limitKeys(
	before: Limits, after: Limits, keys: Readonly<Partial<Record<keyof Limits, string>>>,
): string[] {
	return Object.entries(keys).flatMap(([key, written]) =>
		Object.is(fieldOf(before, key), fieldOf(after, key)) ? [] : [`limits.${written}`])
}

function gatewayKeys(
	before: Config, after: Config, keys: Readonly<Partial<Record<keyof GatewayConfig, string>>>,
): string[] {
	const [a, b] = [before.gateway, after.gateway]
	if (a === undefined || b === undefined) return []
	return Object.entries(keys).flatMap(([key, written]) =>
		isDeepStrictEqual(fieldOf(a, key), fieldOf(b, key)) ? [] : [`gateway.${written}`])
}

function fieldOf(object: object, key: string): unknown {
	return Object.entries(object).find(([name]) => name === key)?.[1]
}

function serverChanges(before: Config, after: Config): string[] {
	const old = new Map(before.servers.map((server) => [idOf(server), server]))
	const found = after.servers.flatMap((server) => {
		const same = old.get(idOf(server))
		old.delete(idOf(server))
		if (same === undefined) return [`server ${idOf(server)}: new`]
		return [
			...same.keys === server.keys ? [] : [`server ${idOf(server)}: keys`],
			...nameChanges(same, server, sameLiveness(before, after)),
		]
	})
	return [...found, ...[...old.keys()].map((id) => `server ${id}: gone`)]
}

function idOf(server: ServerConfig): string {
	const { extension } = server
	return `${listenText(server)} (${typeof extension === 'string' ? extension : toHex(extension)})`
}

function sameLiveness(before: Config, after: Config): boolean {
	return LIVENESS.every((key) => before.limits[key] === after.limits[key])
}

function nameChanges(before: ServerConfig, after: ServerConfig, ownLiveness: boolean): string[] {
	const where = listenText(after)
	const old = new Map(before.names.map((name) => [name.name, name]))
	const found = after.names.flatMap((name) => {
		const same = old.get(name.name)
		old.delete(name.name)
		const what = same === undefined ? ['new'] : differences(same, name, ownLiveness)
		return what.length === 0 ? [] : [`name ${name.name} on ${where}: ${what.join(', ')}`]
	})
	return [...found, ...[...old.keys()].map((name) => `name ${name} on ${where}: gone`)]
}

/** ownLiveness: the limits are the same, so what is different here was said here. */
function differences(before: NameConfig, after: NameConfig, ownLiveness: boolean): string[] {
	return [
		...isDeepStrictEqual(before.service, after.service) ? [] : ['service'],
		...isDeepStrictEqual(before.clients, after.clients) ? [] : ['clients'],
		...!ownLiveness || isDeepStrictEqual(before.liveness, after.liveness) ? [] : ['times'],
	]
}
