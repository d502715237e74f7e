// What a command prints on stdout, and whether in colour.

export function printLine(text: string): void {
	process.stdout.write(`${text}\n`)
}

export function printJson(value: object): void {
	printLine(JSON.stringify(value, undefined, '\t'))
}

/** Colour is for people: never into a pipe or a file, nor when they said no. */
export function inColour(): boolean {
	return process.stdout.isTTY === true && (process.env['NO_COLOR'] ?? '') === ''
}
