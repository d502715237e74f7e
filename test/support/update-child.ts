// A process that answers update commands through the FIFOs in a folder, for tests whose threads
// must not own descriptors that libuv closes. Usage: update-child.js FOLDER; a request a line.

import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { checkManifest } from '../../src/service/firmware/install.ts'
import { openFifos, sessionCommands } from '../../src/service/firmware/update-session.ts'
import { KEYS, RUNNING } from './update-place.ts'

const folder = process.argv[2]!
const commands = sessionCommands({
	check: (text) => checkManifest(text,
		{ board: 'rpi-4', publicKey: KEYS.publicKey, running: RUNNING }, false),
	open: async () => await openFifos(join(folder, 'in'), join(folder, 'out')),
	start: () => undefined,
})

for await (const line of createInterface({ input: process.stdin })) {
	const { cmd, ...fields }: { cmd: string } = JSON.parse(line)
	console.log(JSON.stringify(await commands.get(cmd)!(fields)))
}
process.exit(0)
