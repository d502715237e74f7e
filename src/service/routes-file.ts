// The routes file: one "EXTENSION TARGET" a line, # comments. Read twice: first only checked, so
// that a mistake in the last line changes nothing; then applied, so that only differences reach the
// kernel. In pieces, so that packets are forwarded meanwhile.

import { createReadStream } from 'node:fs'
import { fromHex } from '../base/hex.ts'
import type { Bytes } from '../base/bytes.ts'
import { KeyIndex } from '../gateway/key-index.ts'
import type { Tables } from '../gateway/tables.ts'
import { parseTarget, type Target } from '../gateway/target.ts'
import { EXTENSION_BYTES } from '../wire/packets.ts'
import { troubleOf, Usage } from '../platform/trouble.ts'

export interface Route {
	readonly extension: Bytes
	readonly target: Target
}

/** A route; undefined for an empty line; otherwise what is wrong, and in which column. */
export function parseRouteLine(text: string): Route | undefined | { message: string,
	column: number } {
	const hash = text.indexOf('#')
	const line = hash < 0 ? text : text.slice(0, hash)
	const match = /^(\s*)(\S+)(\s*)(.*?)\s*$/.exec(line)
	if (match === null) return undefined
	const [, before = '', first = '', gap = '', second = ''] = match
	const extension = fromHex(first, EXTENSION_BYTES)
	if (extension === undefined) {
		return { message: `'${first}': not 32 hexadecimal digits`, column: before.length + 1 }
	}
	const column = before.length + first.length + gap.length + 1
	const target = parseTarget(second)
	return typeof target === 'string' ? { message: target, column } : { extension, target }
}

export interface ReloadResult {
	readonly routes: number
	readonly added: number
	readonly changed: number
	readonly removed: number
}

/** Called now and then while a large file is applied. */
export type Pause = () => Promise<void>

/** Some four thousand lines between two pauses. */
const PIECE_BYTES = 1 << 18
const PIECE_ROUTES = 4096

/**
 * Makes the tables hold exactly `fixed` and what the file says. Throws Usage with file, line and
 * column at the first mistake, and then nothing has changed.
 */
export async function loadRoutes(
	tables: Tables, fixed: readonly Route[], file: string | undefined, pause: Pause,
): Promise<ReloadResult> {
	for (const { target } of fixed) {
		const wrong = tables.refuses(target)
		if (wrong !== undefined) throw new Usage(wrong)
	}
	if (file !== undefined) await checkFile(tables, file, fixed)
	const result = { added: 0, changed: 0, removed: 0 }
	const apply = ({ extension, target }: Route): string | undefined => {
		const old = tables.routes.find(extension, 0)
		if (old >= 0 && tables.routes.leadsTo(old, target)) return undefined
		result[old < 0 ? 'added' : 'changed']++
		return tables.setRoute(extension, target)
	}
	// Removals first: the others may need their room.
	result.removed = await removeMissing(tables, fixed, file, pause)
	for (const route of fixed) {
		const wrong = apply(route)
		if (wrong !== undefined) throw new Usage(wrong)
	}
	if (file !== undefined) {
		await eachRoute(file, (route, line) => {
			const wrong = apply(route)
			if (wrong !== undefined) throw new Usage(wrong, { file, line })
		}, pause)
	}
	return { routes: tables.routes.count, ...result }
}

async function removeMissing(
	tables: Tables, fixed: readonly Route[], file: string | undefined, pause: Pause,
): Promise<number> {
	const wanted = new Uint8Array(tables.routes.rows)
	const mark = ({ extension }: Route): void => {
		const row = tables.routes.find(extension, 0)
		if (row >= 0) wanted[row] = 1
	}
	if (wanted.length === 0) return 0
	fixed.forEach(mark)
	if (file !== undefined) await eachRoute(file, mark)
	const extension = new Uint8Array(EXTENSION_BYTES)
	let removed = 0
	for (let row = 0; row < wanted.length; row++) {
		if (wanted[row] === 1 || !tables.routes.isUsed(row)) continue
		tables.routes.extensionOf(row, extension, 0)
		tables.deleteRoute(extension)
		if (++removed % PIECE_ROUTES === 0) await pause()
	}
	return removed
}

/** Every line's form and target, no extension twice, and not too many of them. */
async function checkFile(tables: Tables, file: string, fixed: readonly Route[]): Promise<void> {
	const known = new KeyIndex(tables.routes.capacity, EXTENSION_BYTES, 0x6a09e667, 0xbb67ae85)
	for (const { extension } of fixed) known.insert(extension, 0)
	await eachRoute(file, ({ extension, target }, line) => {
		const wrong = tables.refuses(target)
		if (wrong !== undefined) throw new Usage(wrong, { file, line })
		if (known.find(extension, 0) >= 0) throw new Usage('this extension has a route already',
			{ file, line })
		if (known.insert(extension, 0) < 0) throw new Usage(`more than ${known.capacity} routes`,
			{ file, line })
	})
}

async function eachRoute(
	file: string, use: (route: Route, line: number) => void, pause?: Pause,
): Promise<void> {
	let rest = ''
	let line = 0
	const take = (text: string): void => {
		line++
		const route = parseRouteLine(text)
		if (route === undefined) return
		if ('message' in route) throw new Usage(route.message, { file, line, column: route.column })
		use(route, line)
	}
	try {
		for await (const piece of createReadStream(file,
			{ encoding: 'utf8', highWaterMark: PIECE_BYTES })) {
			const lines = (rest + String(piece)).split('\n')
			rest = lines.pop() ?? ''
			for (const text of lines) take(text)
			await pause?.()
		}
	} catch (error) {
		if (error instanceof Usage) throw error
		throw troubleOf('read', file, error)
	}
	if (rest !== '') take(rest)
}
