// The client against a server of ours, with a name service of the test's own: when names are asked
// for again, and what stands in them.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { Readable, Writable } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { toKeyLabel } from '../../../src/base/base32.ts'
import { fromHex } from '../../../src/base/hex.ts'
import { SECOND } from '../../../src/base/time.ts'
import { ExtensionSource } from '../../../src/platform/extension-source.ts'
import { openPlatform } from '../../../src/platform/platform.ts'
import { parseAddress } from '../../../src/service/address.ts'
import { Client } from '../../../src/service/client.ts'
import type { Names } from '../../../src/service/resolve.ts'
import { startOurServer, type OurServer } from '../../support/our-server.ts'

class Zone implements Names {
	asked = 0
	address = '127.0.0.1'
	/** Seconds. */
	life = 1000
	readonly aliases: Record<string, string> = {}

	async lookup(): Promise<string[]> {
		this.asked++
		return await Promise.resolve([this.address])
	}

	async lifetime(): Promise<number> {
		return await Promise.resolve(this.life)
	}

	async alias(name: string): Promise<string[]> {
		const alias = this.aliases[name]
		return await Promise.resolve(alias === undefined ? [] : [alias])
	}
}

async function clientOf(
	t: ExecutionContext, address: string, names: Zone, seconds = 20,
): Promise<Client> {
	const client = new Client({
		platform: await openPlatform(), address: parseAddress(address), keys: undefined,
		extension: new ExtensionSource(`hex:${'0'.repeat(32)}`), bind: { address: 0, port: 0 },
		connectTimeout: seconds * SECOND, names,
	}, 2)
	t.teardown(() => client.close())
	return client
}

/** An empty stream each way; why it failed. */
async function visit(client: Client): Promise<string | undefined> {
	const connection = await client.open(() => {})
	const sink = new Writable({ write: (_chunk, _encoding, done) => done() })
	connection.join(Readable.from([]), sink).finish('success')
	await connection.over
	return connection.fault
}

function addressOf({ publicKey, port, name, extension }: OurServer, host: string): string {
	return `curvecp://${publicKey}@${host}:${port}/${name}?extension=${extension}`
}

test('a name is asked for again when its answer has lived, and not before', async (t) => {
	const server = await startOurServer(t, 'echo')
	const names = new Zone()
	const client = await clientOf(t, addressOf(server, 'home.example'), names)
	for (const asked of [1, 1, 1]) {
		t.is(await visit(client), undefined)
		t.is(names.asked, asked)
	}
	names.life = 0
	const other = await clientOf(t, addressOf(server, 'home.example'), names)
	for (const asked of [2, 3, 4]) {
		t.is(await visit(other), undefined)
		t.is(names.asked, asked)
	}
})

test('a name is asked for again when nobody answered, however long it was to live', async (t) => {
	const server = await startOurServer(t, 'echo')
	// Bound and never read.
	const socket = createSocket('udp4').bind(server.port, '127.0.0.9')
	await once(socket, 'listening')
	t.teardown(() => socket.close())
	const names = new Zone()
	names.address = '127.0.0.9'
	const client = await clientOf(t, addressOf(server, 'home.example'), names, 3)
	t.is(await visit(client), 'no answer')
	names.address = '127.0.0.1'
	t.is(await visit(client), undefined)
	t.is(names.asked, 2)
})

test('key and extension come from what the name is an alias of', async (t) => {
	const server = await startOurServer(t, 'echo')
	const label = toKeyLabel(fromHex(server.publicKey, 32)!)
	const names = new Zone()
	names.aliases['home.example'] = `${server.extension}.${label}.boxes.example`
	const address = `curvecp://home.example:${server.port}/${server.name}`
	t.is(await visit(await clientOf(t, address, names)), undefined)
	names.aliases['home.example'] = `${label}.${server.extension}.boxes.example`
	t.is(await visit(await clientOf(t, address, names)), undefined)
})
