// curvecpserver sname keydir ip port ext prog: a server with one name, whose connections are
// messages for the handler prog. spec: protocol.md 6

import { toHex } from '../../base/hex.ts'
import { HANDLED_DEAD_PEER } from '../../limits.ts'
import { inheritedDescriptors } from '../../platform/descriptors.ts'
import { ExtensionSource } from '../../platform/extension-source.ts'
import { readKeys } from '../../platform/keydir.ts'
import { openPlatform } from '../../platform/platform.ts'
import { EXIT_TROUBLE } from '../../platform/trouble.ts'
import { HOST_LIMITS } from '../../service/budget.ts'
import { startServer } from '../../service/server.ts'
import { COMMON_USAGE, Misuse, Words, logOf, readOptions, type Run } from './options.ts'

const USAGE = [
	...COMMON_USAGE,
	'-c n (optional): allow at most n clients at once (default 100)',
	'sname: server\'s name',
	'keydir: use this public-key directory',
	'ip: server\'s IP address',
	'port: server\'s UDP port',
	'ext: server\'s extension',
	'prog: run this server',
]

const CLIENTS = 100
const CLIENTS_MAX = 65_535
/** A handler's queues at their fullest, one each way, and the pool at its most. */
const PIECES_EACH = 12
const PIECES_MAX = 65_536

export const run: Run = async (tool, words) => {
	const inherited = inheritedDescriptors(7)
	const { value, words: rest } = readOptions(words, '', 'c', USAGE)
	const connections = value === undefined ? CLIENTS : readCount(value)
	const read = new Words(rest, USAGE)
	const name = read.name()
	const keyDirectory = read.keyDirectory()
	const address = read.address()
	const port = read.port()
	const extension = new ExtensionSource(`hex:${toHex(read.hex(16, 'ext'))}`)
	const service = { kind: 'handler', words: read.program(), inherited } as const
	const platform = await openPlatform()
	const server = await startServer({
		platform, log: logOf(tool), address, port,
		limits: {
			...HOST_LIMITS, connections,
			pieces: Math.min(connections * PIECES_EACH, PIECES_MAX), programs: 2 * connections,
			liveness: { ...HOST_LIMITS.liveness, deadPeer: HANDLED_DEAD_PEER },
		},
		servers: [{
			keys: readKeys(keyDirectory, platform.box), extension, names: [{ name, service }],
		}],
	})
	await server.stopped
	return EXIT_TROUBLE
}

function readCount(text: string): number {
	const count = /^\d{1,5}$/.test(text) ? Number(text) : 0
	if (count >= 1 && count <= CLIENTS_MAX) return count
	throw new Misuse(USAGE, 'concurrency must be between 1 and 65535')
}
