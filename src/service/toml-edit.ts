// Changes values in a TOML text and leaves everything else as its owner wrote it: comments, order,
// blanks. Every result is read back and compared before anybody sees it.

import { isDeepStrictEqual } from 'node:util'
import { parse, type TomlTable, type TomlValue } from 'smol-toml'
import { assert } from '../base/assert.ts'
import { isTable } from './toml-file.ts'
import { Places, type Place } from './toml-places.ts'
import type { Path } from './toml-schema.ts'

export interface Edit {
	readonly path: Path
	/** A table makes a new table, or a new item of tables; undefined removes what is there. */
	readonly value: TomlValue | undefined
}

export function editToml(text: string, edits: readonly Edit[]): string {
	const newline = text.includes('\r\n') ? '\r\n' : '\n'
	let edited = text.replaceAll('\r\n', '\n')
	if (edited !== '' && !edited.endsWith('\n')) edited += '\n'
	for (const edit of edits) {
		const wanted = applied(parse(edited), edit)
		edited = editOne(edited, edit)
		// A clone, since the reader's tables have a prototype of their own.
		const now = structuredClone(parse(edited))
		assert(isDeepStrictEqual(now, wanted), `only ${edit.path.join('.')} was changed`)
	}
	return newline === '\n' ? edited : edited.replaceAll('\n', newline)
}

function editOne(text: string, { path, value }: Edit): string {
	const places = new Places(text)
	const place = places.find(path)
	if (value === undefined) return place === undefined ? text : removed(places, path, place)
	if (isTable(value)) {
		assert(place === undefined, 'an existing table is changed key by key')
		return withTable(places, path, value)
	}
	if (place === undefined) return withKey(places, path, value)
	assert(!place.headed, 'a table is not replaced by a value')
	return splice(text, place.value.start, place.value.end, valueText(value))
}

function splice(text: string, start: number, end: number, by: string): string {
	return text.slice(0, start) + by + text.slice(end)
}

/** Behind the line in which `at` stands, with its comment. */
function lineEnd(text: string, at: number): number {
	const end = text.indexOf('\n', at)
	return end < 0 ? text.length : end + 1
}

function lineStart(text: string, at: number): number {
	return text.lastIndexOf('\n', at - 1) + 1
}

function within(path: Path, outer: Path): boolean {
	return outer.every((part, i) => path[i] === part)
}

function removed(places: Places, path: Path, place: Place): string {
	const { text } = places
	if (!place.headed) {
		const start = lineStart(text, place.whole.start)
		const inline = text.slice(start, place.whole.start).trim() !== ''
		assert(!inline, 'what stands inside a value is changed with the value')
		return splice(text, start, lineEnd(text, place.whole.end), '')
	}
	const last = lastWithin(places, path)
	return splice(text, lineStart(text, place.whole.start), lineEnd(text, last), '')
}

/** Where the last key or header of a table and of all below it ends. */
function lastWithin(places: Places, path: Path): number {
	return Math.max(...places.entries()
		.filter(([other, { headed }]) => headed && within(other, path))
		.map(([, { whole }]) => whole.end))
}

function withKey(places: Places, path: Path, value: TomlValue): string {
	const { text } = places
	const table = path.slice(0, -1)
	const line = `${keyText(path.at(-1)!)} = ${valueText(value)}\n`
	if (table.length === 0) {
		const at = topEnd(places)
		return splice(text, at, at, line)
	}
	const place = places.find(table)
	if (place === undefined) return appended(text, `[${headerText(table)}]\n${line}`)
	if (place.headed) {
		const at = lineEnd(text, Math.max(place.key.end, place.whole.end))
		return splice(text, at, at, line)
	}
	// An inline table, or one that exists only through dotted keys.
	const inline = text[place.value.start] === '{' && !text.slice(place.key.end).startsWith('.')
	if (inline) {
		const before = text.slice(0, place.value.end - 1).trimEnd()
		const comma = before.endsWith('{') ? ' ' : ', '
		return `${before}${comma}${line.trimEnd()} ${text.slice(place.value.end - 1)}`
	}
	const head = text.slice(place.whole.start, place.key.end)
	const at = lineEnd(text, place.whole.end)
	return splice(text, at, at, `${head}.${line}`)
}

