// Faults of a file that a person wrote, each with its place: shown with the line, all of them at
// once.

import { Usage } from '../platform/trouble.ts'
import type { Places } from './toml-places.ts'
import type { Complaint } from './toml-schema.ts'

export interface Fault {
	readonly file: string
	/** From 1; absent when the file as a whole is meant. */
	readonly line?: number
	readonly column?: number
	readonly message: string
	/** The line's text. */
	readonly source?: string
}

export class Refused extends Usage {
	readonly faults: readonly Fault[]

	constructor(faults: readonly Fault[]) {
		const sorted = [...faults].sort((a, b) => a.file.localeCompare(b.file)
			|| (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))
		const first = sorted[0]!
		const head = sorted.length === 1 ? [] : [`${sorted.length} errors in ${first.file}`]
		const { line, column } = first
		super([...head, ...sorted.map(faultText)].join('\n'), {
			file: first.file,
			...(line === undefined ? {} : { line }),
			...(column === undefined ? {} : { column }),
		})
		this.faults = sorted
	}
}

/** `FILE:LINE:COLUMN: message`, and below it the line with a mark. */
export function faultText({ file, line, column, message, source }: Fault): string {
	if (line === undefined) return `${file}: ${message}`
	const head = `${file}:${line}:${column ?? 1}: ${message}`
	if (source === undefined) return head
	const [shown, mark] = excerpt(source, column ?? 1)
	return `${head}\n${String(line).padStart(5)} | ${shown}\n${' '.repeat(8)}${' '.repeat(mark)}^`
}

const EXCERPT_MAX = 90
const EXCERPT_BEFORE = 40

/** Long lines are cut around the column; tabs take one place, so that the mark fits. */
function excerpt(source: string, column: number): [string, number] {
	const line = source.replaceAll('\t', ' ')
	const start = column > EXCERPT_MAX - 10 ? column - EXCERPT_BEFORE : 0
	const cut = start > 0 ? `…${line.slice(start + 1)}` : line
	const shown = cut.length > EXCERPT_MAX ? `${cut.slice(0, EXCERPT_MAX)}…` : cut
	return [shown, column - 1 - start]
}

export function lineOf(text: string, line: number): string {
	return text.split('\n')[line - 1]?.replace(/\r$/, '') ?? ''
}

/** Gives each complaint its place. Places are looked up only now: most files have no faults. */
export async function refuse(
	file: string, text: string, complaints: readonly Complaint[],
): Promise<Refused> {
	return new Refused(await faultsOf(file, text, complaints))
}

export async function faultsOf(
	file: string, text: string, complaints: readonly Complaint[],
): Promise<Fault[]> {
	const places = await placesOf(text)
	return complaints.map((complaint) => places === undefined
		? { file, message: complaint.message.replaceAll('{other}', 'another line') }
		: faultOf(file, text, places, complaint))
}

/** undefined: the two parsers disagree about this text; what is wrong is said without a place. */
async function placesOf(text: string): Promise<Places | undefined> {
	const { Places } = await import('./toml-places.ts')
	try {
		return new Places(text)
	} catch {
		return undefined
	}
}

function faultOf(file: string, text: string, places: Places, complaint: Complaint): Fault {
	const place = places.near(complaint.path)
	const other = complaint.other === undefined ? undefined : places.near(complaint.other)
	const message = complaint.message.replaceAll('{other}', `line ${other?.key.line ?? 1}`)
	if (place === undefined) return { file, line: 1, column: 1, message, source: lineOf(text, 1) }
	const exact = places.find(complaint.path) === place
	const span = complaint.on === 'value' && exact && !place.headed ? place.value : place.key
	const inside = complaint.on === 'value' && exact ? columnsInside(text, span, complaint.at) : 0
	return {
		file,
		line: span.line,
		column: span.column + inside,
		message,
		source: lineOf(text, span.line),
	}
}

/** A place within a text can be shown when the text stands as it is: no escapes, on one line. */
function columnsInside(
	text: string, span: { start: number, end: number }, at: number | undefined,
): number {
	if (at === undefined) return 0
	const written = text.slice(span.start, span.end)
	const plain = /^(["'])(?!\1\1)[^\\\n]*\1$/.test(written)
	return plain ? Math.min(at + 1, written.length - 1) : 0
}
