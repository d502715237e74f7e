// What a running process can be asked and told by its owner: over the control socket, the serial
// console, the service console. What needs a configuration is in run-commands.ts.

import { nearest } from '../base/nearest.ts'
import type { Clock } from '../platform/clock.ts'
import { causeOf } from '../platform/trouble.ts'
import { LEVELS, type Log } from './log.ts'
import { CONNECTIONS_SHOWN, statusOf, type ConnectionStatus, type Managed } from './status.ts'

/** The fields of a request beside id and cmd. */
export type Request = Readonly<Record<string, unknown>>
export type Command = (request: Request) => object | Promise<object>
export type Commands = ReadonlyMap<string, Command>

/** What the caller got wrong. */
export class Refusal extends Error {}

/** Rows of one page. */
const PAGE = 256

export function commandsOf(managed: Managed, clock: Clock): Commands {
	const startedAt = clock()
	const commands: Map<string, Command> = new Map<string, Command>([
		['status', () => statusOf(managed, clock() - startedAt)],
		['connections', (request) => connections(managed, page(request))],
		['routes', (request) => routes(managed, page(request))],
		['log', (request) => logged(managed.log, request)],
		['reload', async () => {
			if (managed.reload === undefined) throw new Refusal('there is no configuration file to read')
			return await managed.reload()
		}],
		['help', () => ({ commands: [...commands.keys()] })],
		...managed.more ?? [],
	])
	return commands
}

/** One line in, one line out, whatever the line holds. */
export async function answerTo(line: string, commands: Commands, log: Log): Promise<string> {
	let id: string | number | null = null
	try {
		const request = parse(line)
		id = idOf(request)
		const result = await find(request, commands)(request)
		return JSON.stringify({ id, result })
	} catch (error) {
		if (!(error instanceof Refusal)) log.say('warn', 'command-failed', { cause: causeOf(error) })
		return JSON.stringify({ id, error: causeOf(error) })
	}
}

function parse(line: string): Request {
	let request: unknown
	try {
		request = JSON.parse(line)
	} catch {
		throw new Refusal('expected a line of JSON, as {"id":1,"cmd":"status"}')
	}
	if (typeof request !== 'object' || request === null || Array.isArray(request)) {
		throw new Refusal('expected an object, as {"id":1,"cmd":"status"}')
	}
	return Object.fromEntries(Object.entries(request))
}

function idOf({ id }: Request): string | number | null {
	if (typeof id === 'number' || (typeof id === 'string' && id.length <= 64)) return id
	return null
}

function find({ cmd }: Request, commands: Commands): Command {
	const command = typeof cmd === 'string' ? commands.get(cmd) : undefined
	if (command !== undefined) return command
	const known = [...commands.keys()]
	const near = typeof cmd === 'string' ? nearest(cmd.slice(0, 64), known) : undefined
	throw new Refusal(`unknown cmd; ${near === undefined ? `known: ${known.join(', ')}`
		: `did you mean ${near}?`}`)
}

interface Page {
	readonly from: number
	readonly limit: number
}

function page({ from = 0, limit = PAGE }: Request): Page {
	if (!isWhole(from) || !isWhole(limit)) throw new Refusal('from and limit are whole numbers')
	return { from, limit: Math.max(1, Math.min(limit, CONNECTIONS_SHOWN)) }
}

function isWhole(value: unknown): value is number {
	return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function connections({ servers }: Managed, { from, limit }: Page): object {
	const shown: ConnectionStatus[] = []
	let skip = from
	let left = 0
	for (const server of servers) {
		const { connections: ofPort, connectionsLeftOut } = server.status(skip, limit - shown.length)
		skip = Math.max(0, skip - server.endpoint.size)
		shown.push(...ofPort)
		left += connectionsLeftOut
	}
	return { connections: shown, ...left > 0 ? { next: from + shown.length } : {} }
}

function routes({ gateway }: Managed, { from, limit }: Page): object {
	if (gateway === undefined) throw new Refusal('there is no gateway in this process')
	return gateway.routes(from, limit)
}

function logged(log: Log, { level }: Request): object {
	if (level !== undefined) {
		const wanted = LEVELS.find((one) => one === level)
		if (wanted === undefined) throw new Refusal(`level is one of ${LEVELS.join(', ')}`)
		log.level = wanted
	}
	return { level: log.level, lines: log.recent }
}
