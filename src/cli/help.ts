// The help, drawn from the command table.

import { VERSION } from '../base/version.ts'
import { HELP_OPTION, usageOf } from './arguments.ts'
import type { Command, Option } from './command.ts'

const COLUMNS = 80

export function helpOfAll(commands: readonly Command[]): string {
	return [
		`curvegate ${VERSION}: CurveCP server, client and gateway`,
		'',
		'usage: curvegate COMMAND …',
		'',
		...columns(commands.map((one) => [[one.name, ...one.takes].join(' '), one.summary])),
		'',
		'curvegate COMMAND --help explains a command; curvegate --version prints the version.',
		'Exit codes: 0 done, 100 wrong usage or configuration, 111 trouble in the world.',
	].join('\n')
}

/** What stands below a first word that has no meaning alone: `curvegate address`. */
export function helpOfGroup(group: string, commands: readonly Command[]): string {
	return [
		`usage: curvegate ${group} COMMAND …`,
		'',
		...columns(commands.map((one) => [[one.name, ...one.takes].join(' '), one.summary])),
	].join('\n')
}

export function helpOf(command: Command): string {
	const examples = command.examples ?? []
	return [
		`usage: ${usageOf(command)}`,
		'',
		`${command.summary[0]!.toUpperCase()}${command.summary.slice(1)}.`,
		'',
		...columns([...command.options, HELP_OPTION].map((one) => [optionTitle(one), one.summary])),
		...(examples.length > 0 ? ['', ...examples.map((line) => `  ${line}`)] : []),
	].join('\n')
}

export function optionTitle({ name, value, many }: Option): string {
	return `--${name}${value === undefined ? '' : ` ${value}`}${many === true ? ' …' : ''}`
}

/** Two columns; the right one is wrapped, and starts on its own line beside a long left one. */
export function columns(rows: readonly (readonly [string, string])[]): string[] {
	const left = Math.min(24, Math.max(...rows.map(([title]) => title.length)))
	return rows.flatMap(([title, text]) => {
		const lines = wrap(text, COLUMNS - left - 4)
		const beside = title.length > left ? [title, ...lines] : [title.padEnd(left + 2) + lines[0]]
		const rest = title.length > left ? 1 : 0
		return [
			`  ${beside[0]!}`,
			...lines.slice(1 - rest).map((line) => ' '.repeat(left + 4) + line),
		].map((line) => line.trimEnd())
	})
}

function wrap(text: string, width: number): string[] {
	const lines: string[] = []
	for (const word of text.split(' ')) {
		const last = lines.at(-1)
		if (last !== undefined && last.length + 1 + word.length <= width) {
			lines[lines.length - 1] = `${last} ${word}`
		} else {
			lines.push(word)
		}
	}
	return lines
}
