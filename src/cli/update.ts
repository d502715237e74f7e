// curvegate update: installs a signed update on this device.

import { EXIT_TROUBLE, Trouble } from '../platform/trouble.ts'
import type { Run } from './command.ts'
import { printLine } from './output.ts'
import { Progress } from './progress.ts'
import { openUpdateFile } from './update/file.ts'
import { installHere } from './update/here.ts'

export const run: Run = async (args) => {
	const json = args.has('json')
	const progress = new Progress({
		out: json ? process.stdout : process.stderr, clock: () => performance.now(), json,
	})
	const file = openUpdateFile(args.positionals[0]!)
	try {
		return await installHere(args, file, progress)
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
