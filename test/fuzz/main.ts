// Random input for every receiver, from a printed seed: main.js [SECONDS] [SEED] [TARGET-PREFIX].
// Ends with 1 at the first input that breaks a target, and says how to see it again.

import { performance } from 'node:perf_hooks'
import { describe, Run } from './run.ts'
import { TARGETS } from './targets.ts'

const SECONDS = 20
/** Inputs of one target before the next has its turn. */
const TURN = 500

function main(args: readonly string[]): number {
	const seconds = Number(args[0] ?? SECONDS)
	const seed = Number(args[1] ?? Date.now() % 2 ** 32)
	const prefix = args[2] ?? ''
	const targets = TARGETS.filter(({ name }) => name.startsWith(prefix))
	if (!(seconds > 0) || !Number.isSafeInteger(seed) || seed < 0 || targets.length === 0) {
		console.error('usage: main.js [SECONDS] [SEED] [TARGET-PREFIX]')
		console.error(`targets: ${TARGETS.map(({ name }) => name).join(' ')}`)
		return 100
	}
	console.log(`seed ${seed}, ${seconds} s`)
	const runs = targets.map((target) => new Run(target, seed))
	const end = performance.now() + 1000 * seconds
	try {
		do {
			for (const run of runs) run.go(TURN)
		} while (performance.now() < end)
	} catch (error) {
		console.error(error instanceof Error ? error.message : error)
		return 1
	}
	for (const { target, inputs, outcomes } of runs) {
		console.log(`${target.name}: ${inputs} inputs: ${describe(outcomes)}`)
	}
	return 0
}

process.exitCode = main(process.argv.slice(2))
