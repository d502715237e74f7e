// Reads a TOML file that a person wrote: bytes, text, values. A file that is no TOML is refused
// with the place and a cure; what its values mean is for others.

import { readFileSync, statSync } from 'node:fs'
import { parse, TomlError, type TomlTable, type TomlValue } from 'smol-toml'
import { Trouble, troubleOf } from '../platform/trouble.ts'
import { lineOf, Refused } from './refused.ts'

export interface TomlFile {
	readonly file: string
	readonly text: string
	readonly value: TomlTable
}

/** Enough for 65,536 names; a million routes have a file of their own. */
const BYTES_MAX = 16 * 2 ** 20

/** Throws Trouble when it cannot be read, Refused when it is no TOML. */
export function readTomlFile(file: string, what: string): TomlFile {
	const text = readText(file, what)
	return { file, text, value: parseToml(file, text) }
}

function readText(file: string, what: string): string {
	let bytes: Uint8Array
	try {
		const seen = statSync(file)
		if (!seen.isFile()) throw new Trouble(`read ${what}`, file, 'is not a file')
		if (seen.size > BYTES_MAX) {
			throw new Trouble(`read ${what}`, file, `larger than ${BYTES_MAX} bytes: many routes belong `
				+ 'into a file of their own, [gateway] routes = "FILE"')
		}
		bytes = readFileSync(file)
	} catch (error) {
		throw troubleOf(`read ${what}`, file, error)
	}
	const text = new TextDecoder().decode(bytes)
	try {
		new TextDecoder('utf-8', { fatal: true }).decode(bytes)
		return text
	} catch {
		const message = 'expected UTF-8 text; this is another encoding'
		throw refusedAt(file, text, text.indexOf('\uFFFD'), message)
	}
}

export function parseToml(file: string, text: string): TomlTable {
	try {
		return parse(text)
	} catch (error) {
		if (!(error instanceof TomlError)) throw error
		const { line, column } = error
		const source = lineOf(text, line)
		throw new Refused([{ file, line, column, source, message: cureOf(error, source) }])
	}
}

function refusedAt(file: string, text: string, at: number, message: string): Refused {
	const before = text.slice(0, Math.max(0, at)).split('\n')
	const line = before.length
	const column = before.at(-1)!.length + 1
	return new Refused([{ file, line, column, source: lineOf(text, line), message }])
}

const QUOTES = 'text stands in quotes, only numbers, true and false stand alone'

/** What smol-toml says, and what helps. */
const CURES: readonly (readonly [says: string, cure: string])[] = [
	['invalid value', `expected a value: ${QUOTES}`],
	['illegal character in numeric literal', `not a number: ${QUOTES}, as "48M" or "192.0.2.1"`],
	['illegal leading zero', `a number has no leading zeros: ${QUOTES}`],
	['redefine', 'this key or table stands above already: remove one of the two; tables that may be '
		+ 'repeated have double brackets, [[server]]'],
	['incomplete key-value', 'expected KEY = VALUE, or a table as [limits]'],
	['unexpected end of key', 'expected a key before the equals sign'],
	['illegal character in key', 'expected KEY = VALUE; a key has letters, digits and dashes'],
	['unfinished string', 'this text has no closing quote'],
	['unfinished table', 'this table has no closing bracket'],
	['expected end of table', 'a repeated table is closed by double brackets, as [[server]]'],
	['expected comma or end', 'expected a comma, or the bracket that closes the list'],
	['must be followed by an end-of-line', 'expected the end of the line: one KEY = VALUE a line'],
	['control characters', 'a text ends on its own line, with the quote that it began with'],
	['escape', 'a backslash has a meaning in "…": write two, or use single quotes'],
	['invalid date', `not a date: ${QUOTES}`],
]

function cureOf(error: TomlError, source: string): string {
	const says = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '')
	const cure = CURES.find(([words]) => says.includes(words))?.[1]
	const doubled = source[error.column - 1] === '=' && says === 'invalid value'
	if (doubled) return 'one equals sign is enough'
	return cure ?? `not TOML: ${says}`
}

export function isTable(value: TomlValue | undefined): value is TomlTable {
	return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date)
}
