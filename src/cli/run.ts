// curvegate run --config FILE: everything that the file declares, in one process.

import { loadConfig, type Config } from '../service/config.ts'
import type { Run } from './command.ts'
import { runConfig } from './running.ts'

export const run: Run = async (args) => {
	const file = args.demand('config')
	if (args.has('firmware')) return await (await import('./run-firmware.ts')).runFirmware(args, file)
	const options = { board: args.text('board'), boards: args.text('boards') }
	const read = (): Promise<Config> => loadConfig(file, options)
	return await runConfig('run', args, await read(), { read, options })
}
