// The configuration: from a file's text to what is to run, every value decided. What is wrong is
// said with its place, all of it at once. spec: product.md 6

import { dirname, isAbsolute, join } from 'node:path'
import type { Bytes } from '../base/bytes.ts'
import type { Nanos } from '../base/time.ts'
import type { LivenessLimits } from '../endpoint/liveness.ts'
import type { FenceEntry } from '../gateway/fence.ts'
import type { Target } from '../gateway/target.ts'
import { CONSOLE_IDLE } from '../limits.ts'
import {
	boardFolders, chooseBoard, DEFAULT_BOARD, thisMachine, UnknownBoard, type Board, type Machine,
} from './board.ts'
import { crossCheck } from './config-check.ts'
import {
	configSchema, type RawConfig, type RawGateway, type RawServer,
} from './config-schema.ts'
import type { Level } from './log.ts'
import type { Limits } from './plan.ts'
import { refuse } from './refused.ts'
import type { ServiceSpec } from './spec.ts'
import { readTomlFile, type TomlFile } from './toml-file.ts'
import { judge, type Complaint } from './toml-schema.ts'
import type { Listen } from './toml-values.ts'

export interface Config {
	/** undefined: no file, all from the board. */
	readonly file: string | undefined
	readonly board: Board
	/** Whom to become after binding. */
	readonly user: string | undefined
	/** Path of the control socket; undefined: the usual place. */
	readonly control: string | undefined
	readonly servers: readonly ServerConfig[]
	/** Source of this machine's own extension, as parseSource reads it. */
	readonly extensionSource: string
	readonly gateway: GatewayConfig | undefined
	readonly network: NetworkConfig
	readonly console: ConsoleConfig | undefined
	readonly limits: Limits
	readonly log: { readonly level: Level, readonly format: 'text' | 'json' }
	readonly metrics: Listen | undefined
}

export interface ServerConfig {
	readonly listen: Listen
	/** Key directory. */
	readonly keys: string
	readonly extension: Bytes | 'from-source' | 'any'
	readonly names: readonly NameConfig[]
}

export interface NameConfig {
	readonly name: string
	readonly service: ServiceSpec
	/** Long-term public keys in hex; undefined: anybody; empty: nobody. */
	readonly clients: ReadonlySet<string> | undefined
	readonly liveness: LivenessLimits
}

export interface GatewayConfig {
	readonly wan: string | undefined
	readonly lan: string | undefined
	/** undefined: the address of wan. */
	readonly address: number | undefined
	readonly ports: readonly number[]
	readonly datapath: RawGatewayDatapath
	/** File of routes. */
	readonly routes: string | undefined
	readonly route: readonly RouteConfig[]
	/** Twelve bytes: where IPv6 servers see the IPv4 clients. */
	readonly clientsPrefix: Bytes | undefined
	/** Packets a second of one client address, and to one server; undefined: the default. */
	readonly sourceRate: number | undefined
	readonly targetRate: number | undefined
	readonly encoded: EncodedConfig | undefined
}

type RawGatewayDatapath = NonNullable<RawGateway['datapath']>

export interface RouteConfig {
	readonly extension: Bytes
	readonly target: Target
}

export interface EncodedConfig {
	readonly allow: readonly FenceEntry[]
	readonly ports: readonly number[]
	readonly sealKeys: string | undefined
}

/** What a Curvegate image does to its network; on other systems that is theirs. */
export interface NetworkConfig {
	/** undefined: the board names none. */
	readonly interface: string | undefined
	/** ADDRESS/PREFIX, or from whoever gives addresses there. */
	readonly address: string | 'dhcp'
	readonly router: string | undefined
	readonly dns: string | undefined
	readonly hostname: string
}

export interface ConsoleConfig {
	readonly device: string
	readonly baud: number
	readonly driver: 'tty' | 'serialport'
	/** As hashPassword makes it; undefined: whoever holds the cable is the operator. */
	readonly password: string | undefined
	/** Without a key for so long: logged off. */
	readonly idle: Nanos
}

export interface ConfigOptions {
	/** --board: instead of the file's. */
	readonly board?: string | undefined
	/** --boards. */
	readonly boards?: string | undefined
	/** The serial line is nobody else's: there is a console even when the file has no [console]. */
	readonly alwaysConsole?: boolean
	readonly machine?: Machine
}

/** What the gateway's ports are when nothing says otherwise. */
const GATEWAY_PORTS: readonly number[] = [4000]

/** Throws Trouble when the file cannot be read, Refused with every fault when it is wrong. */
export async function loadConfig(file: string, options: ConfigOptions = {}): Promise<Config> {
	const toml = readTomlFile(file, 'the configuration')
	return await configOf(toml, options)
}

export async function configOf(toml: TomlFile, options: ConfigOptions = {}): Promise<Config> {
	const judged = judge(configSchema, toml.value)
	if ('complaints' in judged) throw await refuse(toml.file, toml.text, judged.complaints)
	const raw = options.alwaysConsole === true ? { console: {}, ...judged.value } : judged.value
	const board = await boardOf(toml, raw, options)
	const config = build(raw, board, toml.file)
	const machine = options.machine ?? thisMachine()
	const complaints = crossCheck(raw, config, machine)
	if (complaints.length > 0) throw await refuse(toml.file, toml.text, complaints)
	return config
}

/** What runs without a file: the board's values, and no server yet. */
export async function defaultConfig(options: ConfigOptions = {}): Promise<Config> {
	const board = await chooseBoard(options.board ?? DEFAULT_BOARD, boardFolders(options.boards))
	return build({ schema: 1 }, board, undefined)
}

