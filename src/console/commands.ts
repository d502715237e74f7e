// What people type at the console: each command is a request of the process's own table and the
// text that its answer becomes. The table is service/control-commands.ts; a command of it that has
// no entry here can be typed all the same, with KEY=VALUE words, and answers in plain lines.

import { nearest } from '../base/nearest.ts'
import { LEVELS } from '../service/log.ts'
import * as texts from './texts.ts'

export type Fields = Readonly<Record<string, unknown>>

/** What is wrong with what was typed. */
export class Mistyped {
	readonly message: string

	constructor(message: string) {
		this.message = message
	}
}

export interface ConsoleCommand {
	/** What stands behind the name. */
	readonly takes: string
	readonly summary: string
	/** line: as it was typed, for a value that stands as it is. */
	read(words: readonly string[], line: string): Fields | Mistyped
	/** Lines for a terminal. */
	text(result: object): readonly string[]
	/** A picture: not cut into pages. */
	readonly whole?: boolean
	/** What could stand next, behind these words. */
	next?(words: readonly string[], facts: Facts): readonly string[]
}

/** For completion: what only the process knows. */
export interface Facts {
	readonly names: readonly string[]
	readonly configKeys: readonly string[]
}

const CONFIG_ACTIONS = ['show', 'set', 'unset', 'diff', 'discard', 'save']

export const COMMANDS: Readonly<Record<string, ConsoleCommand>> = {
	'status': plain('what runs here: servers, gateway, connections, memory', texts.status),
	'connections': paged('the open connections, 256 from number FROM on', texts.connections),
	'routes': paged('the gateway\'s routes, 256 from number FROM on', texts.object),
	'address': plain('the addresses to give to users', texts.addresses),
	'qr': {
		takes: '[NAME]', summary: 'draws a name\'s address for a telephone to read', text: texts.qr,
		whole: true,
		read: ([name, ...more]) => more.length > 0 ? tooMany(more[0]!)
			: name === undefined ? {} : { name },
		next: (words, { names }) => words.length === 0 ? names : [],
	},
	'keys': plain('the public keys, and where the secret ones are kept', texts.keys),
	'extension': plain('this machine\'s 16 bytes, and where they come from', texts.extension),
	'config': {
		takes: 'show | set KEY VALUE | unset KEY | diff | discard | save [force]',
		summary: 'the configuration file: looks, changes, writes', text: texts.config,
		read: readConfig,
		next: (words, { configKeys }) => words.length === 0 ? CONFIG_ACTIONS
			: words.length === 1 && /^(un)?set$/.test(words[0]!) ? configKeys
				: words[0] === 'save' ? ['force'] : [],
	},
	'commit': {
		takes: '[confirmed [SECONDS] | revert]',
		summary: 'tries the changes, undone by themselves unless "commit" follows in time',
		text: texts.config, read: readCommit,
		next: (words) => words.length === 0 ? ['confirmed', 'revert'] : [],
	},
	'password': plain('sets the console\'s password, unseen', texts.config),
	'interface': plain('the network interfaces', texts.interfaces),
	'log': {
		takes: '[level error|warn|info|debug]', summary: 'the newest lines of the log, or its level',
		text: texts.log,
		read: ([what, level, ...more]) => what === undefined ? {}
			: what === 'level' && level !== undefined && more.length === 0 ? { level }
				: new Mistyped('log, or log level error|warn|info|debug'),
		next: (words) => words.length === 0 ? ['level'] : words[0] === 'level' ? LEVELS : [],
	},
	'update': plain('the update that comes in: curvegate update FILE --serial or --over brings one',
		texts.object),
	'doctor': plain('the usual troubles, with a line of cure for each', texts.doctor),
	'ping': {
		takes: 'ADDRESS [COUNT]', summary: 'round trips to another CurveCP server', text: texts.ping,
		read: ([address, count, ...more]) => address === undefined
			? new Mistyped('ping ADDRESS, as curvecp://…') : more.length > 0 ? tooMany(more[0]!)
				: count === undefined ? { address } : { address, count: Number(count) },
	},
	'reload': plain('reads the configuration file again', texts.changes),
	'reboot': plain('starts the machine anew', texts.object),
	'factory-reset': {
		takes: 'erase', summary: 'erases keys and configuration, and starts anew', text: texts.object,
		read: ([word]) => word === undefined ? {} : { confirm: word },
		next: (words) => words.length === 0 ? ['erase'] : [],
	},
}

