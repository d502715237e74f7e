// What the doctor found, for people.

import type { Finding } from './doctor-checks.ts'
import { clean } from './quantity-text.ts'

export function doctorText(findings: readonly Finding[]): string {
	const width = Math.max(...findings.map(({ check }) => check.length))
	const count = findings.filter(({ state }) => state === 'trouble').length
	return [
		...findings.flatMap(({ check, state, message, cure }) => [
			`${state.padEnd('trouble'.length)}  ${check.padEnd(width)}  ${clean(message)}`,
			...cure === null ? [] : [`${' '.repeat(width + 11)}cure: ${clean(cure)}`],
		]),
		'',
		count === 0 ? 'no trouble' : `${count} ${count === 1 ? 'trouble' : 'troubles'}`,
	].join('\n')
}