async function boardOf(toml: TomlFile, raw: RawConfig, options: ConfigOptions): Promise<Board> {
	const name = options.board ?? raw.board ?? DEFAULT_BOARD
	try {
		return await chooseBoard(name, boardFolders(options.boards))
	} catch (error) {
		if (!(error instanceof UnknownBoard) || options.board !== undefined) throw error
		const message = `board: ${error.message}`
		const complaint: Complaint = { path: ['board'], on: 'value', message }
		throw await refuse(toml.file, toml.text, [complaint])
	}
}

function build(raw: RawConfig, board: Board, file: string | undefined): Config {
	const { profile } = board
	const limits = limitsOf(raw, board)
	const locate = (path: string): string => located(path, file)
	const liveness: LivenessLimits = {
		keepalive: limits.keepalive, deadPeer: limits.deadPeer, idle: limits.idle,
	}
	return {
		file,
		board,
		user: raw.user,
		control: raw.control === undefined ? undefined : locate(raw.control),
		servers: (raw.server ?? []).map((one) => serverOf(one, {
			listen: one.listen ?? profile.server.listen,
			keys: locate(one.keys ?? raw.keys ?? profile.server.keys ?? ''),
			liveness,
			locate,
		})),
		extensionSource: sourceOf(raw.extension?.source ?? profile.extension.source, locate),
		gateway: raw.gateway === undefined ? undefined : gatewayOf(raw.gateway, board, locate),
		network: networkOf(raw, board),
		console: consoleOf(raw, board),
		limits,
		log: {
			level: raw.log?.level ?? profile.log.level,
			format: raw.log?.format ?? profile.log.format,
		},
		metrics: raw.metrics?.listen,
	}
}

/** Relative paths count from the folder of the file that holds them. */
function located(path: string, file: string | undefined): string {
	return file === undefined || path === '' || isAbsolute(path) ? path : join(dirname(file), path)
}

function sourceOf(source: string, locate: (path: string) => string): string {
	return source.startsWith('file:') ? `file:${locate(source.slice('file:'.length))}` : source
}

interface ServerDefaults {
	readonly listen: Listen
	readonly keys: string
	readonly liveness: LivenessLimits
	locate(path: string): string
}

function serverOf(raw: RawServer, defaults: ServerDefaults): ServerConfig {
	const { listen, keys, liveness, locate } = defaults
	return {
		listen,
		keys,
		extension: raw.extension ?? 'from-source',
		names: (raw.name ?? []).map((one) => ({
			name: one.name,
			service: serviceOf(one.service, locate),
			clients: one.clients === undefined ? undefined : new Set(one.clients),
			liveness: {
				keepalive: one.keepalive ?? liveness.keepalive,
				deadPeer: one['dead-peer'] ?? liveness.deadPeer,
				idle: one.idle ?? liveness.idle,
			},
		})),
	}
}

function serviceOf(spec: ServiceSpec, locate: (path: string) => string): ServiceSpec {
	return spec.kind === 'unix' ? { kind: 'unix', path: locate(spec.path) } : spec
}

function gatewayOf(
	raw: RawGateway, { profile }: Board, locate: (path: string) => string,
): GatewayConfig {
	const { encoded } = raw
	const sealKeys = encoded?.['seal-keys']
	return {
		wan: raw.wan ?? profile.network.wan,
		lan: raw.lan ?? profile.network.lan,
		address: raw.address,
		ports: raw.ports ?? GATEWAY_PORTS,
		datapath: raw.datapath ?? profile.gateway.datapath,
		routes: raw.routes === undefined ? undefined : locate(raw.routes),
		route: raw.route ?? [],
		clientsPrefix: raw['clients-prefix'],
		sourceRate: raw['source-rate'],
		targetRate: raw['target-rate'],
		encoded: encoded && {
			allow: encoded.allow,
			ports: encoded.ports,
			sealKeys: sealKeys === undefined ? undefined : locate(sealKeys),
		},
	}
}

function networkOf({ network = {} }: RawConfig, { profile }: Board): NetworkConfig {
	return {
		interface: network.interface ?? profile.network.wan,
		address: network.address ?? 'dhcp',
		router: network.router,
		dns: network.dns,
		hostname: network.hostname ?? 'curvegate',
	}
}

/** Only where the file has [console]: a getty may hold the board's device. */
function consoleOf(raw: RawConfig, { profile }: Board): ConsoleConfig | undefined {
	if (raw.console === undefined) return undefined
	const { device, baud, driver, password, idle } = raw.console
	return {
		device: device ?? profile.console?.device ?? '',
		baud: baud ?? profile.console?.baud ?? 115_200,
		driver: driver ?? profile.console?.driver ?? 'serialport',
		password,
		idle: idle ?? CONSOLE_IDLE,
	}
}

function limitsOf(raw: RawConfig, board: Board): Limits {
	const given = raw.limits ?? {}
	const from = board.limits
	const duration = (value: Nanos | undefined, other: Nanos): Nanos => value ?? other
	return {
		connections: given.connections ?? from.connections,
		memory: given.memory ?? from.memory,
		programs: given.programs ?? from.programs,
		routes: given.routes ?? from.routes,
		socketBuffer: given['socket-buffer'] ?? from.socketBuffer,
		connect: duration(given.connect, from.connect),
		keepalive: duration(given.keepalive, from.keepalive),
		deadPeer: duration(given['dead-peer'], from.deadPeer),
		idle: duration(given.idle, from.idle),
		drain: duration(given.drain, from.drain),
	}
}
