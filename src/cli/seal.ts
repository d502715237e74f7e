// curvegate seal new|rotate|revoke DIR: the keys of sealed extensions.

import { createSealKeys, revokeSealKeys, rotateSealKeys } from '../platform/sealdir.ts'
import { EXIT_DONE } from '../platform/trouble.ts'
import type { Arguments } from './arguments.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'

export const runNew: Run = (args) => {
	const dir = args.positionals[0]!
	createSealKeys(dir)
	return say(args, { directory: dir, current: 0 }, `epoch 0 in ${dir}`)
}

export const runRotate: Run = (args) => {
	const dir = args.positionals[0]!
	const current = rotateSealKeys(dir)
	return say(args, { directory: dir, current },
		`epoch ${current} is current, the one before stays valid; `
		+ 'SIGHUP tells running gateways')
}

export const runRevoke: Run = (args) => {
	const dir = args.positionals[0]!
	const revoked = revokeSealKeys(dir)
	const what = revoked.length === 0 ? 'nothing to revoke: only the current epoch is valid'
		: `epochs ${revoked.join(', ')} are no longer valid; SIGHUP tells running gateways`
	return say(args, { directory: dir, revoked }, what)
}

function say(args: Arguments, json: object, text: string): number {
	if (args.has('json')) printJson(json)
	else printLine(text)
	return EXIT_DONE
}
