// The table of `make interop`: cases × sides. A test whose title ends with `our client: CASE` or
// `our server: CASE` fills a cell; every other one gets a line below.

import type { Result } from './tap.ts'

const SIDES = ['our client', 'our server'] as const

const MARKS = { passed: 'pass', failed: 'FAIL', skipped: 'skip' } as const

export function drawTable(results: readonly Result[]): string {
	const rows = new Map<string, string[]>()
	const others: string[] = []
	for (const { title, outcome } of results) {
		const cell = /(our client|our server): (.*)$/.exec(title)
		if (cell === null) {
			others.push(`${MARKS[outcome]}  ${title}`)
			continue
		}
		// The reason for a skip stands below the table, with the others.
		const row = cell[2]!.replace(/ \(needs .*\)$/, '')
		const marks = rows.get(row) ?? SIDES.map(() => '-')
		marks[cell[1] === SIDES[0] ? 0 : 1] = MARKS[outcome]
		rows.set(row, marks)
	}
	const width = Math.max(4, ...[...rows.keys()].map((row) => row.length))
	const line = (row: string, marks: readonly string[]): string => {
		const cells = marks.map((mark) => mark.padEnd(SIDES[0].length))
		return [row.padEnd(width), ...cells].join('  ').trimEnd()
	}
	const table = [...rows].map(([row, marks]) => line(row, marks))
	const head = table.length === 0 ? [] : [line('case', SIDES), ...table]
	return [...head, ...(head.length > 0 && others.length > 0 ? [''] : []), ...others].join('\n')
}
