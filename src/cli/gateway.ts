// curvegate gateway: one public address in front of any number of servers.

import type { Bytes } from '../base/bytes.ts'
import { CLIENTS_PREFIX_BYTES } from '../gateway/tables.ts'
import { ROUTES_MAX } from '../limits.ts'
import type { DatapathName } from '../platform/datapath.ts'
import { keepDescriptors } from '../platform/linux/rights.ts'
import { openPlatform, type Platform } from '../platform/platform.ts'
import { EXIT_DONE, Usage } from '../platform/trouble.ts'
import { addressText } from '../platform/udp.ts'
import { findUser, settle } from '../platform/user.ts'
import { dryRun } from '../service/gateway-dry-run.ts'
import { loadConfig, type Config } from '../service/config.ts'
import { gatewaySpec, type GatewaySpec } from '../service/gateway-spec.ts'
import { startGateway, type Gateway } from '../service/gateway.ts'
import { stderrLog, type Log } from '../service/log.ts'
import { bindControl } from '../service/control.ts'
import { controlPath } from '../service/control-place.ts'
import { manage } from '../service/manage.ts'
import { gatewayTerms, sumOf } from '../service/plan.ts'
import { parseRouteLine, type ReloadResult, type Route } from '../service/routes-file.ts'
import { parseIpv4, parseIpv6 } from '../wire/ip.ts'
import { Expected, type Arguments } from './arguments.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'
import { readFenceEntry, readPort } from './values.ts'

const DATAPATHS: readonly (DatapathName | 'auto')[] = ['auto', 'nftables', 'packet', 'raw', 'relay']
const DEFAULT_PORT = 4000

export const run: Run = async (args) => {
	const config = await readConfig(args)
	const spec = specOf(args, config)
	const platform = await openPlatform()
	if (args.has('dry-run')) {
		await dryRun(spec, platform, (text) => process.stdout.write(text))
		return EXIT_DONE
	}
	const log = stderrLog(config?.log.level ?? 'info', config?.log.format)
	const gateway = await startSettled(spec, platform, log, config?.user)
	const reload = async (): Promise<ReloadResult> =>
		await gateway.reload(specOf(args, await readConfig(args)))
	const place = args.text('control') ?? config?.control ?? controlPath(`gateway-${spec.wan}`)
	const management = await manage({
		process: 'gateway', log, servers: [], gateway, reload, ...memoryOf(spec),
	}, {
		control: await bindControl(place, log), metrics: config?.metrics,
	}, platform.clock).catch((error: unknown) => {
		gateway.stop()
		throw error
	})
	const stopped = untilStopped(gateway, log, reload)
	const { address, ports, datapath, reason, routes, notes } = gateway.status(false)
	if (args.has('json')) printJson({ address: addressText(address), ports, datapath, reason, routes,
		notes })
	else {
		const what = `${routes} routes, ${datapath} (${reason})`
		printLine(`${addressText(address)} ports ${ports.join(', ')}: ${what}`)
	}
	await stopped
	management.close()
	return EXIT_DONE
}

/** Nothing is forwarded in userspace with more rights than that needs. */
async function startSettled(
	spec: GatewaySpec, platform: Platform, log: Log, name: string | undefined,
): Promise<Gateway> {
	const user = name === undefined ? undefined : findUser(name)
	const gateway = await startGateway(spec, platform, log)
	try {
		keepDescriptors()
		const note = settle(user, true)
		if (note !== undefined) log.say('warn', 'note', { note })
		return gateway
	} catch (error) {
		gateway.stop()
		throw error
	}
}

async function readConfig(args: Arguments): Promise<Config | undefined> {
	const file = args.text('config')
	return file === undefined ? undefined
		: await loadConfig(file, { board: args.text('board'), boards: args.text('boards') })
}

/** The configuration, if there is one, with the flags over it. */
function specOf(args: Arguments, config: Config | undefined): GatewaySpec {
	const base = config && gatewaySpec(config, [])
	const allow = args.values('allow', readFenceEntry)
	const sealKeys = args.text('seal-keys') ?? base?.encoded?.sealKeys
	if (sealKeys !== undefined && allow === undefined && base?.encoded === undefined) {
		throw new Usage('--seal-keys needs --allow: where may sealed extensions lead?')
	}
	const allowPorts = args.values('allow-port', readPort) ?? base?.encoded?.ports ?? []
	const wan = args.text('wan') ?? base?.wan ?? args.demand('wan')
	return {
		wan, lan: args.text('lan') ?? base?.lan ?? wan,
		address: args.value('address', readAddress) ?? base?.address,
		ports: args.values('port', readPort) ?? base?.ports ?? [DEFAULT_PORT],
		routes: [...base?.routes ?? [], ...args.values('route', readRoute) ?? []],
		routesFile: args.text('routes') ?? base?.routesFile,
		datapath: args.value('datapath', readDatapath) ?? base?.datapath ?? 'auto',
		applySysctl: args.has('apply-sysctl'),
		clientsPrefix: base === undefined ? defaultPrefix() : base.clientsPrefix,
		sourceRate: base?.sourceRate, targetRate: base?.targetRate,
		encoded: allow === undefined ? base?.encoded : { allow, ports: allowPorts, sealKeys },
		routesMax: base?.routesMax ?? ROUTES_MAX,
	}
}

/** Everything is allocated at start. */
function memoryOf({ routesMax, ports }: GatewaySpec): { budgetBytes: number, fixedBytes: number } {
	const bytes = sumOf(gatewayTerms(routesMax, ports.length))
	return { budgetBytes: bytes, fixedBytes: bytes }
}

/** Where IPv6 servers see IPv4 clients: the prefix for local translation of RFC 8215. */
function defaultPrefix(): Bytes {
	return parseIpv6('64:ff9b:1::')!.subarray(0, CLIENTS_PREFIX_BYTES)
}

function readAddress(text: string): number | Expected {
	return parseIpv4(text) ?? new Expected('an IPv4 address')
}

function readDatapath(text: string): DatapathName | 'auto' | Expected {
	return DATAPATHS.find((name) => name === text) ?? new Expected(DATAPATHS.join(', '))
}

/** EXT=TARGET is a line of the routes file with another separator. */
function readRoute(text: string): Route | Expected {
	const route = parseRouteLine(text.replace('=', ' '))
	if (route === undefined) return new Expected('EXTENSION=TARGET')
	return 'message' in route ? new Expected(`EXTENSION=TARGET; ${route.message}`) : route
}

/** SIGHUP reloads; a mistake in the file is said, and changes nothing. */
function untilStopped(
	gateway: Gateway, log: Log, reload: () => Promise<ReloadResult>,
): Promise<void> {
	process.on('SIGHUP', () => {
		reload().catch((error: unknown) => {
			const message = error instanceof Error ? error.message : String(error)
			const place = error instanceof Usage && error.place.line !== undefined
				? { file: error.place.file ?? '', line: error.place.line } : {}
			// A large reload that is refused in its middle has changed some: the number is what counts.
			const kept = error instanceof Usage ? 'the routes as they were'
				: `the ${gateway.status(false).routes} routes in force`
			log.say('error', 'reload', { message, ...place, kept })
		})
	})
	return new Promise((resolve, reject) => {
		const stop = (): void => {
			clearInterval(alive)
			try {
				gateway.stop()
				resolve()
			} catch (error) {
				reject(error instanceof Error ? error : new Error(String(error)))
			}
		}
		// The kernel forwards without us; only signals end the process.
		const alive = setInterval(() => undefined, 1 << 30)
		process.once('SIGTERM', stop)
		process.once('SIGINT', stop)
	})
}
