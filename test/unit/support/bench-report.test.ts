// The report of benchmarks, from results that were kept.

import test from 'ava'
import type { Bench, Result } from '../../bench/bench.ts'
import { fitting, markdown } from '../../bench/report.ts'

const bench: Bench = {
	name: 'one', title: 'One', bases: [], rounds: 1, seconds: [1, 1],
	measures: [{ title: 'rate', unit: 'MB/s' }, { title: 'time', unit: 's' }],
	contestants: [{ name: 'ours', needs: [], run: () => Promise.resolve([1, 2]) }],
}
const result = (name: string, figures: readonly (readonly number[])[]): Result => ({
	bench: name, date: '2026-01-01', machine: 'a machine', quick: false, values: { ours: figures },
	leftOut: {},
})

test('what was kept before a bench measured something else is left out, the rest is told', (t) => {
	const good = result('one', [[1, 2, 3], [4, 5, 6]])
	t.deepEqual(fitting([bench], [result('one', [[1, 2, 3]]), result('gone', [[1]]), good]), [good])
	t.regex(markdown([bench], [good]), /\| ours \| 2\.0 \| 1\.0–3\.0 \| 5\.0 \| 4\.0–6\.0 \|/)
})
