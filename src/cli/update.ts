// curvegate update: installs a signed update on this device, or brings it to another one.

import { EXIT_TROUBLE, Trouble, Usage } from '../platform/trouble.ts'
import type { Arguments } from './arguments.ts'
import type { Run } from './command.ts'
import { printLine } from './output.ts'
import { Progress } from './progress.ts'
import { openUpdateFile, type UpdateFile } from './update/file.ts'

export const run: Run = async (args) => {
	const json = args.has('json')
	checkOptions(args)
	const progress = new Progress({
		out: json ? process.stdout : process.stderr, clock: () => performance.now(), json,
	})
	const file = openUpdateFile(args.positionals[0]!)
	try {
		return await install(args, file, progress)
	} catch (error) {
		if (!json || !(error instanceof Trouble)) throw error
		// A line like all others, for whoever reads them as they come.
		printLine(JSON.stringify({ event: 'error', message: error.message }))
		process.stderr.write(`curvegate update: fatal: ${error.message}\n`)
		return EXIT_TROUBLE
	} finally {
		file.close()
	}
}

/** What is decided there is not ours to say. */
const HERE_ONLY = ['older', 'dry-run', 'device', 'key'] as const

function checkOptions(args: Arguments): void {
	if (args.has('over') && args.has('serial')) {
		throw new Usage('--over and --serial are two ways to a box; give one of them')
	}
	if (!args.has('over') && !args.has('serial')) return
	const spare = HERE_ONLY.find((name) => args.has(name))
	if (spare !== undefined) throw new Usage(`--${spare} is for an update of this device`)
}

async function install(args: Arguments, file: UpdateFile, progress: Progress): Promise<number> {
	if (args.has('over') || args.has('serial')) {
		return await (await import('./update/bring.ts')).bring(args, file, progress)
	}
	return await (await import('./update/here.ts')).installHere(args, file, progress)
}
