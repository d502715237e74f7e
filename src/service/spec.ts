// What a server does for a name, as users write it: product.md, section 4. Text in, a value out;
// whether the program or socket exists is looked at later.

import { splitWords, type Fault } from './words.ts'

export type ServiceSpec =
	| { readonly kind: 'tcp', readonly host: string, readonly port: number }
	| { readonly kind: 'unix', readonly path: string }
	| ProgramSpec
	| { readonly kind: 'echo' | 'discard' | 'welcome' }
	/** The management console; only a configuration may have it, with clients. */
	| { readonly kind: 'console' }

export interface ProgramSpec {
	readonly kind: 'exec' | 'handler'
	readonly words: readonly string[]
	/**
	 * Started as NaCl's tools start a handler: with our own environment, standard descriptors and
	 * these further ones, and left to end by itself.
	 */
	readonly inherited?: readonly number[]
}

/** The longest path that a Unix socket can have. */
const UNIX_PATH_MAX = 107

const FORMS = [
	'tcp:HOST:PORT', 'unix:PATH', 'exec:COMMAND', 'handler:COMMAND', 'echo', 'discard', 'welcome',
]

/** A list of words is a command that is split already: ['exec', 'prog', …] or ['exec:prog', …]. */
export function readService(source: string | readonly string[]): ServiceSpec | Fault {
	return typeof source === 'string' ? readText(source) : readWords(source)
}

/** The same as users write it, for logs and pages. */
export function serviceText(spec: ServiceSpec): string {
	switch (spec.kind) {
		case 'tcp': return `tcp:${spec.host.includes(':') ? `[${spec.host}]` : spec.host}:${spec.port}`
		case 'unix': return `unix:${spec.path}`
		case 'exec':
		case 'handler': return `${spec.kind}:${spec.words.join(' ')}`
		case 'echo':
		case 'discard':
		case 'welcome':
		case 'console': return spec.kind
	}
}

export function isFault(value: ServiceSpec | Fault): value is Fault {
	return 'message' in value
}

function readText(text: string): ServiceSpec | Fault {
	const colon = text.indexOf(':')
	const kind = colon < 0 ? text : text.slice(0, colon)
	const rest = colon < 0 ? undefined : text.slice(colon + 1)
	const at = colon + 2
	switch (kind) {
		case 'tcp': return readTcp(rest ?? '', at)
		case 'unix': return readUnix(rest ?? '', at)
		case 'exec':
		case 'handler': return readCommand(kind, rest ?? '', at)
		case 'echo':
		case 'discard':
		case 'welcome':
			if (rest === undefined) return { kind }
			return { at: at - 1, message: `'${kind}' stands alone, found '${text.slice(colon)}'` }
		case 'console': return { at: 1, message: 'the console manages this machine: it stands in a '
			+ 'configuration, with the clients that may' }
		default: return { at: 1, message: `expected ${FORMS.join(', ')}; found '${text}'` }
	}
}

function readWords(words: readonly string[]): ServiceSpec | Fault {
	const [first = '', ...rest] = words
	const [, kind, program] = /^(exec|handler)(?::(.*))?$/s.exec(first) ?? []
	if (kind !== 'exec' && kind !== 'handler') {
		return { at: 1, message: `a list of words starts with 'exec' or 'handler', found '${first}'` }
	}
	return checkWords(kind, program === undefined || program === '' ? rest : [program, ...rest], 1)
}

function readCommand(kind: 'exec' | 'handler', text: string, at: number): ServiceSpec | Fault {
	const words = splitWords(text)
	if ('message' in words) return { at: at + words.at - 1, message: words.message }
	return checkWords(kind, words, at)
}

function checkWords(
	kind: 'exec' | 'handler', words: readonly string[], at: number,
): ServiceSpec | Fault {
	if (words[0] === undefined || words[0] === '') {
		return { at, message: `'${kind}:' needs a command: ${kind}:/path/to/program arguments` }
	}
	if (words.some((word) => word.includes('\0'))) return { at, message: 'a word with a NUL byte' }
	return { kind, words }
}

function readTcp(text: string, at: number): ServiceSpec | Fault {
	const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(.*)$/s.exec(text) ?? []
	const host = bracketed ?? plain
	if (host === undefined || digits === undefined) {
		return { at, message: 'expected tcp:HOST:PORT, as in tcp:127.0.0.1:22' }
	}
	if (!/^[\w.:%-]+$/.test(host)) return { at, message: `'${host}' is no name and no address` }
	const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0
	if (port >= 1 && port <= 65_535) return { kind: 'tcp', host, port }
	const where = at + text.length - digits.length
	return { at: where, message: `'${digits}' is no port: a number from 1 to 65535` }
}

function readUnix(path: string, at: number): ServiceSpec | Fault {
	if (path === '') return { at, message: 'expected unix:PATH, as in unix:/run/app.sock' }
	const fits = Buffer.byteLength(path) <= UNIX_PATH_MAX && !path.includes('\0')
	if (fits) return { kind: 'unix', path }
	return { at, message: `a socket's path has at most ${UNIX_PATH_MAX} bytes, and no NUL` }
}
