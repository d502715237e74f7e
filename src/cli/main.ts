// curvegate's command line: finds the command, checks what was typed, runs it, and turns what it
// throws into one line and an exit code. Loads nothing that the command does not use.

import { setFlagsFromString } from 'node:v8'
import { VERSION } from '../base/version.ts'
import {
	EXIT_DONE, EXIT_TROUBLE, EXIT_USAGE, Trouble, Usage, codeOf,
} from '../platform/trouble.ts'
import { readArguments } from './arguments.ts'
import type { Command } from './command.ts'
import { COMMANDS } from './commands.ts'
import { helpOf, helpOfAll, helpOfGroup } from './help.ts'
import { didYouMean } from './nearest.ts'
import { runTool, toolOf } from './nacl/tools.ts'
import { printJson, printLine } from './output.ts'

// V8's space for young objects stays at the size of its start: it would grow to 32 MB while many
// connections open, and never shrink. What moves data makes no objects.
setFlagsFromString('--semi-space-growth-factor=1')

async function main(words: readonly string[]): Promise<number> {
	const first = words[0]
	if (first === undefined || first === 'help' || first === '--help' || first === '-h') {
		return help(words.slice(1).filter((word) => !word.startsWith('-')))
	}
	if (first === '--version') {
		printLine(`curvegate ${VERSION}`)
		return EXIT_DONE
	}
	const command = findCommand(words)
	if (command === undefined) return unknown(words)
	try {
		const args = readArguments(command, words.slice(command.name.split(' ').length))
		if (args.has('help')) return help(command.name.split(' '))
		const { run } = await command.load()
		return await run(args)
	} catch (error) {
		return fail(command.name, error, words.includes('--json'))
	}
}

function findCommand(words: readonly string[]): Command | undefined {
	const two = words.slice(0, 2).join(' ')
	return COMMANDS.find(({ name }) => name === two || name === words[0])
}

function groupOf(first: string | undefined): readonly Command[] {
	return COMMANDS.filter(({ name }) => name.startsWith(`${first} `))
}

function help(words: readonly string[]): number {
	const command = findCommand(words)
	const group = groupOf(words[0])
	if (command !== undefined) printLine(helpOf(command))
	else if (group.length > 0) printLine(helpOfGroup(words[0]!, group))
	else if (words.length === 0) printLine(helpOfAll(COMMANDS))
	else return unknown(words)
	return EXIT_DONE
}

function unknown(words: readonly string[]): number {
	const [first, second] = words
	const group = groupOf(first)
	if (group.length === 0) {
		const firsts = [...new Set(COMMANDS.map(({ name }) => name.split(' ')[0]!))]
		const cure = didYouMean(first!, firsts.map((name) => ({ name })))
		return fail(undefined, new Usage(`unknown command '${first}'${cure}`), false)
	}
	if (second === undefined || second === '--help' || second === '-h') {
		if (second !== undefined) return help([first!])
		const choice = group.map(({ name }) => name.split(' ')[1]).join(', ')
		return fail(first, new Usage(`a second word is missing: ${choice}`), false)
	}
	const seconds = group.map(({ name }) => ({ name: name.split(' ')[1]! }))
	return fail(first, new Usage(`unknown command '${second}'${didYouMean(second, seconds)}`), false)
}

function fail(command: string | undefined, error: unknown, json: boolean): number {
	const who = command === undefined ? 'curvegate' : `curvegate ${command}`
	if (!(error instanceof Trouble) && !(error instanceof Usage)) {
		const text = error instanceof Error ? error.stack : String(error)
		process.stderr.write(`${who}: fatal: ${text}\n`)
		return EXIT_TROUBLE
	}
	if (json) {
		const place = error instanceof Usage ? error.place : {}
		printJson({ error: { ...place, message: error.message } })
	}
	const fatal = error instanceof Trouble ? 'fatal: ' : ''
	process.stderr.write(`${who}: ${fatal}${error.message}\n`)
	return error instanceof Trouble ? EXIT_TROUBLE : EXIT_USAGE
}

const tool = toolOf(process.argv[1])
if (tool !== undefined) process.exit(await runTool(tool, process.argv.slice(2)))

// Whoever reads our output may stop reading: that is no fault of ours to tell.
process.stdout.on('error', (error) => {
	if (codeOf(error) !== 'EPIPE') throw error
	// A connection still has to tell its server.
	if (process.stdout.listenerCount('error') === 1) process.exit(EXIT_TROUBLE)
})

process.exitCode = await main(process.argv.slice(2))
