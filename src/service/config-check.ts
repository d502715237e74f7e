// What only shows when values are compared: two servers that nothing tells apart, a route into the
// void, limits that contradict each other. The raw file says where, the configuration says what.

import { toHex } from '../base/hex.ts'
import { NEVER } from '../base/time.ts'
import { Forbidden, formatTarget } from '../gateway/target.ts'
import { NAMES_MAX, SERVERS_MAX } from '../limits.ts'
import { addressText } from '../platform/udp.ts'
import { ramOf, type Machine } from './board.ts'
import type { Config, ServerConfig } from './config.ts'
import type { RawConfig, RawGateway } from './config-schema.ts'
import { isShortage, planOf, shortageText, type Extent } from './plan.ts'
import { formatDuration, formatSize } from './quantities.ts'
import type { Complaint, Path } from './toml-schema.ts'

export function crossCheck(raw: RawConfig, config: Config, machine: Machine): Complaint[] {
	return [
		...checkAnything(raw),
		...checkServers(raw, config),
		...checkListens(raw, config),
		...checkConsole(raw, config),
		...raw.gateway === undefined ? [] : checkGateway(raw.gateway, config),
		...checkTimes(raw, config),
		...checkMemory(raw, config, machine),
	]
}

function checkAnything({ server, gateway, console }: RawConfig): Complaint[] {
	if (server !== undefined || gateway !== undefined || console !== undefined) return []
	const message = 'nothing to run: add [[server]] with a [[server.name]], or [gateway]'
	return [{ path: ['schema'], on: 'key', message }]
}

function checkServers(raw: RawConfig, config: Config): Complaint[] {
	const complaints: Complaint[] = []
	config.servers.forEach((server, i) => {
		const path: Path = ['server', i]
		if (server.keys === '') {
			complaints.push({ path, on: 'key',
				message: 'keys is missing in [[server]]: the folder of its long-term keys, as '
					+ 'keys = "/var/lib/curvegate/keys" (curvegate keygen makes it)' })
		}
		if (server.names.length === 0) {
			complaints.push({ path, on: 'key',
				message: 'this server has no name: add [[server.name]] with name and service below it' })
		}
		if (server.names.length > NAMES_MAX) {
			complaints.push({ path, on: 'key', message: `at most ${NAMES_MAX} names of one server; `
				+ `found ${server.names.length}: a second [[server]] may have the others` })
		}
		complaints.push(...checkNames(server, i))
	})
	const { servers } = config
	if (raw.server !== undefined && servers.length === 0) {
		const message = 'an empty list of servers: add [[server]]'
		complaints.push({ path: ['server'], on: 'key', message })
	}
	return complaints
}

/** Names are compared as on the wire: empty labels vanish. */
function checkNames(server: ServerConfig, i: number): Complaint[] {
	const first = new Map<string, number>()
	return server.names.flatMap(({ name }, j) => {
		const key = name.split('.').filter((label) => label !== '').join('.')
		const before = first.get(key)
		first.set(key, before ?? j)
		if (before === undefined) return []
		return [{ path: ['server', i, 'name', j, 'name'], on: 'value' as const,
			message: `name: "${name}" stands in {other} already: each name of a server once`,
			other: ['server', i, 'name', before, 'name'] }]
	})
}

/** What tells the servers of one address apart is their extension. */
function checkListens(raw: RawConfig, config: Config): Complaint[] {
	const complaints: Complaint[] = []
	const seen = new Map<string, number>()
	const counts = new Map<string, number>()
	config.servers.forEach((server, i) => {
		const where = listenText(server)
		const count = (counts.get(where) ?? 0) + 1
		counts.set(where, count)
		if (count === SERVERS_MAX + 1) {
			complaints.push({ path: ['server', i], on: 'key',
				message: `at most ${SERVERS_MAX} servers on one address; this is one more on ${where}` })
		}
		if (server.listen.port !== 0) {
			const extension = extensionText(server, config.extensionSource)
			const before = seen.get(`${where} ${extension}`)
			seen.set(`${where} ${extension}`, before ?? i)
			if (before !== undefined) complaints.push(twins(raw, i, before, where, extension))
		}
		const wide = config.servers.findIndex((other) => overlaps(server, other))
		if (wide >= 0 && wide < i) {
			complaints.push({ path: ['server', i, 'listen'], on: 'value', other: ['server', wide],
				message: `listen: ${where} and ${listenText(config.servers[wide]!)} ({other}) exclude each `
					+ 'other: 0.0.0.0 takes the port on every address' })
		}
	})
	return complaints
}

