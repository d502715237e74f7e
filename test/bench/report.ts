// Results as a Markdown table for people and as plain SVG bars, with what they were measured on.

import { execFileSync } from 'node:child_process'
import { cpus, release } from 'node:os'
import { median, type Result } from './bench.ts'

export function markdown(results: readonly Result[], quick: boolean): string {
	const [cpu] = cpus()
	return [
		'# Measured', '',
		`${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores of ${cpu?.model.trim()}, `
			+ `Linux ${release()}, Node ${process.version}${quick ? ', short form' : ''}. `
			+ 'Each contestant in turn, whole processes on loopback; median, least and most.', '',
		...versions(), '',
		...results.flatMap(table),
	].join('\n')
}

function table({ bench, values, leftOut }: Result): string[] {
	const base = values.get(bench.base)
	const rows = [...values].map(([name, sorted]) => {
		const ratio = base === undefined ? '' : `× ${figure(median(sorted) / median(base))}`
		const spread = `${figure(sorted[0]!)}–${figure(sorted.at(-1)!)}`
		return `| ${name} | ${figure(median(sorted))} | ${spread} | ${ratio} |`
	})
	const missing = [...leftOut].map(([name, why]) => `Left out: ${name} (${why}).`)
	return [
		`## ${bench.title}`, '', `![${bench.title}](${bench.name}.svg)`, '',
		`| | ${bench.unit} | least–most | to ${bench.base} |`, '|---|---|---|---|', ...rows, '',
		...missing, ...(missing.length > 0 ? [''] : []),
	]
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

const ROW = 26
const LEFT = 260
const BAR = 420

/** Readable on light and on dark ground. */
export function svg({ bench, values }: Result): string {
	const most = Math.max(...[...values.values()].map(median))
	const rows = [...values].map(([name, sorted], i) => {
		const value = median(sorted)
		const y = 34 + i * ROW
		const width = Math.max(1, (BAR * value) / most)
		return `<text x="${LEFT - 8}" y="${y + 14}" text-anchor="end">${escape(name)}</text>`
			+ `<rect x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="18" fill="#3b82c4"/>`
			+ `<text x="${LEFT + width + 6}" y="${y + 14}">${figure(value)}</text>`
	})
	const height = 44 + values.size * ROW
	return `<svg xmlns="http://www.w3.org/2000/svg" width="800" height="${height}" `
		+ 'font-family="sans-serif" font-size="13" fill="#888">\n'
		+ `<text x="8" y="18" font-weight="bold">${escape(bench.title)}, ${bench.unit}</text>\n`
		+ `${rows.join('\n')}\n</svg>\n`
}

export function figure(value: number): string {
	if (value >= 100) return value.toFixed(0)
	return value >= 10 ? value.toFixed(1) : value.toPrecision(2)
}

function escape(text: string): string {
	return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
