// Results as Markdown for people: the goals first, then a table for each bench, with what it was
// measured on.

import { execFileSync } from 'node:child_process'
import { cpus, release } from 'node:os'
import {
	figure, median, mediansOf, type Bench, type Goal, type Medians, type Result,
} from './bench.ts'
import { plotFile } from './plot.ts'

export function markdown(benches: readonly Bench[], results: readonly Result[]): string {
	const pairs = benches.flatMap((bench) => {
		const result = results.find((one) => one.bench === bench.name)
		return result === undefined ? [] : [{ bench, result }]
	})
	const where = [...new Set(results.map(originOf))]
	return [
		'# Measured', '',
		'Each contestant in turn, as whole processes; median, least and most.',
		...where.map((line) => `${line}.`), '', ...versions(), '',
		'| goal | | measured |', '|---|---|---|',
		...pairs.flatMap(({ bench, result }) =>
			(bench.goals ?? []).map((goal) => goalRow(goal, mediansOf(result)))), '',
		...pairs.flatMap(({ bench, result }) => section(bench, result, where.length > 1)),
	].join('\n')
}

/** Of results that were kept: those of benches that still measure the same. */
export function fitting(benches: readonly Bench[], results: readonly Result[]): Result[] {
	return results.filter((result) => {
		const count = benches.find(({ name }) => name === result.bench)?.measures.length
		return Object.values(result.values).every((figures) => figures.length === count)
	})
}

export function machine(): string {
	return `${cpus().length} cores of ${cpus()[0]?.model.trim()}, Linux ${release()}, `
		+ `Node ${process.version}`
}

function originOf({ date, machine, quick }: Result): string {
	return `${date}, ${machine}${quick ? ', short form' : ''}`
}

function goalRow({ text, unit, figure: of, least, most }: Goal, medians: Medians): string {
	const value = of(medians)
	const wanted = least === undefined ? `≤ ${most} ${unit}` : `≥ ${least} ${unit}`
	if (Number.isNaN(value)) return `| ${text} | ${wanted} | not measured |`
	const reached = value >= (least ?? -Infinity) && value <= (most ?? Infinity)
	return `| ${text} | ${wanted} | ${figure(value)}${reached ? '' : ', missed'} |`
}

function section(bench: Bench, result: Result, dated: boolean): string[] {
	const { title, measures, bases, contestants } = bench
	const medians = mediansOf(result)
	const present = contestants.filter(({ name }) => result.values[name] !== undefined)
	const rows = present.map(({ name }) => {
		const figures = measures.flatMap((_, i) => {
			const sorted = result.values[name]![i] ?? []
			return [figure(median(sorted)), `${figure(sorted[0]!)}–${figure(sorted.at(-1)!)}`]
		})
		const ratios = bases.map((base) => ratioText(medians(name) / medians(base)))
		return `| ${[name, ...figures, ...ratios].join(' | ')} |`
	})
	const heads = ['', ...measures.flatMap(({ unit }) => [unit, 'least–most']),
		...bases.map((base) => `to ${base}`)]
	const missing = Object.entries(result.leftOut).map(([name, why]) => `Left out: ${name} (${why}).`)
	return [
		`## ${title}`, '',
		...(dated ? [`${originOf(result)}.`, ''] : []),
		...measures.flatMap((measure, i) =>
			[`![${title}: ${measure.title}](${plotFile(bench, i)})`, '']),
		`| ${heads.join(' | ')} |`, `|${'---|'.repeat(heads.length)}`, ...rows, '',
		...(missing.length > 0 ? [...missing, ''] : []),
	]
}

function ratioText(ratio: number): string {
	return Number.isFinite(ratio) ? `× ${figure(ratio)}` : ''
}

/** Of the peers that were met. */
function versions(): string[] {
	const names = ['nacl-tools', 'libsodium23', 'wireguard-go', 'iperf3', 'ngtcp2-server', 'stunnel4']
	const found = names.flatMap((name) => {
		try {
			const version = execFileSync('dpkg-query', ['-W', '-f', '${Version}', name], {
				encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'],
			})
			return version === '' ? [] : [`${name} ${version}`]
		} catch {
			return []
		}
	})
	return found.length === 0 ? [] : [`Peers: ${found.join(', ')}.`]
}
