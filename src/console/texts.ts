// Answers as lines for a terminal. Whatever an answer holds, a line moves no cursor.

import type { Finding } from '../service/doctor-checks.ts'
import { doctorText } from '../service/doctor-text.ts'
import { pingText, type PingFacts } from '../service/ping.ts'
import { amount, clean } from '../service/quantity-text.ts'
import type {
	ExtensionStatus, InterfaceStatus, KeyStatus,
} from '../service/run-commands.ts'
import type { Served } from '../service/served.ts'
import type { ConnectionStatus, Status } from '../service/status.ts'
import { connectionsText, statusText } from '../service/status-text.ts'
import { inColumns } from '../service/table-text.ts'

export function status(result: object): string[] {
	return statusText([{ path: 'this one', status: result as Status }]).split('\n')
}

export function connections(result: object): string[] {
	const { connections: shown, next } = result as { connections: ConnectionStatus[], next?: number }
	if (shown.length === 0) return ['none']
	return [...connectionsText(shown, 0), ...next === undefined ? [] : [`more: connections ${next}`]]
}

export function addresses(result: object): string[] {
	const { names } = result as { names: Served[] }
	if (names.length === 0) return ['no name is served yet: config set server.0.name.0 …']
	return names.flatMap(({ address, service }) => [clean(address), `  serves ${service}`])
}

export function qr(result: object): string[] {
	const { address, lines } = result as { address: string, lines: string[] }
	return [...lines, clean(address)]
}

export function keys(result: object): string[] {
	const { servers } = result as { servers: KeyStatus[] }
	if (servers.length === 0) return ['there is no server']
	return inColumns(servers.map((one) => [one.listen, one.publicKey, clean(one.keys)]))
}

export function extension(result: object): string[] {
	const { source, extension: digits, note } = result as ExtensionStatus
	return [`${digits} from ${clean(source)}`, ...note === null ? [] : [clean(note)]]
}

export function interfaces(result: object): string[] {
	const { interfaces: all } = result as { interfaces: InterfaceStatus[] }
	return inColumns(all.map((one) => [clean(one.name), one.state, one.mac,
		`${amount(one.receivedBytes)} in`, `${amount(one.sentBytes)} out`, one.addresses.join(', ')]))
}

export function log(result: object): string[] {
	const { level, lines } = result as { level: string, lines: string[] }
	return [...lines.map(clean), `level ${level}`]
}

export function doctor(result: object): string[] {
	return doctorText((result as { findings: Finding[] }).findings).split('\n')
}

export function ping(result: object): string[] {
	const facts = result as PingFacts
	return [`${facts.answered} answered; handshake ${facts.handshakeMs} ms`,
		...pingText(facts).split('\n')]
}

export function changes(result: object): string[] {
	const { applied = [], needRestart = [] } = result as {
		applied?: readonly string[], needRestart?: readonly string[]
	}
	return [
		...applied.length === 0 && needRestart.length === 0 ? ['nothing has changed'] : [],
		...applied.map((what) => `changed: ${clean(what)}`),
		...needRestart.map((what) => `needs a restart: ${clean(what)}`),
	]
}

interface ConfigAnswer {
	/** The file's text, or a part of it. */
	readonly text?: string
	/** What waits to be saved. */
	readonly pending?: readonly string[]
	readonly faults?: readonly string[]
	readonly applied?: readonly string[]
	readonly needRestart?: readonly string[]
	/** Until the changes are undone. */
	readonly revertSeconds?: number
	readonly done?: string
}

export function config(result: object): string[] {
	const answer = result as ConfigAnswer
	const { text, pending, faults, applied = [], needRestart = [], revertSeconds, done } = answer
	const lines = [
		...text === undefined ? [] : text.trimEnd().split('\n').map((line) => cleanLine(line)),
		...(pending ?? []).map((line) => `pending: ${clean(line)}`),
		...(faults ?? []).flatMap((one) => one.split('\n').map(cleanLine)),
		...applied.length + needRestart.length === 0 ? [] : changes({ applied, needRestart }),
		...done === undefined ? [] : [clean(done)],
		...revertSeconds === undefined ? []
			: [`undone in ${revertSeconds} s unless you type: commit`],
	]
	return lines.length === 0 ? ['nothing is pending'] : lines
}

/** A file's tabs stay columns. */
function cleanLine(line: string): string {
	return clean(line.replaceAll('\t', '    '))
}

/** Any answer, in plain lines. */
export function object(result: object): string[] {
	const lines = valueLines(result, '')
	return lines.length === 0 ? ['done'] : lines
}

function valueLines(value: unknown, indent: string): string[] {
	if (typeof value !== 'object' || value === null) return [indent + clean(String(value))]
	return Object.entries(value).flatMap(([key, one]) => {
		const title = Array.isArray(value) ? '-' : clean(key)
		if (typeof one !== 'object' || one === null) return [`${indent}${title} ${clean(String(one))}`]
		const below = valueLines(one, `${indent}  `)
		return below.length === 0 ? [`${indent}${title} none`] : [indent + title, ...below]
	})
}
