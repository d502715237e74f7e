// curvegate keygen DIR

import { toHex } from '../base/hex.ts'
import { makeTweetnacl } from '../crypto/tweetnacl.ts'
import { makeEntropy } from '../platform/entropy.ts'
import { createKeys } from '../platform/keydir.ts'
import { EXIT_DONE } from '../platform/trouble.ts'
import type { Run } from './command.ts'
import { printKey } from './output.ts'

export const run: Run = (args) => {
	const dir = args.positionals[0]!
	const publicKey = createKeys(dir, makeTweetnacl(), makeEntropy())
	printKey(args, dir, toHex(publicKey))
	return EXIT_DONE
}
