// Our server inside the test's process, with the services and limits that a test wants.

import { toHex } from '../../src/base/hex.ts'
import { ExtensionSource } from '../../src/platform/extension-source.ts'
import { openPlatform } from '../../src/platform/platform.ts'
import { HOST_LIMITS, type ServerLimits } from '../../src/service/budget.ts'
import { Log } from '../../src/service/log.ts'
import { startServer, type Server } from '../../src/service/server.ts'
import { isFault, readService } from '../../src/service/spec.ts'
import type { Owner } from './processes.ts'
import { EXTENSION, type Whereabouts } from './reference.ts'

export interface OurServer extends Whereabouts {
	readonly server: Server
	/** What it logged, line by line. */
	readonly lines: string[]
}

export interface OurServerOptions {
	readonly name?: string
	readonly limits?: Partial<ServerLimits>
	/** Only these clients, by their public key in hex. */
	readonly clients?: readonly string[]
}

/** service: as users write it. The server stops with the test. */
export async function startOurServer(
	owner: Owner, service: string, options: OurServerOptions = {},
): Promise<OurServer> {
	const { name = 'server.example', limits, clients } = options
	const platform = await openPlatform()
	const keys = { publicKey: new Uint8Array(32), secretKey: new Uint8Array(32) }
	platform.box.keypair(keys.publicKey, keys.secretKey, platform.random)
	const publicKey = toHex(keys.publicKey)
	const spec = readService(service)
	if (isFault(spec)) throw new Error(spec.message)
	const lines: string[] = []
	const log = new Log({ level: 'debug', format: 'text', write: (line) => lines.push(line) })
	const server = await startServer({
		platform, log, address: 0x7f000001, port: 0, limits: { ...HOST_LIMITS, ...limits },
		servers: [{
			keys, extension: new ExtensionSource(`hex:${EXTENSION}`),
			names: [{
				name: new TextEncoder().encode(name), service: spec,
				...(clients === undefined ? {} : { clients: new Set(clients) }),
			}],
		}],
	})
	owner.teardown(async () => {
		server.stopNow()
		await server.stopped
	})
	return {
		server, lines, name, publicKey, address: '127.0.0.1', port: server.port, extension: EXTENSION,
	}
}