/** Behind the last key before the first header. */
function topEnd(places: Places): number {
	const all = places.entries().map(([, place]) => place)
	const first = Math.min(...all.filter(({ headed }) => headed).map(({ whole }) => whole.start))
	const ends = all.filter(({ whole }) => whole.end <= first).map(({ whole }) => whole.end)
	return ends.length === 0 ? 0 : lineEnd(places.text, Math.max(...ends))
}

function withTable(places: Places, path: Path, value: TomlTable): string {
	const block = tableText(path, value)
	const isItem = typeof path.at(-1) === 'number'
	const owner = path.slice(0, isItem ? -2 : -1)
	// Items of an item stand behind it, before the next one.
	const nested = owner.some((part) => typeof part === 'number')
	if (!nested) return appended(places.text, block)
	const at = lineEnd(places.text, lastWithin(places, owner))
	return splice(places.text, at, at, `\n${block}`)
}

function appended(text: string, block: string): string {
	return text === '' ? block : `${text}\n${block}`
}

function tableText(path: Path, table: TomlTable): string {
	const header = headerText(path)
	const isItem = typeof path.at(-1) === 'number'
	const lines = [isItem ? `[[${header}]]` : `[${header}]`]
	const below: string[] = []
	for (const [key, value] of Object.entries(table)) {
		if (isTable(value)) below.push(tableText([...path, key], value))
		else if (Array.isArray(value) && value.length > 0 && value.every((one) => isTable(one))) {
			value.forEach((one, i) => below.push(tableText([...path, key, i], one)))
		} else lines.push(`${keyText(key)} = ${valueText(value)}`)
	}
	return [`${lines.join('\n')}\n`, ...below].join('\n')
}

function headerText(path: Path): string {
	return path.filter((part) => typeof part === 'string').map(keyText).join('.')
}

function keyText(key: string | number): string {
	const text = String(key)
	return /^[\w-]+$/.test(text) ? text : quoted(text)
}

function valueText(value: TomlValue): string {
	if (typeof value === 'string') return quoted(value)
	if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`
	if (isTable(value)) {
		const pairs = Object.entries(value).map(([key, one]) => `${keyText(key)} = ${valueText(one)}`)
		return `{ ${pairs.join(', ')} }`
	}
	return value instanceof Date ? value.toISOString() : String(value)
}

/** JSON's escapes are TOML's; DEL alone must be added. */
function quoted(text: string): string {
	return JSON.stringify(text).replaceAll('\x7f', '\\u007f')
}

/** As the edit wants the values. A list whose last item goes, goes too: [[…]] cannot be empty. */
function applied(table: TomlTable, { path, value }: Edit): TomlTable {
	const copy: TomlTable = structuredClone(table)
	change(copy, path, value)
	return structuredClone(copy)
}

function change(holder: TomlTable | TomlValue[], path: Path, value: TomlValue | undefined): void {
	const [part, next] = path
	const held = Array.isArray(holder) ? holder[Number(part)] : holder[String(part)]
	if (path.length === 1) {
		if (Array.isArray(holder) && value === undefined) holder.splice(Number(part), 1)
		else if (Array.isArray(holder)) holder[Number(part)] = value!
		else if (value === undefined) delete holder[String(part)]
		else holder[String(part)] = value
		return
	}
	const inner = isTable(held) || Array.isArray(held) ? held : typeof next === 'number' ? [] : {}
	change(inner, path.slice(1), value)
	if (Array.isArray(holder)) holder[Number(part)] = inner
	else if (Array.isArray(inner) && inner.length === 0 && typeof next === 'number') {
		delete holder[String(part)]
	} else holder[String(part)] = inner
}
