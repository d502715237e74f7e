// curvegate pubkey DIR

import { toHex } from '../base/hex.ts'
import { readPublicKey } from '../platform/keydir.ts'
import { EXIT_DONE } from '../platform/trouble.ts'
import type { Run } from './command.ts'
import { printKey } from './output.ts'

export const run: Run = (args) => {
	const dir = args.positionals[0]!
	printKey(args, dir, toHex(readPublicKey(dir)))
	return EXIT_DONE
}
