// Durations and sizes as people write them: "90s", "8h", "48M". Text in, number out, and back.

import { MILLISECOND, NEVER, SECOND, type Nanos } from '../base/time.ts'
import { Wrong } from './wrong.ts'

/** The largest unit first, for writing. */
const UNITS: readonly (readonly [unit: string, nanos: Nanos])[] = [
	['d', 86_400 * SECOND], ['h', 3600 * SECOND], ['m', 60 * SECOND], ['s', SECOND],
	['ms', MILLISECOND],
]
/** Beyond this nanoseconds would no longer be whole numbers. */
const DAYS_MAX = 100

const SIZES: readonly (readonly [unit: string, bytes: number])[] = [
	['G', 2 ** 30], ['M', 2 ** 20], ['K', 2 ** 10],
]

const DURATION = 'a number and its unit, as "500ms", "60s", "5m", "8h" or "1d"'

export interface DurationRule {
	/** Whether "never" is an answer. */
	readonly never: boolean
	/** Whether "0s" is. */
	readonly zero: boolean
}

export function readDuration(text: string, rule: DurationRule): Nanos | Wrong {
	if (text === 'never') {
		return rule.never ? NEVER : new Wrong(`expected ${DURATION}; "never" has no meaning here`)
	}
	const [, digits, unit] = /^(\d{1,10}(?:\.\d{1,9})?)(ms|s|m|h|d)$/.exec(text) ?? []
	const nanos = UNITS.find(([name]) => name === unit)?.[1]
	if (digits === undefined || nanos === undefined) {
		const cure = /^\d+$/.test(text) ? `: "${text}s" if seconds are meant` : ''
		const never = rule.never ? ', or "never"' : ''
		return new Wrong(`expected ${DURATION}${never}; found "${text}"${cure}`)
	}
	const value = Math.round(Number(digits) * nanos)
	if (value > DAYS_MAX * 86_400 * SECOND) {
		return new Wrong(`at most ${DAYS_MAX} days${rule.never ? ', or "never"' : ''}; found "${text}"`)
	}
	if (value === 0 && !rule.zero) return new Wrong(`expected more than nothing; found "${text}"`)
	return value
}

/** The shortest form that reads back as the same. */
export function formatDuration(nanos: Nanos): string {
	if (nanos === NEVER) return 'never'
	for (const [unit, size] of UNITS) {
		if (nanos >= size && nanos % size === 0) return `${nanos / size}${unit}`
	}
	return nanos === 0 ? '0s' : `${nanos / MILLISECOND}ms`
}

export function readSize(text: string): number | Wrong {
	const [, digits, unit] = /^(\d{1,9}(?:\.\d{1,3})?)([KMG])(?:i?B)?$/.exec(text) ?? []
	const size = SIZES.find(([name]) => name === unit)?.[1]
	if (digits === undefined || size === undefined) {
		const cure = /^\d+$/.test(text) ? `: "${text}M" if MiB are meant` : ''
		return new Wrong(`expected a number and K, M or G, as "48M"; found "${text}"${cure}`)
	}
	const value = Math.floor(Number(digits) * size)
	return value > 0 ? value : new Wrong(`expected more than nothing; found "${text}"`)
}

/** Rounded up to a tenth of its unit: for people. */
export function formatSize(bytes: number): string {
	const [unit, size] = SIZES.find(([, one]) => bytes >= one) ?? ['K', 2 ** 10]
	return `${Math.ceil((bytes * 10) / size) / 10}${unit}`
}
