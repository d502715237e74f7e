// The console's help, drawn from its command table.

import { inColumns } from '../service/table-text.ts'
import { COMMANDS, SESSION_COMMANDS } from './commands.ts'
import { allNames } from './completion.ts'

/** known: what the process can do. name: only this command. */
export function helpLines(known: readonly string[], name?: string): string[] {
	const names = allNames(known)
	if (name !== undefined && name !== 'help') {
		if (!names.includes(name)) return [`there is no command ${name}`]
		const { takes } = COMMANDS[name] ?? { takes: '' }
		return [`${name} ${takes}`.trimEnd(), `  ${summaryOf(name)}`, '  --json: the answer as it is; '
			+ '--no-more: without stops between pages']
	}
	return [
		...inColumns(names.map((one) => [one, summaryOf(one)])),
		'? or the tab key say what can follow; Ctrl-C gives up; help COMMAND says more',
	]
}

function summaryOf(name: string): string {
	return COMMANDS[name]?.summary ?? SESSION_COMMANDS[name] ?? 'takes KEY=VALUE words'
}
