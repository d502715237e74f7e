// Run inside this process, with a platform that takes its time: what happens in the middle of a
// reload.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { openPlatform } from '../../../src/platform/platform.ts'
import { loadConfig } from '../../../src/service/config.ts'
import { Log } from '../../../src/service/log.ts'
import { startRun } from '../../../src/service/run.ts'
import { runCurvegate } from '../../support/curvegate.ts'
import { startEchoClients } from '../../support/echo-clients.ts'
import { freePort, makeFolder, until } from '../../support/processes.ts'

test('an address that comes back while its last connection ends is served', async (t) => {
	const folder = makeFolder(t)
	const publicKey = runCurvegate(['keygen', join(folder, 'keys')]).stdout.trim()
	const [a, b, c] = [await freePort(), await freePort(), await freePort()]
	const file = join(folder, 'curvegate.toml')
	const on = async (...ports: readonly number[]) => {
		const servers = ports.map((port) => `[[server]]
listen = "127.0.0.1:${port}"
[[server.name]]
name = "echo.example"
service = "echo"
`)
		writeFileSync(file, `schema = 1\nkeys = "keys"\n${servers.join('')}`)
		return await loadConfig(file)
	}
	const platform = await openPlatform()
	let bind: (() => void) | undefined
	const lines: string[] = []
	const run = await startRun({
		config: await on(a),
		platform: {
			...platform,
			openUdp: async (options) => {
				if (options.port === c) await new Promise<void>((resolve) => (bind = resolve))
				return await platform.openUdp(options)
			},
		},
		log: new Log({ level: 'info', format: 'text', write: (line) => lines.push(line) }),
	})
	const address = `curvecp://${publicKey}@127.0.0.1:${a}/echo.example`
	const clients = await startEchoClients(t, address, 1)
	await until(() => clients.rounds() > 0, 'a portion')
	await run.reload(async () => await on(b))
	const reloaded = run.reload(async () => await on(a, c))
	await until(() => bind !== undefined, 'the new address')
	t.deepEqual(await clients.finish(), [])
	await until(() => lines.some((line) => line.includes('closed ')), 'the end there')
	bind!()
	await reloaded
	const again = await startEchoClients(t, address, 1)
	t.deepEqual(await again.finish(), [])
	run.stopNow()
	await run.stopped
})
