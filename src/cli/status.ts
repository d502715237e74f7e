// curvegate status: what the running processes say about themselves, once or again and again.

import { setTimeout as sleep } from 'node:timers/promises'
import { SECOND } from '../base/time.ts'
import { EXIT_DONE, Trouble } from '../platform/trouble.ts'
import { askAll, type Seen } from '../service/control-client.ts'
import { controlFolder } from '../service/control-place.ts'
import { merged } from '../service/status.ts'
import type { Run } from './command.ts'
import { inColour, printJson, printLine } from './output.ts'
import { Rates } from './status-rates.ts'
import { screenLines } from './status-screen.ts'
import { statusText } from '../service/status-text.ts'
import { openScreen, type Screen } from './terminal.ts'
import { readSeconds } from './values.ts'

const INTERVAL = SECOND
/** Without a terminal: as wide as anybody's. */
const PLAIN_COLUMNS = 100

export const run: Run = async (args) => {
	const path = args.text('control')
	const interval = (args.value('interval', readSeconds) ?? INTERVAL) / SECOND * 1000
	const seen = await askAll(path)
	if (seen.length === 0) throw nobody()
	if (args.has('watch')) {
		await watch(seen, { path, interval, json: args.has('json') })
		return EXIT_DONE
	}
	if (args.has('json')) printJson(jsonOf(seen))
	else printLine(statusText(seen))
	return EXIT_DONE
}

function nobody(): Trouble {
	const folder = controlFolder()
	return new Trouble('find', `a running curvegate in ${folder}`,
		'nobody answers there; start curvegate server, ask as the user who started it, '
		+ 'or say where with --control PATH')
}

function jsonOf(seen: readonly Seen[]): object {
	return {
		...merged(seen.map(({ status }) => status)),
		processes: seen.map(({ path, status }) => {
			const { version, process: kind, pid, uptimeSeconds, memory } = status
			return { control: path, process: kind, pid, version, uptimeSeconds, memory }
		}),
	}
}

interface WatchOptions {
	readonly path: string | undefined
	/** Milliseconds. */
	readonly interval: number
	readonly json: boolean
}

async function watch(first: readonly Seen[], options: WatchOptions): Promise<void> {
	const { path, interval, json } = options
	const rates = new Rates()
	const stop = new AbortController()
	const screen = !json && process.stdout.isTTY ? openScreen(() => stop.abort()) : undefined
	if (screen === undefined) stopOnSignals(stop)
	try {
		for (let seen = first; ; seen = await askAgain(path)) {
			rates.take(seen, performance.now())
			show(seen, rates, json, screen)
			await sleep(interval, undefined, { signal: stop.signal })
		}
	} catch (error) {
		if (!stop.signal.aborted) throw error
	} finally {
		screen?.leave()
	}
}

/** Who has gone may come again. */
async function askAgain(path: string | undefined): Promise<readonly Seen[]> {
	try {
		return await askAll(path)
	} catch (error) {
		if (error instanceof Trouble) return []
		throw error
	}
}

function show(
	seen: readonly Seen[], rates: Rates, json: boolean, screen: Screen | undefined,
): void {
	if (json) {
		process.stdout.write(`${JSON.stringify(jsonOf(seen))}\n`)
	} else if (screen === undefined) {
		const size = { columns: PLAIN_COLUMNS, rows: Infinity }
		process.stdout.write(`${screenLines(seen, rates.now, size, false).join('\n')}\n\n`)
	} else {
		screen.draw((size) => screenLines(seen, rates.now, size, inColour()))
	}
}

function stopOnSignals(stop: AbortController): void {
	for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
}