function twins(
	raw: RawConfig, i: number, before: number, where: string, extension: string,
): Complaint {
	const given = raw.server?.[i]?.extension !== undefined
	const what = /^[0-9a-f]{32}$/.test(extension) ? extension : `"${extension}"`
	return {
		path: given ? ['server', i, 'extension'] : ['server', i],
		on: given ? 'value' : 'key',
		message: `extension: the server in {other} has ${what} on ${where} as well, and nothing else `
			+ 'tells them apart: give each its own extension, or another port',
		other: ['server', before],
	}
}

function overlaps(one: ServerConfig, other: ServerConfig): boolean {
	const [a, b] = [one.listen, other.listen]
	return a.port === b.port && a.port !== 0 && a.address !== b.address
		&& (a.address === 0 || b.address === 0)
}

export function listenText({ listen }: Pick<ServerConfig, 'listen'>): string {
	return `${addressText(listen.address)}:${listen.port}`
}

/** Also tells that "from-source" and the same digits in the open are one. */
function extensionText({ extension }: ServerConfig, source: string): string {
	if (extension === 'any') return 'any'
	if (extension !== 'from-source') return toHex(extension)
	return source.startsWith('hex:') ? source.slice('hex:'.length).toLowerCase() : 'from-source'
}

function checkConsole(raw: RawConfig, config: Config): Complaint[] {
	const complaints: Complaint[] = []
	let first: Path | undefined
	config.servers.forEach((server, i) => server.names.forEach((name, j) => {
		if (name.service.kind !== 'console') return
		const path: Path = ['server', i, 'name', j, 'service']
		if (first !== undefined) {
			complaints.push({ path, on: 'value', other: first,
				message: 'service: the console is served once, and it stands in {other} already' })
		}
		first ??= path
		if (name.clients === undefined) {
			complaints.push({ path, on: 'value', message: 'service: the console manages this machine, '
				+ 'so it needs clients = ["…"]: the public keys that may (curvegate pubkey DIR prints '
				+ 'one)' })
		}
	}))
	if (raw.console !== undefined && config.console?.device === '') {
		complaints.push({ path: ['console'], on: 'key', message: 'device is missing in [console]: '
			+ `board '${config.board.name}' has none of its own; as device = "/dev/ttyAMA0"` })
	}
	return complaints
}

function checkGateway(raw: RawGateway, config: Config): Complaint[] {
	const gateway = config.gateway!
	const complaints: Complaint[] = []
	const own = gateway.address === undefined ? [] : [gateway.address]
	const forbidden = new Forbidden(own, [])
	if (gateway.ports.length === 0) {
		complaints.push({ path: ['gateway', 'ports'], on: 'value',
			message: 'ports: an empty list: as ports = [4000]' })
	}
	if (gateway.address === undefined && gateway.wan === undefined) {
		complaints.push({ path: ['gateway'], on: 'key', message: 'wan or address is missing in '
			+ `[gateway]: board '${config.board.name}' names no interface; as wan = "eth0"` })
	}
	const { routes } = config.limits
	if (gateway.route.length > routes) {
		complaints.push({ path: ['gateway', 'route', routes], on: 'key', message: `more than ${routes} `
			+ 'routes: raise [limits] routes; many belong into a file, [gateway] routes = "FILE"' })
	}
	complaints.push(...checkRoutes(config, forbidden))
	const { encoded } = gateway
	if (encoded === undefined) return complaints
	const at: Path = ['gateway', 'encoded']
	if (encoded.allow.length === 0) {
		complaints.push({ path: [...at, 'allow'], on: 'value', message: 'allow: an empty list allows '
			+ 'nothing: name prefixes, or remove [gateway.encoded]' })
	}
	if (encoded.ports.length === 0) {
		complaints.push({ path: [...at, 'ports'], on: 'value',
			message: 'ports: an empty list allows nothing: as ports = [4000]' })
	}
	encoded.allow.forEach((entry, i) => {
		const why = entry.kind === 'ipv4' ? forbidden.why4(entry.prefix.base) : undefined
		if (why === undefined || raw.encoded === undefined) return
		complaints.push({ path: [...at, 'allow', i], on: 'value',
			message: `allow[${i + 1}]: nothing is ever forwarded there: ${why}` })
	})
	return complaints
}

