// `make bench`: ours and each peer in turn, in one run. Arguments: names of benches, --quick.

import { mkdirSync, writeFileSync } from 'node:fs'
import { whatIsMissing } from '../support/programs.ts'
import { backup } from './backup.ts'
import { median, type Bench, type Context, type Contestant, type Result } from './bench.ts'
import { handshakes, startUp, virtualNames } from './connections.ts'
import { figure, markdown, svg } from './report.ts'
import { cpu, throughput } from './throughput.ts'

const FOLDER = 'test/bench/results'
const BENCHES: readonly Bench[] = [
	throughput, cpu, ...handshakes, virtualNames, ...startUp, ...backup,
]

const quick = process.argv.includes('--quick')
const names = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const chosen = BENCHES.filter(({ name }) => names.length === 0 || names.includes(name))
if (chosen.length === 0) {
	console.error(`no such bench; there are ${BENCHES.map(({ name }) => name).join(', ')}`)
	process.exit(100)
}

const results: Result[] = []
for (const bench of chosen) results.push(await measure(bench))
mkdirSync(FOLDER, { recursive: true })
const text = markdown(results, quick)
writeFileSync(`${FOLDER}/results.md`, text)
for (const result of results) writeFileSync(`${FOLDER}/${result.bench.name}.svg`, svg(result))
console.log(`\n${text}`)
process.exit(0)

async function measure(bench: Bench): Promise<Result> {
	console.log(`${bench.title} (${bench.unit})`)
	const values = new Map<string, number[]>()
	const leftOut = new Map<string, string>()
	const present = bench.contestants.filter(({ name, needs }) => {
		const missing = needs.map(whatIsMissing).filter((thing) => thing !== undefined)
		if (missing.length > 0) leftOut.set(name, `needs ${missing.join(', ')}`)
		return missing.length === 0
	})
	for (let round = 0; round < (quick ? 1 : bench.rounds); round++) {
		for (const contestant of present) {
			const value = await once(contestant)
			const all = [...values.get(contestant.name) ?? [], value].sort((a, b) => a - b)
			values.set(contestant.name, all)
			console.log(`  ${contestant.name}: ${figure(value)} (median ${figure(median(all))})`)
		}
	}
	return { bench, values, leftOut }
}

/**
 * One measurement with all that it started ended behind it, also when it fails or is interrupted.
 */
async function once(contestant: Contestant): Promise<number> {
	const cleanings: (() => void | Promise<void>)[] = []
	const clean = async (): Promise<void> => {
		for (const one of cleanings.reverse()) await one()
		cleanings.length = 0
	}
	const interrupted = (): void => void clean().then(() => process.exit(111))
	process.once('SIGINT', interrupted)
	const context: Context = { quick, teardown: (one) => void cleanings.push(one) }
	try {
		return await contestant.run(context)
	} finally {
		await clean()
		process.removeListener('SIGINT', interrupted)
	}
}
