// Rows of text in columns, for reports.

/** Columns of equal width, two blanks between them; the last one is not filled up. */
export function inColumns(rows: readonly (readonly string[])[], indent = ''): string[] {
	const widths: number[] = []
	for (const row of rows) {
		row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length))
	}
	return rows.map((row) => (indent + row.map((cell, i) =>
		i === row.length - 1 ? cell : cell.padEnd(widths[i]!)).join('  ')).trimEnd())
}
