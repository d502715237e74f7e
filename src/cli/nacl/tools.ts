// NaCl's five commands under their own names: the program looks at the name by which it was called.
// Arguments, descriptors, files and exit codes are the original's. spec: protocol.md 6

import { basename } from 'node:path'
import { EXIT_TROUBLE, Trouble } from '../../platform/trouble.ts'
import { Misuse, sayFatal, type Run } from './options.ts'

const TOOLS: Readonly<Record<string, () => Promise<{ readonly run: Run }>>> = {
	curvecpmakekey: () => import('./makekey.ts'),
	curvecpprintkey: () => import('./printkey.ts'),
	curvecpserver: () => import('./server.ts'),
	curvecpclient: () => import('./client.ts'),
	curvecpmessage: () => import('./message.ts'),
}

export const TOOL_NAMES = Object.keys(TOOLS)

/** undefined: this program was called by a name of its own. */
export function toolOf(path: string | undefined): string | undefined {
	const name = basename(path ?? '')
	return Object.hasOwn(TOOLS, name) ? name : undefined
}

/** Returns the exit code. */
export async function runTool(tool: string, words: readonly string[]): Promise<number> {
	try {
		const { run } = await TOOLS[tool]!()
		return await run(tool, words)
	} catch (error) {
		if (error instanceof Misuse) return error.say(tool)
		if (!(error instanceof Trouble)) throw error
		sayFatal(tool, error.message)
		return EXIT_TROUBLE
	}
}
