// curvegate gateway: one public address in front of any number of servers.

import type { DatapathName } from '../platform/datapath.ts'
import { openPlatform } from '../platform/platform.ts'
import { EXIT_DONE, Usage } from '../platform/trouble.ts'
import { addressText } from '../platform/udp.ts'
import { dryRun } from '../service/gateway-dry-run.ts'
import { startGateway, type Gateway, type GatewaySpec } from '../service/gateway.ts'
import { stderrLog, type Log } from '../service/log.ts'
import { parseRouteLine, type Route } from '../service/routes-file.ts'
import { parseIpv4 } from '../wire/ip.ts'
import { Expected, type Arguments } from './arguments.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'
import { readPort } from './values.ts'

const DATAPATHS: readonly (DatapathName | 'auto')[] = ['auto', 'nftables', 'packet', 'raw', 'relay']
const DEFAULT_PORT = 4000

export const run: Run = async (args) => {
	const spec = readSpec(args)
	const platform = await openPlatform()
	if (args.has('dry-run')) {
		await dryRun(spec, platform, (text) => process.stdout.write(text))
		return EXIT_DONE
	}
	const log = stderrLog('info')
	const gateway = await startGateway(spec, platform, log)
	const stopped = untilStopped(gateway, log)
	const { address, ports, datapath, reason, routes, notes } = gateway.status(false)
	if (args.has('json')) printJson({ address: addressText(address), ports, datapath, reason, routes,
		notes })
	else {
		const what = `${routes} routes, ${datapath} (${reason})`
		printLine(`${addressText(address)} ports ${ports.join(', ')}: ${what}`)
	}
	await stopped
	return EXIT_DONE
}

function readSpec(args: Arguments): GatewaySpec {
	const allow = args.texts('allow')
	const sealKeys = args.text('seal-keys')
	if (sealKeys !== undefined && allow === undefined) {
		throw new Usage('--seal-keys needs --allow: where may sealed extensions lead?')
	}
	return {
		wan: args.demand('wan'), lan: args.text('lan') ?? args.demand('wan'),
		address: args.value('address', readAddress), ports: args.values('port', readPort)
			?? [DEFAULT_PORT],
		routes: args.values('route', readRoute) ?? [], routesFile: args.text('routes'),
		datapath: args.value('datapath', readDatapath) ?? 'auto', applySysctl: args.has('apply-sysctl'),
		encoded: allow === undefined
			? undefined : { allow, ports: args.values('allow-port', readPort) ?? [], sealKeys },
	}
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
function untilStopped(gateway: Gateway, log: Log): Promise<void> {
	process.on('SIGHUP', () => {
		gateway.reload().catch((error: unknown) => {
			const message = error instanceof Error ? error.message : String(error)
			const place = error instanceof Usage && error.place.line !== undefined
				? { file: error.place.file ?? '', line: error.place.line } : {}
			log.say('error', 'reload', { message, ...place, kept: 'the routes as they were' })
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
