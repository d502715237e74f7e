// From a typed command to the lines of its answer, or of what is wrong with it.

import { nearest } from '../base/nearest.ts'
import { causeOf } from '../platform/trouble.ts'
import { Refusal, type Commands } from '../service/control-commands.ts'
import type { Log } from '../service/log.ts'
import { COMMANDS, Mistyped, readPairs, type Fields, type Typed } from './commands.ts'
import { allNames } from './completion.ts'
import * as texts from './texts.ts'

export async function linesOf(
	typed: Typed & { readonly fields?: Fields }, commands: Commands, log: Log,
): Promise<readonly string[]> {
	const { name, words, line, json } = typed
	const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
	const run = commands.get(name)
	if (run === undefined) return [unknown(name, commands)]
	const fields = typed.fields
		?? (command === undefined ? readPairs(words) : command.read(words, line))
	if (fields instanceof Mistyped) return [fields.message]
	try {
		const result = await run(fields)
		return json ? JSON.stringify(result, undefined, 2).split('\n')
			: (command?.text ?? texts.object)(result)
	} catch (error) {
		const cause = causeOf(error)
		if (!(error instanceof Refusal)) log.say('warn', 'command-failed', { cmd: name, cause })
		return cause.split('\n')
	}
}

function unknown(name: string, commands: Commands): string {
	const near = nearest(name.slice(0, 64), allNames([...commands.keys()]))
	return `unknown command; ${near === undefined ? 'help lists the commands'
		: `did you mean ${near}?`}`
}
