// curvecpmakekey keydir

import { makeTweetnacl } from '../../crypto/tweetnacl.ts'
import { makeEntropy } from '../../platform/entropy.ts'
import { createKeys } from '../../platform/keydir.ts'
import { EXIT_DONE, EXIT_TROUBLE } from '../../platform/trouble.ts'
import { demandFolder, tell, type Run } from './options.ts'

export const run: Run = (tool, [dir]) => {
	if (dir === undefined) {
		tell(`${tool}: usage: ${tool} keydir\n`)
		return EXIT_TROUBLE
	}
	createKeys(demandFolder(dir), makeTweetnacl(), makeEntropy())
	return EXIT_DONE
}
