// `make bench`: ours and each peer in turn, in one run. ARGS: names of benches, --quick. A full run
// writes test/bench/results; a short or partial one build/bench, beside what is there. One that
// fails is said and left out, and the rest goes on.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { whatIsMissing } from '../support/programs.ts'
import { backup } from './backup.ts'
import { figure, median, type Bench, type Context, type Contestant, type Result } from './bench.ts'
import { gateway } from './gateway.ts'
import { handshakes, startUp, virtualNames } from './connections.ts'
import { crowds } from './crowds.ts'
import { floods } from './flood.ts'
import { plots } from './plot.ts'
import { Progress } from './progress.ts'
import { rates } from './rates.ts'
import { fitting, machine, markdown } from './report.ts'
import { stages } from './stages.ts'
import { processor, throughput } from './throughput.ts'

const BENCHES: readonly Bench[] = [
	throughput, stages, processor, ...rates, ...handshakes, virtualNames, ...startUp, ...crowds,
	floods, ...backup, gateway,
]
/** A contestant that takes longer hangs. */
const PATIENCE_MILLIS = 240_000

const quick = process.argv.includes('--quick')
const names = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const chosen = BENCHES.filter(({ name }) => names.length === 0 || names.includes(name))
const unknown = names.find((name) => !BENCHES.some((bench) => bench.name === name))
if (unknown !== undefined) {
	const known = BENCHES.map(({ name }) => name).join(', ')
	console.error(`bench: no bench is called ${unknown}; there are ${known}`)
	process.exit(100)
}
const whole = names.length === 0 && !quick
const folder = whole ? 'test/bench/results' : 'build/bench'
const progress = new Progress(chosen, quick)

for (const bench of chosen) keep(await measure(bench))
console.log(readFileSync(`${folder}/results.md`, 'utf8'))
console.log(`${folder}/results.md, beside its plots`)
process.exit(0)

async function measure(bench: Bench): Promise<Result> {
	console.log(`\n${bench.title}`)
	const values: Record<string, number[][]> = {}
	const leftOut: Record<string, string> = {}
	const present = bench.contestants.filter(({ name, needs }) => {
		const missing = needs.map(whatIsMissing).filter((thing) => thing !== undefined)
		if (missing.length > 0) leftOut[name] = `needs ${missing.join(', ')}`
		return missing.length === 0
	})
	for (const [name, why] of Object.entries(leftOut)) console.log(`  left out: ${name}, ${why}`)
	for (let round = 0; round < (quick ? 1 : bench.rounds); round++) {
		for (const contestant of present) {
			const { name } = contestant
			if (leftOut[name] !== undefined) continue
			process.stdout.write(`  ${progress.text()}  ${name}: `)
			const figures = await once(contestant)
			progress.done(bench)
			if (typeof figures === 'string') {
				leftOut[name] = figures
				console.log(`failed, ${figures}`)
				continue
			}
			values[name] = bench.measures.map((_, i) =>
				[...values[name]?.[i] ?? [], figures[i]!].sort((a, b) => a - b))
			console.log(bench.measures.map(({ unit }, i) =>
				`${figure(figures[i]!)} ${unit}, median ${figure(median(values[name]![i]!))}`).join('; '))
		}
	}
	const date = new Date().toISOString().slice(0, 10)
	return { bench: bench.name, date, machine: machine(), quick, values, leftOut }
}

/** Its figures, or why there are none; all that it started has ended behind it. */
async function once(contestant: Contestant): Promise<readonly number[] | string> {
	const cleanings: (() => void | Promise<void>)[] = []
	const clean = async (): Promise<void> => {
		for (const one of cleanings.splice(0).reverse()) await one()
	}
	const interrupted = (): void => void clean().then(() => process.exit(111))
	process.once('SIGINT', interrupted)
	const context: Context = { quick, teardown: (one) => void cleanings.push(one) }
	let over: NodeJS.Timeout | undefined
	try {
		return await Promise.race([contestant.run(context), new Promise<never>((_, reject) => {
			const late = new Error(`took longer than ${PATIENCE_MILLIS / 1000} s`)
			over = setTimeout(() => reject(late), PATIENCE_MILLIS)
		})])
	} catch (error) {
		return reasonOf(error)
	} finally {
		clearTimeout(over)
		await clean()
		process.removeListener('SIGINT', interrupted)
	}
}

/** What it says, on one line, without the frames that some draw around it. */
function reasonOf(error: unknown): string {
	const lines = (error instanceof Error ? error.message : String(error)).split('\n')
	return lines.map((line) => line.replaceAll(/[^\x20-\x7e]/g, '').trim())
		.filter((line) => line !== '').join('; ').slice(0, 200)
}

/** Writes after every bench, so that an interrupted run leaves what it has. */
function keep(result: Result): void {
	mkdirSync(folder, { recursive: true })
	const file = `${folder}/results.json`
	const kept: Result[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []
	const byName = new Map(fitting(BENCHES, kept).map((one) => [one.bench, one]))
	byName.set(result.bench, result)
	const results = BENCHES.flatMap(({ name }) => byName.get(name) ?? [])
	const lines = results.map((one) => `\t${JSON.stringify(one)}`)
	writeFileSync(file, `[\n${lines.join(',\n')}\n]\n`)
	writeFileSync(`${folder}/results.md`, markdown(BENCHES, results))
	for (const bench of BENCHES) {
		const one = byName.get(bench.name)
		if (one === undefined) continue
		for (const plot of plots(bench, one)) writeFileSync(`${folder}/${plot.file}`, plot.svg)
	}
}
