// Whether this machine has what a configuration names: key directories, interfaces, users,
// programs. None of it is a fault of the file: it may be checked here and run elsewhere.

import { existsSync, statSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { Bytes } from '../base/bytes.ts'
import { toHex } from '../base/hex.ts'
import { Forbidden, formatTarget } from '../gateway/target.ts'
import { parseSource } from '../platform/extension-source.ts'
import { readPublicKey } from '../platform/keydir.ts'
import { Trouble } from '../platform/trouble.ts'
import { addressOf } from '../platform/udp.ts'
import { findUser } from '../platform/user.ts'
import { NO_EXTENSION } from './address.ts'
import type { Config, GatewayConfig, NameConfig } from './config.ts'
import { isBehindGateway, ownRoutes } from './own-routes.ts'
import { checkService } from './start.ts'

export interface World {
	/** What would keep it from running here, each with a cure where there is one. */
	readonly trouble: readonly string[]
	/** What it can live with. */
	readonly notes: readonly string[]
	/** Public keys in hex by key directory, where they could be read. */
	readonly publicKeys: ReadonlyMap<string, string>
	/** This machine's own extension now, in hex. */
	readonly extension: string
	/** What the gateway routes without a line of its own: to the file's own servers. */
	readonly ownRoutes: readonly string[]
}

export function lookAtWorld(config: Config): World {
	const trouble: string[] = []
	const notes: string[] = []
	const publicKeys = new Map<string, string>()
	const attempt = (look: () => void): void => {
		try {
			look()
		} catch (error) {
			if (!(error instanceof Trouble)) throw error
			trouble.push(error.message)
		}
	}
	for (const dir of new Set(config.servers.map(({ keys }) => keys))) {
		attempt(() => publicKeys.set(dir, toHex(readPublicKey(dir))))
	}
	if (config.user !== undefined) {
		const { user } = config
		attempt(() => findUser(user))
	}
	for (const server of config.servers) {
		for (const name of server.names) {
			attempt(() => checkService(name.service))
			notes.push(...notesOf(name))
		}
	}
	if (config.gateway !== undefined) trouble.push(...lookAtGateway(config.gateway))
	if (config.console !== undefined && config.console.password === undefined) {
		notes.push('console: without a password whoever holds the cable is the operator; '
			+ 'curvegate console --hash-password makes the line for [console]')
	}
	const { device } = config.console ?? {}
	if (device !== undefined && !existsSync(device)) {
		trouble.push(`unable to open ${device}: no such device; [console] device names another`)
	}
	const extension = lookAtExtension(config, notes)
	const ownRoutes = ownRoutesOf(config, extension, notes)
	return { trouble, notes, publicKeys, extension: toHex(extension), ownRoutes }
}

function notesOf({ name, service, clients }: NameConfig): string[] {
	const notes: string[] = []
	if (clients?.size === 0) {
		notes.push(`${name}: clients is an empty list, so nobody is served; without it, anybody is`)
	}
	if (service.kind === 'unix' && !existsSync(service.path)) {
		notes.push(`${name}: nothing listens at ${service.path} yet`)
	}
	return notes
}

function lookAtGateway(gateway: GatewayConfig): string[] {
	const trouble: string[] = []
	const interfaces = networkInterfaces()
	const { wan, lan, routes, encoded } = gateway
	for (const [key, name] of [['wan', wan], ['lan', lan]] as const) {
		if (name === undefined || name in interfaces || existsSync(`/sys/class/net/${name}`)) continue
		const known = Object.keys(interfaces).filter((one) => one !== 'lo').join(', ')
		const cure = known === '' ? 'there is none but lo' : `there are ${known}`
		trouble.push(`unable to use ${key} ${name}: no such interface; ${cure}`)
	}
	if (routes !== undefined && !isFile(routes)) {
		trouble.push(`unable to read ${routes}: no such file; one "EXTENSION TARGET" a line`)
	}
	const { sealKeys } = encoded ?? {}
	if (sealKeys !== undefined && !existsSync(sealKeys)) {
		trouble.push(`unable to read ${sealKeys}: no such folder; `
			+ `cure: curvegate seal new ${sealKeys}`)
	}
	const own = Object.values(interfaces).flatMap((list) => list ?? [])
		.flatMap(({ address, family }) => family === 'IPv4' ? addressOf(address) ?? [] : [])
	const forbidden = new Forbidden(own, [])
	for (const { target } of gateway.route) {
		const why = forbidden.why(target)
		if (why === undefined) continue
		trouble.push(`unable to route to ${formatTarget(target)}: ${why}, and this is it; `
			+ 'a server on this machine is ":PORT"')
	}
	return trouble
}

function isFile(path: string): boolean {
	return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

function lookAtExtension({ extensionSource }: Config, notes: string[]): Bytes {
	const source = parseSource(extensionSource)
	if (typeof source === 'string') return NO_EXTENSION
	const { value, note } = source.read()
	if (note !== undefined) notes.push(`extension: ${note}${value === undefined ? ': zeros' : ''}`)
	return value ?? NO_EXTENSION
}

function ownRoutesOf(config: Config, extension: Bytes, notes: string[]): string[] {
	const { gateway, servers } = config
	for (const server of servers) {
		if (server.extension !== 'any' || !isBehindGateway(config, server)) continue
		if (gateway?.encoded !== undefined) continue
		notes.push('the server with extension "any" on the gateway\'s port '
			+ `${server.listen.port} is reached by no route: it is for sealed extensions, `
			+ '[gateway.encoded]')
	}
	return ownRoutes(config, extension).map((route) =>
		`${toHex(route.extension)} ${formatTarget(route.target)}`)
}
