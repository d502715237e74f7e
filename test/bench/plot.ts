// Results as plain SVG: a bar to each median, a whisker from the least to the most, an axis that
// begins at zero. Readable on light and on dark ground.

import { figure, median, type Bench, type Result } from './bench.ts'

const WIDTH = 860
const ROW = 28
const LEFT = 300
const PLOT = 440
const TOP = 52
const OURS = '#5aa2ea'
const OTHERS = '#b9c1cb'
const INK = '#7a7f87'
const WHISKER = '#4d535b'
/** Between a bar's end, or its whisker's, and its figure. */
const GAP = 8

export interface Plot {
	readonly file: string
	readonly svg: string
}

export function plotFile(bench: Bench, measure: number): string {
	return measure === 0 ? `${bench.name}.svg` : `${bench.name}-${measure + 1}.svg`
}

/** One for each measure. */
export function plots(bench: Bench, result: Result): Plot[] {
	return bench.measures.map((_, i) => ({ file: plotFile(bench, i), svg: draw(bench, result, i) }))
}

function draw(bench: Bench, result: Result, measure: number): string {
	const rows = bench.contestants.flatMap(({ name }) => {
		const sorted = result.values[name]?.[measure]
		return sorted === undefined ? [] : [{ name, sorted }]
	})
	const most = Math.max(1e-9, ...rows.map(({ sorted }) => sorted.at(-1)!))
	const step = stepOf(most)
	const end = Math.ceil(most / step) * step
	const x = (value: number): number => LEFT + (PLOT * Math.max(0, value)) / end
	const bottom = TOP + rows.length * ROW
	const { title, unit } = bench.measures[measure]!
	const lines: string[] = []
	for (let i = 0; i * step <= end; i++) lines.push(tick(x(i * step), bottom, i * step))
	const heading = bench.measures.length > 1 ? `${bench.title}: ${title}` : bench.title
	return [
		`<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${bottom + 44}" `
			+ `viewBox="0 0 ${WIDTH} ${bottom + 44}" `
			+ `font-family="sans-serif" font-size="13" fill="${INK}">`,
		`<text x="12" y="22" font-size="15" font-weight="bold">${escape(heading)}</text>`,
		`<text x="${LEFT + PLOT}" y="${bottom + 36}" text-anchor="end">${escape(unit)}</text>`,
		...lines,
		...rows.map(({ name, sorted }, i) => bar(name, sorted, TOP + i * ROW, x)),
		'</svg>', '',
	].join('\n')
}

function tick(x: number, bottom: number, value: number): string {
	const at = x.toFixed(1)
	return `<path d="M${at} ${TOP - 6}V${bottom}" stroke="${INK}" stroke-opacity="0.25"/>`
		+ `<text x="${at}" y="${bottom + 18}" text-anchor="middle">${tickText(value)}</text>`
}

function bar(
	name: string, sorted: readonly number[], y: number, x: (value: number) => number,
): string {
	const value = median(sorted)
	const [from, to] = [x(sorted[0]!), x(sorted.at(-1)!)]
	const colour = /^(Curvegate|ours|our )/i.test(name) ? OURS : OTHERS
	const width = Math.max(1, x(value) - LEFT).toFixed(1)
	const middle = y + 9
	const whisker = sorted.length < 2 ? '' : `<path d="M${from.toFixed(1)} ${middle}H${to.toFixed(1)}`
		+ `M${from.toFixed(1)} ${y + 4}v10M${to.toFixed(1)} ${y + 4}v10" stroke="${WHISKER}" `
		+ 'stroke-width="1.5" fill="none"/>'
	return `<text x="${LEFT - 10}" y="${y + 14}" text-anchor="end">${escape(name)}</text>`
		+ `<rect x="${LEFT}" y="${y}" width="${width}" height="18" fill="${colour}"/>${whisker}`
		+ `<text x="${(Math.max(x(value), to) + GAP).toFixed(1)}" y="${y + 14}" font-weight="bold">`
		+ `${figure(value)}</text>`
}

/** 1, 2 or 5 times a power of ten, so that four to ten ticks fit. */
function stepOf(most: number): number {
	const power = 10 ** Math.floor(Math.log10(most))
	const parts = most / power
	return power * (parts > 5 ? 1 : parts > 2 ? 0.5 : 0.2)
}

function tickText(value: number): string {
	return String(Number(value.toPrecision(6)))
}

function escape(text: string): string {
	return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
