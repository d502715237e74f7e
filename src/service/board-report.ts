// What a board comes to, for people and for programs: every value with the file and line that said
// it and the comment that stands there as its reason, and the memory that follows.

import type { TomlTable, TomlValue } from 'smol-toml'
import { ramOf, type Board, type Machine } from './board.ts'
import { isShortage, ONE_SERVER, planOf, sumOf, type Plan } from './plan.ts'
import { formatSize } from './quantities.ts'
import { inColumns } from './table-text.ts'
import { isTable, type TomlFile } from './toml-file.ts'
import type { Path } from './toml-schema.ts'

export interface Explained {
	/** limits.memory */
	readonly key: string
	/** As a file would say it. */
	readonly value: string
	readonly file: string
	readonly line: number
	/** The comment beside it, or above. */
	readonly reason: string
}

/** What is told otherwise, or concerns the files alone. */
const UNEXPLAINED = ['schema', 'inherits', 'abstract', 'title', 'status', 'tested']

export async function explain({ files, origins }: Board): Promise<Explained[]> {
	const { Places } = await import('./toml-places.ts')
	const places = new Map(files.map((file) => [file, new Places(file.text)]))
	const explained: Explained[] = []
	for (const [name, file] of origins) {
		const path: Path = JSON.parse(name)
		const value = valueAt(file, path)
		if (value === undefined || isTable(value)) continue
		if (UNEXPLAINED.includes(String(path[0]))) continue
		explained.push({
			key: path.join('.'),
			value: valueText(value),
			file: file.file,
			line: places.get(file)?.find(path)?.key.line ?? 1,
			reason: places.get(file)?.comment(path) ?? '',
		})
	}
	return explained
}

function valueAt(file: TomlFile, path: Path): TomlValue | undefined {
	let value: TomlValue | undefined = file.value
	for (const key of path) {
		const table: TomlTable | undefined = isTable(value) ? value : undefined
		value = table?.[String(key)]
	}
	return value
}

function valueText(value: TomlValue): string {
	return Array.isArray(value) ? `[${value.map(valueText).join(', ')}]` : JSON.stringify(value)
}

export async function boardText(board: Board, machine: Machine): Promise<string> {
	const { name, profile, files } = board
	const { status, tested, title } = profile
	const parents = files.slice(1).map(({ file }) => nameOf(file))
	return [
		`${name}: ${title}`,
		`${status.level}: ${status.reason}`,
		...(tested ?? []).map(({ what, where }) => `tested: ${what} (${where})`),
		...tested === undefined ? ['tested: nothing'] : [],
		`from ${[files[0]!.file, ...parents].join(', which inherits ')}`,
		'',
		...valuesText(await explain(board)),
		...memoryText(board, machine),
	].join('\n')
}

function nameOf(file: string): string {
	return file.slice(file.lastIndexOf('/') + 1)
}

function valuesText(explained: readonly Explained[]): string[] {
	const tables = [...new Set(explained.map(({ key }) => key.split('.')[0]!))]
	return tables.flatMap((table) => {
		const rows = explained.filter(({ key }) => key.startsWith(`${table}.`))
		return [
			`[${table}]`,
			...inColumns(rows.map(({ key, value, file, line, reason }) => [
				`${key.slice(table.length + 1)} = ${shorten(value)}`, `${nameOf(file)}:${line}`, reason,
			]), '  '),
			'',
		]
	})
}

const VALUE_MAX = 44

function shorten(value: string): string {
	return value.length > VALUE_MAX ? `${value.slice(0, VALUE_MAX - 1)}…` : value
}

function memoryText(board: Board, machine: Machine): string[] {
	const plan = planOf(board.limits, ONE_SERVER)
	if (isShortage(plan)) return ['memory: the limits do not fit into limits.memory']
	return [
		'memory of one server with these limits:',
		...planText(plan),
		shareText(board, plan, machine),
	]
}

/** The budget as a sum. */
export function planText(plan: Plan): string[] {
	const row = ({ count, bytes, what }: Plan['terms'][number]): string[] =>
		[formatSize(count * bytes), `${count} × ${bytes}`, what]
	const rows = [
		...plan.terms.map(row),
		[formatSize(plan.totalBytes), '', 'the budget: allocated at start, or at most reached'],
		...plan.outside.map(row),
		[formatSize(plan.totalBytes + sumOf(plan.outside)), '', 'at most, with what is not ours'],
	]
	const width = Math.max(...rows.map(([size]) => size!.length))
	return inColumns(rows.map(([size, ...rest]) => [size!.padStart(width), ...rest]), '  ')
}

export function planJson({ totalBytes, outsideBytes, terms, outside }: Plan): object {
	return { budgetBytes: totalBytes, outsideBytes, terms, outside }
}

function shareText(board: Board, plan: Plan, machine: Machine): string {
	const share = board.profile.limits['ram-share']
	const ram = ramOf(board, machine)
	const need = plan.totalBytes + plan.outsideBytes
	const verdict = need <= share * ram ? 'fits' : 'does not fit'
	const room = formatSize(Math.floor(share * ram))
	return `  ${verdict} into ${room}: ${share} of ${formatSize(ram)}`
}

export async function boardJson(board: Board, machine: Machine): Promise<object> {
	const { name, profile, files } = board
	const plan = planOf(board.limits, ONE_SERVER)
	return {
		...summary(board),
		tested: profile.tested ?? [],
		files: files.map(({ file }) => file),
		values: await explain(board),
		memory: isShortage(plan) ? { name, ...plan } : {
			...planJson(plan),
			ramBytes: ramOf(board, machine),
			ramShare: profile.limits['ram-share'],
		},
	}
}

export function summary({ name, profile }: Board): object {
	const { ram } = profile.hardware
	return {
		name,
		title: profile.title,
		status: profile.status.level,
		reason: profile.status.reason,
		ramBytes: ram === 'machine' ? undefined : ram,
		hasImage: profile.image !== undefined,
	}
}
