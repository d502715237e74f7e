// No image carries a secret: keys are made on the device. Whoever builds one in is told before
// anything is written.

import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Usage } from '../../src/platform/trouble.ts'
import type { Tree } from '../tree.ts'

/** How secret keys are called: ours, NaCl's folders, ssh's and TLS's. */
const NAMES = /(^|\/)(\.expertsonly|secretkey|noncekey|seed|.*\.key|.*\.pem|id_[a-z0-9]+)$/
const PEM = '-----BEGIN'
/** Programs contain the words of what they can read; files of keys are small. */
const KEY_FILE_MAX = 65_536
/** The secret half of an update key, in hexadecimal. */
const HEX_SECRET = /^[0-9a-f]{128}\s*$/

export function refuseSecrets(tree: Tree): void {
	for (const path of tree.entries()) {
		if (NAMES.test(path)) throw secret(path, 'its name is that of a secret key')
	}
	for (const path of tree.files()) {
		const full = join(tree.root, path)
		if (statSync(full).size > KEY_FILE_MAX) continue
		const text = readFileSync(full, 'latin1')
		if (text.startsWith(PEM) && text.includes('PRIVATE KEY')) throw secret(path, 'a private key')
		if (HEX_SECRET.test(text)) throw secret(path, 'a secret key in hexadecimal')
	}
}

function secret(path: string, why: string): Usage {
	return new Usage(`/${path} must not be in an image: ${why}; keys are made on the device`)
}
