// curvegate update: installs a signed update on this device.

import type { Run } from './command.ts'
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
	} finally {
		file.close()
	}
}
