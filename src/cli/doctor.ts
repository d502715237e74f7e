// curvegate doctor: what usually goes wrong, looked for on this machine; a line of cure for each.

import { EXIT_DONE, EXIT_TROUBLE, Usage } from '../platform/trouble.ts'
import { parseAddress } from '../service/address.ts'
import { defaultConfig, loadConfig } from '../service/config.ts'
import { examine } from '../service/doctor-checks.ts'
import { lookAround } from '../service/doctor-facts.ts'
import { doctorText } from '../service/doctor-text.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'

export const run: Run = async (args) => {
	const file = args.text('config')
	const boards = args.text('boards')
	const options = { boards, board: args.text('board') }
	const config = file === undefined ? await defaultConfig(options) : await loadConfig(file, options)
	const text = args.positionals[0]
	const address = text === undefined ? undefined : parseAddress(text)
	const helpers = args.texts('from-outside')?.map(parseAddress)
	if (helpers !== undefined && address === undefined) {
		throw new Usage('--from-outside needs the ADDRESS that is to be reached')
	}
	const keys = args.text('keys')
	const findings = examine(await lookAround({ config, boards, address, helpers, keys }))
	const troubles = findings.filter(({ state }) => state === 'trouble').length
	if (args.has('json')) printJson({ troubles, findings })
	else printLine(doctorText(findings))
	return troubles === 0 ? EXIT_DONE : EXIT_TROUBLE
}
