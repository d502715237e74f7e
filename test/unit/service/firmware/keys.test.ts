import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { makeTweetnacl } from '../../../../src/crypto/tweetnacl.ts'
import { makeEntropy } from '../../../../src/platform/entropy.ts'
import { readPublicKey } from '../../../../src/platform/keydir.ts'
import { configOf, type Config } from '../../../../src/service/config.ts'
import { deviceKeys, type DeviceKeys } from '../../../../src/service/firmware/keys.ts'
import { parseToml } from '../../../../src/service/toml-file.ts'
import { makeFolder } from '../../../support/processes.ts'

async function configWith(keys: readonly string[]): Promise<Config> {
	const text = `schema = 1\n${keys.map((dir, i) => `[[server]]\nlisten = "127.0.0.1:${4000 + i}"\n`
		+ `keys = "${dir}"\n[[server.name]]\nname = "a"\nservice = "echo"\n`).join('')}`
	return await configOf({ file: 'x', text, value: parseToml('x', text) },
		{ boards: 'boards', machine: { compatible: [], ramBytes: 2 ** 30 } })
}

function make(t: ExecutionContext, config: Config, events: string[] = []): DeviceKeys {
	return deviceKeys(config, {
		box: makeTweetnacl(), random: makeEntropy(), temporary: makeFolder(t),
		wait: () => events.push('entropy'),
		owner: { give: (path) => events.push(`give ${path}`) },
	})
}

test('keys are made once for each folder, after the kernel has entropy, and kept', async (t) => {
	const dir = join(makeFolder(t), 'keys')
	const config = await configWith([dir, dir])
	const events: string[] = []
	const first = make(t, config, events)
	t.deepEqual(first.made, [dir])
	t.deepEqual(events, ['entropy', `give ${dir}`])
	t.deepEqual(first.config, config)
	const key = readPublicKey(dir)
	const second = make(t, config, events)
	t.deepEqual(second.made, [])
	t.deepEqual(readPublicKey(dir), key)
	t.is(events.length, 2)
})

test('keys that cannot be used or kept: others for this start, and said', async (t) => {
	const folder = makeFolder(t)
	const broken = join(folder, 'broken')
	mkdirSync(join(broken, '.expertsonly'), { recursive: true, mode: 0o700 })
	writeFileSync(join(broken, '.expertsonly/secretkey'), 'short', { mode: 0o600 })
	const { config, made, notes } = make(t, await configWith([broken, join(folder, 'no/where')]))
	t.is(made.length, 2)
	t.is(notes.length, 2)
	t.regex(notes[0]!, /broken.*: this start has keys of its own, in memory$/)
	t.deepEqual(config.servers.map(({ keys }) => keys), made)
	t.notDeepEqual(readPublicKey(made[0]!), readPublicKey(made[1]!))
})