/** What the session itself does. */
export const SESSION_COMMANDS: Readonly<Record<string, string>> = {
	help: 'this list, or what COMMAND takes',
	terminal: 'the size of yours: terminal COLUMNS ROWS',
	json: 'from now on for programs: lines of JSON with checksums, until exit',
	exit: 'logs off',
}

function plain(
	summary: string, text: ConsoleCommand['text'],
): ConsoleCommand {
	return { takes: '', summary, text, read: ([first]) => first === undefined ? {} : tooMany(first) }
}

function paged(summary: string, text: ConsoleCommand['text']): ConsoleCommand {
	return {
		takes: '[FROM]', summary, text,
		read: ([from, ...more]) => more.length > 0 ? tooMany(more[0]!)
			: from === undefined ? {} : { from: Number(from) },
	}
}

function tooMany(word: string): Mistyped {
	return new Mistyped(`unexpected '${word}'`)
}

function readConfig(
	[action = 'show', key, ...rest]: readonly string[], line: string,
): Fields | Mistyped {
	if (!CONFIG_ACTIONS.includes(action)) {
		const near = nearest(action, CONFIG_ACTIONS)
		const cure = near === undefined ? CONFIG_ACTIONS.join(', ') : `did you mean ${near}?`
		return new Mistyped(`no such action '${action}': ${cure}`)
	}
	if (action === 'set') {
		if (key === undefined || rest.length === 0) {
			return new Mistyped('config set KEY VALUE, as config set limits.connections 512')
		}
		// A value in TOML has blanks and quotes of its own.
		return { action, key, value: line.replace(/^\S+\s+\S+\s+\S+\s+/, '') }
	}
	if (action === 'unset') {
		return key === undefined ? new Mistyped('config unset KEY') : { action, key }
	}
	if (action === 'save') return { action, force: key === 'force' }
	return key === undefined ? { action } : action === 'show' ? { action, key } : tooMany(key)
}

function readCommit([word, seconds, ...more]: readonly string[]): Fields | Mistyped {
	if (more.length > 0) return tooMany(more[0]!)
	if (word === undefined) return {}
	if (word === 'revert' && seconds === undefined) return { action: 'revert' }
	if (word !== 'confirmed') {
		return new Mistyped('commit, commit confirmed [SECONDS] or commit revert')
	}
	return seconds === undefined ? { action: 'confirmed' }
		: { action: 'confirmed', seconds: Number(seconds) }
}

/** COLUMNS ROWS of a terminal; what most have when absent. */
export function readSize(
	words: readonly string[],
): { readonly columns: number, readonly rows: number } | Mistyped {
	const [columns = 80, rows = 24] = words.map(Number)
	const fits = columns >= 20 && columns <= 1000 && rows >= 3 && rows <= 1000
	return fits ? { columns, rows } : new Mistyped('terminal COLUMNS ROWS, as terminal 80 24')
}

export interface Typed {
	readonly name: string
	readonly words: readonly string[]
	readonly line: string
	/** --json: the answer as it is. */
	readonly json: boolean
	/** --no-more: without stops between pages. */
	readonly noMore: boolean
}

/** Options stand at the end: what is before them may be anything. */
export function readTyped(line: string): Typed {
	const [options = ''] = /(?:\s+--(?:json|no-more))*\s*$/.exec(line) ?? []
	const command = line.slice(0, line.length - options.length).trim()
	const [name = '', ...words] = command.split(/\s+/)
	return {
		name, words, line: command,
		json: options.includes('--json'), noMore: options.includes('--no-more'),
	}
}

/** A command that only the table knows: KEY=VALUE words; numbers are such. */
export function readPairs(words: readonly string[]): Fields | Mistyped {
	const fields: Record<string, unknown> = {}
	for (const word of words) {
		const equals = word.indexOf('=')
		if (equals < 1) return new Mistyped(`expected KEY=VALUE, found '${word}'`)
		const value = word.slice(equals + 1)
		fields[word.slice(0, equals)] = /^-?\d{1,15}$/.test(value) ? Number(value) : value
	}
	return fields
}
