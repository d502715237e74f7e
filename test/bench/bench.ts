// What a benchmark is: contestants that do the same work in turn, in the same run.

import type { Owner } from '../support/processes.ts'

export interface Context extends Owner {
	readonly quick: boolean
}

export interface Contestant {
	readonly name: string
	/** Programs without which it is left out, with a word. */
	readonly needs: readonly string[]
	/** One measurement, in the bench's unit. */
	run(context: Context): Promise<number>
}

export interface Bench {
	readonly name: string
	readonly title: string
	readonly unit: string
	/** The contestant to which all others are compared. */
	readonly base: string
	readonly rounds: number
	readonly contestants: readonly Contestant[]
}

export interface Result {
	readonly bench: Bench
	/** Sorted measurements by contestant; absent: left out. */
	readonly values: ReadonlyMap<string, readonly number[]>
	readonly leftOut: ReadonlyMap<string, string>
}

export function median(sorted: readonly number[]): number {
	const middle = sorted.length >> 1
	return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Seconds that the work took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
	const start = performance.now()
	await work()
	return (performance.now() - start) / 1000
}
