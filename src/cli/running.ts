// What `server` and `run` have in common once there is a configuration: the start, the addresses
// that are printed, the signals, the end.

import { relative } from 'node:path'
import { shellQuote } from '../base/shell.ts'
import { SECOND } from '../base/time.ts'
import { hostOf, Notices } from '../console/host.ts'
import { consoleOver } from '../console/over-curvecp.ts'
import { SerialConsole } from '../console/serial-console.ts'
import { sayReady } from '../platform/notify.ts'
import { openPlatform } from '../platform/platform.ts'
import { systemTimers } from '../platform/timers.ts'
import { causeOf, EXIT_DONE, Trouble, Usage } from '../platform/trouble.ts'
import { boardFolders, mismatchHere } from '../service/board.ts'
import type { CandidateOptions, ConfigSource } from '../service/config-candidate.ts'
import type { Changes } from '../service/config-changes.ts'
import { configCommands } from '../service/config-commands.ts'
import type { Config } from '../service/config.ts'
import { updateCommands } from '../service/firmware/update-commands.ts'
import { bindControl, type BoundControl } from '../service/control.ts'
import { controlPath } from '../service/control-place.ts'
import { stderrLog, type Log } from '../service/log.ts'
import { manage, type Management } from '../service/manage.ts'
import { gatewayTerms, sumOf } from '../service/plan.ts'
import { Refused } from '../service/refused.ts'
import { startRun, type Run, type RunOptions } from '../service/run.ts'
import { runCommands } from '../service/run-commands.ts'
import { servedNames, type Served } from '../service/served.ts'
import type { StartConsole } from '../service/service.ts'
import type { Arguments } from './arguments.ts'
import { printJson, printLine } from './output.ts'

/** Before a restart that a command has asked for: its answer leaves, open streams may end. */
const ANSWER_NANOS = SECOND / 2
const DRAIN_NANOS = 2 * SECOND

/** What a process is told from others by. */
type Kind = 'server' | 'run'

/** again: for SIGHUP; undefined: there is no file to read. started: everything serves. */
export async function runConfig(
	kind: Kind, args: Arguments, config: Config, again: ConfigSource | undefined,
	started?: (run: Run, management: Management, log: Log) => void,
): Promise<number> {
	const platform = await openPlatform()
	const log = stderrLog(config.log.level, config.log.format)
	let startConsole: StartConsole | undefined
	let control: BoundControl | undefined
	const run = await startRun({
		config, platform, log, console: (context) => startConsole?.(context),
		prepare: async ([port]) => {
			const name = kind === 'run' ? 'run' : `server-${port}`
			control = await bindControl(args.text('control') ?? config.control ?? controlPath(name), log)
		},
	}).catch((error: unknown) => {
		control?.close()
		throw error
	})
	handleSignals(run, log, again)
	const notices = new Notices()
	const management = await manageRun(run, kind, { log, platform, control, again, notices })
	const host = hostOf(run, management.commands, systemTimers, log, notices)
	startConsole = consoleOver(host)
	run.parts.push(new SerialConsole(run.config.console, host))
	const served = servedNames(run)
	if (args.has('json')) printJson({ names: served })
	else for (const { address } of served) printLine(address)
	if (again === undefined) suggestTry(args, served)
	started?.(run, management, log)
	void mismatchHere(config.board, boardFolders(args.text('boards')))
		.then((note) => note !== undefined && log.say('warn', 'board', { note }))
	void sayReady().then((note) => note !== undefined && log.say('warn', 'notify', { note }))
	await run.stopped
	management.close()
	return EXIT_DONE
}

interface Means extends Pick<RunOptions, 'log' | 'platform'> {
	readonly control: BoundControl | undefined
	readonly again: ConfigSource | undefined
	readonly notices: Notices
}

/** Who can ask, and the metrics, before they could be missed. */
async function manageRun(
	run: Run, kind: Kind, means: Means,
): Promise<Management> {
	const { log, platform, control, again } = means
	const { config } = run
	const { memory, routes } = config.limits
	const tables = sumOf(gatewayTerms(routes, config.gateway?.ports.length ?? 0))
	try {
		return await manage({
			process: kind, log, gateway: run.gateway, fixedBytes: tables, budgetBytes: memory + tables,
			get servers() {
				return run.servers.map(({ server }) => server)
			},
			more: new Map([
				...runCommands(run, platform), ...configCommands(changeable(kind, run, means)),
				...updateCommands(),
			]),
			...again === undefined ? {} : { reload: () => run.reload(() => again.read()) },
		}, { control, metrics: config.metrics }, platform.clock)
	} catch (error) {
		run.stopNow()
		throw error
	}
}

/** What the console may change: a file that alone says what runs. */
function changeable(
	kind: Kind, run: Run, { log, again: source, notices }: Means,
): CandidateOptions | undefined {
	const { file } = run.config
	if (kind !== 'run' || file === undefined || source === undefined) return undefined
	return {
		file, source, timers: systemTimers, log,
		reload: (read) => run.reload(read), told: (text) => notices.say(text),
		restart: () => {
			systemTimers.after(ANSWER_NANOS, () => run.stop())
			systemTimers.after(ANSWER_NANOS + DRAIN_NANOS, () => run.stopNow())
		},
	}
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

function handleSignals(run: Run, log: Log, again: ConfigSource | undefined): void {
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
		run.reload(() => again.read()).then((changes) => sayChanges(log, changes),
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
