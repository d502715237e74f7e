// curvecpclient sname pk ip port ext prog: one connection, whose messages are for the handler prog.
// spec: protocol.md 6

import { randomBelow } from '../../base/random.ts'
import { HOSTS_MAX } from '../../limits.ts'
import { inheritedDescriptors } from '../../platform/descriptors.ts'
import { DEFAULT_SOURCE, ExtensionSource } from '../../platform/extension-source.ts'
import { readKeys } from '../../platform/keydir.ts'
import { openPlatform, type Platform } from '../../platform/platform.ts'
import { runHandler } from '../../service/handler-client.ts'
import {
	COMMON_USAGE, Words, demandFolder, logOf, readOptions, type Run,
} from './options.ts'

const USAGE = [
	...COMMON_USAGE,
	'-c keydir (optional): use this public-key directory',
	'sname: server\'s name',
	'pk: server\'s public key',
	'ip: server\'s IP address',
	'port: server\'s UDP port',
	'ext: server\'s extension',
	'prog: run this client',
]

export const run: Run = async (tool, words) => {
	const inherited = inheritedDescriptors(7)
	const { value: keyDirectory, words: rest } = readOptions(words, '', 'c', USAGE)
	const read = new Words(rest, USAGE)
	const name = read.name()
	const key = read.hex(32, 'pk')
	const addresses = read.addresses()
	const port = read.port()
	const extension = read.hex(16, 'ext')
	const program = read.program()
	const platform = await openPlatform()
	const keys = keyDirectory === undefined ? undefined
		: readKeys(demandFolder(keyDirectory), platform.box)
	const hosts = shuffled(addresses, platform).slice(0, HOSTS_MAX)
		.map((address) => ({ address, port, extension }))
	return runHandler({
		platform, keys, name, key, hosts, extension, words: program, inherited, log: logOf(tool),
		ownExtension: new ExtensionSource(DEFAULT_SOURCE),
	})
}

/** So that clients of several servers spread over them. */
function shuffled(addresses: readonly number[], { random }: Platform): number[] {
	const order: number[] = []
	for (const address of addresses) {
		const place = randomBelow(random, order.length + 1)
		order.splice(place, 0, address)
	}
	return order
}
