// What a command prints on stdout, and whether in colour.

import type { Arguments } from './arguments.ts'

export function printLine(text: string): void {
	process.stdout.write(`${text}\n`)
}

export function printJson(value: object): void {
	printLine(JSON.stringify(value, undefined, '\t'))
}

export function printKey(args: Arguments, directory: string, publicKey: string): void {
	if (args.has('json')) printJson({ directory, publicKey })
	else printLine(publicKey)
}

/** Colour is for people: never into a pipe or a file, nor when they said no. */
export function inColour(): boolean {
	return process.stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === ''
}
