// What `server` and `run` have in common once there is a configuration: the start, the addresses
// that are printed, the signals, the end.

import { networkInterfaces } from 'node:os'
import { relative } from 'node:path'
import { shellQuote } from '../base/shell.ts'
import { toHex } from '../base/hex.ts'
import type { Clock } from '../platform/clock.ts'
import { sayReady } from '../platform/notify.ts'
import { openPlatform } from '../platform/platform.ts'
import { causeOf, EXIT_DONE, Trouble, Usage } from '../platform/trouble.ts'
import { addressOf, addressText } from '../platform/udp.ts'
import { formatAddress, NO_EXTENSION } from '../service/address.ts'
import type { Changes } from '../service/config-changes.ts'
import type { Config } from '../service/config.ts'
import { stderrLog, type Log } from '../service/log.ts'
import { manage, type Management } from '../service/manage.ts'
import { isBehindGateway } from '../service/own-routes.ts'
import { gatewayTerms, sumOf } from '../service/plan.ts'
import { Refused } from '../service/refused.ts'
import { startRun, type Run } from '../service/run.ts'
import type { Arguments } from './arguments.ts'
import { printJson, printLine } from './output.ts'

/** What a process is told from others by. */
type Kind = 'server' | 'run'

/** again: for SIGHUP; undefined: there is no file to read. */
export async function runConfig(
	kind: Kind, args: Arguments, config: Config, again: (() => Promise<Config>) | undefined,
): Promise<number> {
	const platform = await openPlatform()
	const log = stderrLog(config.log.level, config.log.format)
	const run = await startRun({ config, platform, log })
	handleSignals(run, log, again)
	const management = await manageRun(kind, args, run, log, platform.clock, again)
	const served = servedNames(run)
	if (args.has('json')) printJson({ names: served })
	else for (const { address } of served) printLine(address)
	if (again === undefined) suggestTry(args, served)
	void sayReady().then((note) => note !== undefined && log.say('warn', 'notify', { note }))
	await run.stopped
	management.close()
	return EXIT_DONE
}

/** The control socket and the metrics, before they could be missed. */
async function manageRun(
	kind: Kind, args: Arguments, run: Run, log: Log, clock: Clock,
	again: (() => Promise<Config>) | undefined,
): Promise<Management> {
	const { config } = run
	const { memory, routes } = config.limits
	const tables = sumOf(gatewayTerms(routes, config.gateway?.ports.length ?? 0))
	try {
		return await manage({
			process: kind, log, gateway: run.gateway, fixedBytes: tables, budgetBytes: memory + tables,
			get servers() {
				return run.servers.map(({ server }) => server)
			},
			...again === undefined ? {} : { reload: () => run.reload(again) },
		}, {
			control: args.text('control') ?? config.control,
			name: kind === 'run' ? 'run' : `server-${run.servers[0]!.server.port}`,
			metrics: config.metrics,
		}, clock)
	} catch (error) {
		run.stopNow()
		throw error
	}
}

interface Served {
	readonly name: string
	/** Of curvecp:// */
	readonly address: string
	readonly service: string
	readonly listen: string
	readonly publicKey: string
}

/** One for each name, in the order of the file. */
function servedNames({ servers, gateway, config }: Run): Served[] {
	const publicAddress = gateway?.status(false).address
	return servers.flatMap(({ group, server }) => group.specs.flatMap((spec, i) => {
		const { publicKey } = spec.keys
		const isBehind = isBehindGateway(config, group.configs[i]!, publicAddress)
		const where = isBehind ? publicAddress : undefined
		const host = where ?? (server.address === 0 ? ownAddress() : server.address)
		const extension = spec.extension === 'any' ? NO_EXTENSION : spec.extension.value
		const port = isBehind ? group.listen.port : server.port
		return spec.names.map(({ name, service }) => ({
			name: new TextDecoder().decode(name),
			address: formatAddress({
				key: publicKey, hosts: [addressText(host)], port, name, extension,
			}),
			service: service.kind,
			listen: `${addressText(server.address)}:${server.port}`,
			publicKey: toHex(publicKey),
		}))
	}))
}

/** The address under which others may find this machine, when it listens on all of its own. */
function ownAddress(): number {
	const all = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
	const outward = all.find(({ family, internal }) => family === 'IPv4' && !internal)
	return addressOf(outward?.address ?? '127.0.0.1')!
}

/** For newcomers: the line that shows the page. */
function suggestTry(args: Arguments, served: readonly Served[]): void {
	const welcome = served.find(({ service }) => service === 'welcome')
	if (welcome === undefined || !(process.stderr.isTTY || !args.has('serve'))) return
	const connect = `${ownCommand()} connect ${shellQuote(welcome.address)}`
	process.stderr.write(`try it in another terminal: echo | ${connect}\n`)
}

/** As the user would type it from here. */
function ownCommand(): string {
	const path = relative(process.cwd(), process.argv[1] ?? '')
	return path === '' || path.startsWith('..') ? 'curvegate' : path
}

function handleSignals(run: Run, log: Log, again: (() => Promise<Config>) | undefined): void {
	let asked = false
	const stop = (): void => {
		if (asked) run.stopNow()
		else run.stop()
		asked = true
	}
	const reload = (): void => {
		if (again === undefined) {
			return log.say('info', 'nothing-to-reload', { why: 'no configuration file' })
		}
		run.reload(again).then((changes) => sayChanges(log, changes),
			(error: unknown) => sayRefused(log, error))
	}
	process.on('SIGTERM', stop)
	process.on('SIGINT', stop)
	process.on('SIGHUP', reload)
	// The handlers keep no process alive, but a third signal is to have its usual effect.
	const forget = (): void => {
		process.removeListener('SIGTERM', stop)
		process.removeListener('SIGINT', stop)
	}
	run.stopped.then(forget, forget)
}

/** A log line is for people: so many changes of one reload are named, the others counted. */
const CHANGES_SAID = 50

function sayChanges(log: Log, { applied, needRestart }: Changes): void {
	for (const what of applied.slice(0, CHANGES_SAID)) log.say('info', 'changed', { what })
	if (needRestart.length > 0) {
		log.say('warn', 'needs-restart', { what: needRestart.join(', '), now: 'as before' })
	}
	log.say('info', 'reloaded', { changes: applied.length, needRestart: needRestart.length })
}

/** Nothing has changed; each fault is a line with its place. */
function sayRefused(log: Log, error: unknown): void {
	if (error instanceof Refused) {
		for (const { file, line, column, message } of error.faults) {
			const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`
			log.say('error', 'fault', { place, message })
		}
	} else if (error instanceof Usage) {
		const { file, line, column } = error.place
		const place = file === undefined ? {} : { place: [file, line, column]
			.filter((part) => part !== undefined).join(':') }
		log.say('error', 'fault', { ...place, message: error.message })
	} else {
		log.say('error', 'fault', {
			message: error instanceof Trouble ? error.message : causeOf(error),
		})
	}
	log.say('error', 'not-reloaded', { kept: 'everything as it was' })
}
