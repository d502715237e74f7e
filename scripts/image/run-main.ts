// The frame of a script: what it throws becomes one line and the exit code that commands have.

import { EXIT_TROUBLE, EXIT_USAGE, Trouble, Usage } from '../../src/platform/trouble.ts'

export async function runMain(name: string, run: () => Promise<void>): Promise<void> {
	try {
		await run()
	} catch (error) {
		if (!(error instanceof Usage) && !(error instanceof Trouble)) throw error
		console.error(`${name}: fatal: ${placeOf(error)}${error.message}`)
		process.exitCode = error instanceof Usage ? EXIT_USAGE : EXIT_TROUBLE
	}
}

function placeOf(error: Usage | Trouble): string {
	if (!(error instanceof Usage) || error.place.file === undefined) return ''
	const { file, line } = error.place
	return line === undefined ? `${file}: ` : `${file}:${line}: `
}
