// curvecpprintkey keydir

import { writeSync } from 'node:fs'
import { toHex } from '../../base/hex.ts'
import { readPublicKey } from '../../platform/keydir.ts'
import { EXIT_DONE, EXIT_TROUBLE, troubleOf } from '../../platform/trouble.ts'
import { demandFolder, tell, type Run } from './options.ts'

export const run: Run = (tool, [dir]) => {
	if (dir === undefined) {
		tell(`${tool}: usage: ${tool} keydir\n`)
		return EXIT_TROUBLE
	}
	const text = `${toHex(readPublicKey(demandFolder(dir)))}\n`
	try {
		writeSync(1, text)
	} catch (error) {
		throw troubleOf('write', 'the output', error)
	}
	return EXIT_DONE
}