function checkRoutes(config: Config, forbidden: Forbidden): Complaint[] {
	const gateway = config.gateway!
	const first = new Map<string, Path>()
	config.servers.forEach((server, i) => {
		if (!gateway.ports.includes(server.listen.port)) return
		first.set(extensionText(server, config.extensionSource), ['server', i])
	})
	return gateway.route.flatMap(({ extension, target }, i): Complaint[] => {
		const path: Path = ['gateway', 'route', i]
		const other = first.get(toHex(extension))
		first.set(toHex(extension), other ?? path)
		const why = forbidden.why(target)
		const text = formatTarget(target)
		return [
			...other === undefined ? [] : [{ path: [...path, 'extension'], on: 'value' as const, other,
				message: other[0] === 'server'
					? 'extension: the server in {other} has it, and is routed without a line of its own'
					: 'extension: it is routed in {other} already: one target each' }],
			...why === undefined ? [] : [{ path: [...path, 'target'], on: 'value' as const,
				message: `target: nothing is ever forwarded to ${text}: ${why}; `
					+ 'a server on this machine is ":PORT"' }],
			...target.kind !== 'ipv6' || gateway.clientsPrefix !== undefined ? [] : [{
				path: [...path, 'target'], on: 'value' as const,
				message: 'target: IPv6 servers see IPv4 clients under a prefix: add '
					+ 'clients-prefix = "64:ff9b::/96" to [gateway]' }],
		]
	})
}

function checkTimes(raw: RawConfig, config: Config): Complaint[] {
	const complaints: Complaint[] = []
	const check = (at: Path, table: object, keepalive: number, deadPeer: number): void => {
		if (keepalive < deadPeer || deadPeer === NEVER) return
		const key = 'dead-peer' in table ? 'dead-peer' : 'keepalive'
		const question = keepalive === NEVER ? 'nobody is ever asked (keepalive = "never")'
			: `it is asked first after ${formatDuration(keepalive)} (keepalive)`
		complaints.push({ path: [...at, key], on: 'value',
			message: `${key}: a silent peer would be given up after ${formatDuration(deadPeer)}, but `
				+ `${question}: keepalive must be less than dead-peer` })
	}
	check(['limits'], raw.limits ?? {}, config.limits.keepalive, config.limits.deadPeer)
	if (complaints.length > 0) return complaints
	config.servers.forEach((server, i) => server.names.forEach(({ liveness }, j) => {
		const table = raw.server?.[i]?.name?.[j] ?? {}
		check(['server', i, 'name', j], table, liveness.keepalive, liveness.deadPeer)
	}))
	return complaints
}

export function extentOf({ servers, gateway }: Config): Extent {
	return {
		servers: servers.length,
		listens: new Set(servers.map(listenText)).size,
		gatewayPorts: gateway?.ports.length ?? 0,
	}
}

/** The limits must fit into the memory, and the memory into the board. */
function checkMemory(raw: RawConfig, config: Config, machine: Machine): Complaint[] {
	const key = raw.limits?.memory !== undefined ? 'memory' : 'connections'
	const path: Path = raw.limits?.[key] === undefined ? ['board'] : ['limits', key]
	const plan = planOf(config.limits, extentOf(config))
	if (isShortage(plan)) {
		return [{ path, on: 'value', message: `${key}: ${shortageText(plan, config.limits)}` }]
	}
	const { name, profile } = config.board
	const share = profile.limits['ram-share']
	const ram = ramOf(config.board, machine)
	const need = plan.totalBytes + plan.outsideBytes
	if (need <= share * ram) return []
	const text = `${formatSize(config.limits.memory)} and what comes on top `
		+ `(${formatSize(plan.outsideBytes)}) are more than ${share} of the ${formatSize(ram)} that `
		+ `board '${name}' has: ${formatSize(Math.floor(share * ram))}`
	return [{ path, on: 'value', message: `${key}: ${text}` }]
}
