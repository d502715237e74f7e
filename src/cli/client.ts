// What connect and ping have in common: the address and their options, made into a client.

import { toHex } from '../base/hex.ts'
import { CONNECT_TIMEOUT } from '../limits.ts'
import { DEFAULT_SOURCE, ExtensionSource } from '../platform/extension-source.ts'
import { readKeys } from '../platform/keydir.ts'
import { openPlatform } from '../platform/platform.ts'
import { addressOf } from '../platform/udp.ts'
import { parseAddress, type Address } from '../service/address.ts'
import { Client } from '../service/client.ts'
import type { Arguments } from './arguments.ts'
import { readEndpoint, readExtension, readSeconds } from './values.ts'

/** address: the command's first word when absent; bindPort: when the options say none. */
export async function openClient(
	args: Arguments, connections: number, address = parseAddress(args.positionals[0]!), bindPort = 0,
): Promise<{ client: Client, address: Address }> {
	const extension = new ExtensionSource(await sourceOf(args))
	if (args.has('board') && extension.note !== undefined) {
		process.stderr.write(`warning: our extension from ${extension.text}: ${extension.note}\n`)
	}
	const bind = args.value('bind', readEndpoint) ?? { ip: '0.0.0.0', port: bindPort }
	const connectTimeout = args.value('timeout', readSeconds) ?? CONNECT_TIMEOUT
	const platform = await openPlatform()
	const dir = args.text('keys')
	const keys = dir === undefined ? undefined : readKeys(dir, platform.box)
	const client = new Client({
		platform, address, keys, extension, connectTimeout,
		bind: { address: addressOf(bind.ip)!, port: bind.port },
	}, connections)
	return { client, address }
}

/** The flag, or what the board says; without a board the file of the addressing page. */
async function sourceOf(args: Arguments): Promise<string> {
	const own = args.value('extension', readExtension)
	const name = args.text('board')
	if (own !== undefined) return `hex:${toHex(own)}`
	if (name === undefined) return DEFAULT_SOURCE
	const { chooseBoard, boardFolders } = await import('../service/board.ts')
	return (await chooseBoard(name, boardFolders(args.text('boards')))).profile.extension.source
}
