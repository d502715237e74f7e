// The pieces that the schemas of configurations and board profiles are built of, around valibot:
// what was expected, what was found, and which known key is near. It knows no file and no line.

import * as v from 'valibot'
import { nearest } from '../base/nearest.ts'
import { Wrong } from './wrong.ts'

export type Path = readonly (string | number)[]

/** One fault of a file, found before its place is known. */
export interface Complaint {
	readonly path: Path
	/** Characters from the start of the value's text; absent: the value, or the key, as a whole. */
	readonly at?: number
	readonly on: 'key' | 'value'
	/** {other} stands for the line of the other place. */
	readonly message: string
	readonly other?: Path
}

/** A text with a meaning. */
export function text<T>(expected: string, read: (text: string) => T | Wrong) {
	return v.pipe(
		v.string(({ input }) => mismatch(expected, input)),
		v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
			const value = read(dataset.value)
			if (!(value instanceof Wrong)) return value
			addIssue({ message: value.message, input: value })
			return NEVER
		}),
	)
}

export function choice<const T extends string>(values: readonly T[]) {
	const list = values.map((value) => `"${value}"`).join(', ')
	return text(`one of ${list}`, (given): T | Wrong => {
		const value = values.find((one) => one === given)
		if (value !== undefined) return value
		const near = nearest(given, values)
		const cure = near === undefined ? '' : `; did you mean "${near}"?`
		return new Wrong(`expected one of ${list}; found ${found(given)}${cure}`)
	})
}

export function whole(min: number, max: number) {
	const expected = `a whole number from ${min} to ${max}`
	return v.pipe(
		v.number(({ input }) => mismatch(expected, input)),
		v.check(
			(value) => Number.isInteger(value) && value >= min && value <= max,
			({ input }) => mismatch(expected, input),
		),
	)
}

export function fraction(min: number, max: number) {
	const expected = `a number from ${min} to ${max}`
	return v.pipe(
		v.number(({ input }) => mismatch(expected, input)),
		v.check((value) => value >= min && value <= max, ({ input }) => mismatch(expected, input)),
	)
}

export function flag() {
	return v.boolean(({ input }) => mismatch('true or false', input))
}

export function list<S extends v.GenericSchema>(item: S, expected: string) {
	return v.array(item, ({ input }) => mismatch(expected, input))
}

/** Tables of one kind of file: they know each other's keys. */
export class Tables {
	readonly #known = new Map<string, string[]>()

	/** title: as a file heads it, '[limits]'. missing: what required keys are for, by example. */
	table<E extends v.ObjectEntries>(
		title: string, entries: E, missing: Readonly<Record<string, string>> = {},
	) {
		for (const key of Object.keys(entries)) {
			this.#known.set(key, [...this.#known.get(key) ?? [], title])
		}
		return v.strictObject(entries, (issue) => {
			const key = issue.path?.at(-1)?.key
			if (issue.expected === 'Object') return mismatch(`a table, headed ${title}`, issue.input)
			if (issue.expected !== 'never') {
				return `${String(key)} is missing in ${title}: ${missing[String(key)] ?? 'it is required'}`
			}
			return this.#unknown(String(key), title, Object.keys(entries))
		})
	}

	#unknown(key: string, title: string, known: readonly string[]): string {
		const near = nearest(key.toLowerCase().replaceAll('_', '-'), known)
		if (near !== undefined) return `unknown key '${key}' in ${title}; did you mean '${near}'?`
		const others = this.#known.get(key)
		if (others !== undefined) return `'${key}' does not belong in ${title}, but in ${others[0]}`
		return `unknown key '${key}' in ${title}; known: ${known.join(', ')}`
	}
}

/** The value, or everything that is wrong with it. */
export function judge<S extends v.GenericSchema>(
	schema: S, value: unknown,
): { readonly value: v.InferOutput<S> } | { readonly complaints: readonly Complaint[] } {
	const result = v.safeParse(schema, value)
	if (result.success) return { value: result.output }
	return { complaints: withoutEchoes(result.issues.map(complaintOf)) }
}

function complaintOf(issue: v.BaseIssue<unknown>): Complaint {
	const path = issue.path?.map(({ key }) => typeof key === 'number' ? key : String(key)) ?? []
	if (issue.type === 'strict_object' && issue.expected !== 'Object') {
		return { path, on: 'key', message: issue.message }
	}
	const message = path.length === 0 ? issue.message : `${labelOf(path)}: ${issue.message}`
	if (!(issue.input instanceof Wrong)) return { path, on: 'value', message }
	return { path, on: 'value', message, at: issue.input.at }
}

/** A misspelt required key is one fault, not two. */
function withoutEchoes(complaints: readonly Complaint[]): Complaint[] {
	const unknown = complaints.filter(({ message }) => message.startsWith('unknown key'))
	return complaints.filter(({ path, message }) => {
		const key = String(path.at(-1))
		if (!message.startsWith(`${key} is missing`)) return true
		const table = JSON.stringify(path.slice(0, -1))
		return !unknown.some((one) => JSON.stringify(one.path.slice(0, -1)) === table
			&& one.message.endsWith(`did you mean '${key}'?`))
	})
}

/** The last key of a path, with what counts its items: clients[2]. */
export function labelOf(path: Path): string {
	const at = path.findLastIndex((part) => typeof part === 'string')
	return path.slice(Math.max(0, at))
		.map((part) => typeof part === 'number' ? `[${part + 1}]` : part).join('')
}

function mismatch(expected: string, input: unknown): string {
	return `expected ${expected}; found ${found(input)}`
}

const SHOWN_MAX = 40

export function found(value: unknown): string {
	if (typeof value === 'string') {
		const cut = value.length > SHOWN_MAX ? `${value.slice(0, SHOWN_MAX)}…` : value
		return value === '' ? 'an empty text' : JSON.stringify(cut)
	}
	if (typeof value === 'number' || typeof value === 'bigint') return `the number ${value}`
	if (typeof value === 'boolean') return String(value)
	if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
	return value instanceof Date ? 'a date' : 'a table'
}
