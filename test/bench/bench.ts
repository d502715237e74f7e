// What a benchmark is: contestants that do the same work in turn, in the same run.

import type { Owner } from '../support/processes.ts'

export interface Context extends Owner {
	readonly quick: boolean
}

/** One figure of each run. */
export interface Measure {
	readonly title: string
	readonly unit: string
}

export interface Contestant {
	readonly name: string
	/** Programs without which it is left out, with a word. */
	readonly needs: readonly string[]
	/** One run: a figure for each measure of the bench. */
	run(context: Context): Promise<readonly number[]>
}

/** Median of a contestant in a measure; NaN where there is none. */
export type Medians = (contestant: string, measure?: number) => number

export interface Goal {
	readonly text: string
	readonly unit: string
	readonly figure: (medians: Medians) => number
	readonly least?: number
	readonly most?: number
}

export interface Bench {
	readonly name: string
	readonly title: string
	readonly measures: readonly Measure[]
	/** Contestants to which all others are compared, in the first measure. */
	readonly bases: readonly string[]
	readonly goals?: readonly Goal[]
	readonly rounds: number
	/** What one round of all contestants takes, about, in its long and in its short form. */
	readonly seconds: readonly [number, number]
	readonly contestants: readonly Contestant[]
}

/** One bench's results, as they are kept in results.json. */
export interface Result {
	readonly bench: string
	/** Of the day, and what it was measured on. */
	readonly date: string
	readonly machine: string
	readonly quick: boolean
	/** By contestant, by measure: sorted. */
	readonly values: Readonly<Record<string, readonly (readonly number[])[]>>
	/** Why a contestant has fewer values than others, or none. */
	readonly leftOut: Readonly<Record<string, string>>
}

export function median(sorted: readonly number[]): number {
	if (sorted.length === 0) return Number.NaN
	const middle = sorted.length >> 1
	return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function mediansOf({ values }: Result): Medians {
	return (contestant, measure = 0) => median(values[contestant]?.[measure] ?? [])
}

/** Seconds that the work took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
	const start = performance.now()
	await work()
	return (performance.now() - start) / 1000
}

/** For benches with one measure. */
export function one(run: (context: Context) => Promise<number>): Contestant['run'] {
	return async (context) => [await run(context)]
}

/** Two or three digits, as tables and plots say it. */
export function figure(value: number): string {
	if (Math.abs(value) >= 100 || value === 0) return value.toFixed(0)
	return Math.abs(value) >= 10 ? value.toFixed(1) : value.toPrecision(2)
}
