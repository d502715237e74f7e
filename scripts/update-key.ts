// Makes the key pair for updates when there is none, and prints the public half. `make update-key`

import { readFileSync } from 'node:fs'
import { ensureUpdateKey } from './update/key.ts'

const { publicFile, secretFile, isNew } = ensureUpdateKey(process.argv[2])
if (isNew) console.error(`${secretFile}: keep it secret; ${publicFile} goes into images`)
process.stdout.write(readFileSync(publicFile))
