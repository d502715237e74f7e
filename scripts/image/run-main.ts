// The frame of a script: what it throws becomes one line and the exit code that commands have.

import { codeOf, EXIT_TROUBLE, EXIT_USAGE, Trouble, Usage } from '../../src/platform/trouble.ts'

export async function runMain(name: string, run: () => Promise<void>): Promise<void> {
	try {
		await run()
	} catch (error) {
		const isUsage = error instanceof Usage || codeOf(error)?.startsWith('ERR_PARSE_ARGS') === true
		const isSystem = error instanceof Error && 'syscall' in error
		if (!(error instanceof Error)) throw error
		if (!isUsage && !isSystem && !(error instanceof Trouble)) throw error
		console.error(`${name}: fatal: ${placeOf(error)}${error.message}`)
		process.exitCode = isUsage ? EXIT_USAGE : EXIT_TROUBLE
	}
}

function placeOf(error: Error): string {
	if (!(error instanceof Usage) || error.place.file === undefined) return ''
	const { file, line } = error.place
	return line === undefined ? `${file}: ` : `${file}:${line}: `
}
