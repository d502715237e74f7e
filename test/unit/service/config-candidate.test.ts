import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { SECOND } from '../../../src/base/time.ts'
import { nodeDisk, type Disk } from '../../../src/platform/disk.ts'
import { configCommands } from '../../../src/service/config-commands.ts'
import { Refusal, type Request } from '../../../src/service/control-commands.ts'
import type { Config } from '../../../src/service/config.ts'
import { loadConfig } from '../../../src/service/config.ts'
import { Log } from '../../../src/service/log.ts'
import { readHash } from '../../../src/service/password.ts'
import { FakeTimers } from '../../support/console.ts'

const OPTIONS = { boards: 'boards', machine: { compatible: [], ramBytes: 2 ** 30 } }
const TEXT = `schema = 1
keys = "keys"
[[server]]
listen = "127.0.0.1:4000"   # only here
[[server.name]]
name = "a.example"
service = "echo"
`

interface Bench {
	readonly file: string
	readonly timers: FakeTimers
	/** What runs. */
	running: Config
	ask(cmd: string, request?: Request): Promise<Record<string, unknown>>
}

async function bench(t: ExecutionContext, disk?: Disk): Promise<Bench> {
	const dir = mkdtempSync(join(tmpdir(), 'candidate-'))
	t.teardown(() => rmSync(dir, { recursive: true, force: true }))
	const file = join(dir, 'curvegate.toml')
	writeFileSync(file, TEXT)
	const timers = new FakeTimers()
	const commands = configCommands({
		file, timers, source: { options: OPTIONS, read: () => loadConfig(file, OPTIONS) },
		log: new Log({ level: 'debug', format: 'text', write: () => undefined }),
		reload: async (read) => {
			here.running = await read()
			return { applied: ['something'], needRestart: [] }
		},
		...disk === undefined ? {} : { disk },
	})
	const here: Bench = {
		file, timers, running: await loadConfig(file, OPTIONS),
		ask: async (cmd, request = {}) => ({ ...await commands.get(cmd)!(request) }),
	}
	return here
}

async function settled(): Promise<void> {
	for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done))
}

test('a harmless change is pending, then applied and written, comments kept', async (t) => {
	const one = await bench(t)
	const set = { action: 'set', key: 'limits.connections', value: '99' }
	t.deepEqual((await one.ask('config', set)).pending, ['set limits.connections 99'])
	t.is(readFileSync(one.file, 'utf8'), TEXT)
	t.regex(String((await one.ask('config')).text), /connections = 99/)
	await one.ask('config', { action: 'save' })
	t.is(one.running.limits.connections, 99)
	t.is(readFileSync(one.file, 'utf8'), `${TEXT}\n[limits]\nconnections = 99\n`)
	t.deepEqual((await one.ask('config', { action: 'diff' })).pending, [])
})

test('text needs no quotes, TOML is taken as such', async (t) => {
	const one = await bench(t)
	await one.ask('config', { action: 'set', key: 'log.level', value: 'debug' })
	await one.ask('config', { action: 'set', key: 'limits.memory', value: '64M' })
	await one.ask('config', { action: 'set', key: 'server[0].name[0].clients', value: '[ ]' })
	await one.ask('config', { action: 'set', key: 'server.0.name.1',
		value: '{ name = "b.example", service = "echo" }' })
	await one.ask('config', { action: 'save', force: true })
	const { log, limits, servers } = await loadConfig(one.file, OPTIONS)
	t.is(log.level, 'debug')
	t.is(limits.memory, 64 * 2 ** 20)
	t.is(servers[0]!.names[0]!.clients?.size, 0)
	t.is(servers[0]!.names[1]!.name, 'b.example')
})

test('what is invalid so far is said with its place; save refuses it', async (t) => {
	const one = await bench(t)
	const answer = await one.ask('config', { action: 'set', key: 'log.level', value: 'loud' })
	t.regex(String(answer.faults), /level: expected one of "error"/)
	await t.throwsAsync(one.ask('config', { action: 'save' }), { message: /level: expected one of/ })
	await one.ask('config', { action: 'set', key: 'log.level', value: 'warn' })
	await one.ask('config', { action: 'save' })
	t.is(one.running.log.level, 'warn')
	await t.throwsAsync(one.ask('config', { action: 'set', key: 'server', value: '1' }),
		{ instanceOf: Refusal, message: /cannot be changed so/ })
	t.deepEqual((await one.ask('config', { action: 'diff' })).pending, [])
})

test('what could cut the operator off is tried, and undone unless commit follows', async (t) => {
	const one = await bench(t)
	await one.ask('config', { action: 'set', key: 'server.0.listen', value: '127.0.0.1:4001' })
	await t.throwsAsync(one.ask('config', { action: 'save' }),
		{ message: /server\.0\.listen changes how this machine is reached: commit confirmed/ })
	const answer = await one.ask('commit', { action: 'confirmed' })
	t.is(answer.revertSeconds, 120)
	t.is(one.running.servers[0]!.listen.port, 4001)
	t.is(readFileSync(one.file, 'utf8'), TEXT, 'a power cut now ends with the old file')
	await t.throwsAsync(one.ask('config', { action: 'discard' }), { message: /on trial/ })
	one.timers.pass(119 * SECOND)
	await settled()
	t.is(one.running.servers[0]!.listen.port, 4001)
	one.timers.pass(SECOND)
	await settled()
	t.is(one.running.servers[0]!.listen.port, 4000)
	t.is(readFileSync(one.file, 'utf8'), TEXT)
	t.deepEqual((await one.ask('config', { action: 'diff' })).pending,
		['set server.0.listen "127.0.0.1:4001"'], 'to be put right, or discarded')
})

test('commit keeps what is on trial, commit revert does not wait', async (t) => {
	const one = await bench(t)
	await one.ask('config', { action: 'set', key: 'server.0.listen', value: '127.0.0.1:4001' })
	await one.ask('commit', { action: 'confirmed', seconds: 30 })
	await one.ask('commit', { action: 'revert' })
	t.is(one.running.servers[0]!.listen.port, 4000)
	await one.ask('commit', { action: 'confirmed', seconds: 30 })
	t.regex(String((await one.ask('commit')).done), /written/)
	one.timers.pass(1000 * SECOND)
	await settled()
	t.is(one.running.servers[0]!.listen.port, 4001)
	t.regex(readFileSync(one.file, 'utf8'), /listen = "127\.0\.0\.1:4001" {3}# only here/)
	for (const seconds of [0, 1.5, -1, 3601, '5']) {
		const request = { action: 'confirmed', seconds }
		await t.throwsAsync(one.ask('commit', request), { instanceOf: Refusal })
	}
	await t.throwsAsync(one.ask('commit', { action: 'revert' }), { message: /nothing is on trial/ })
	await t.throwsAsync(one.ask('commit'), { message: /nothing is pending/ })
})

test('a full disk: the file stays, and what runs is what it says', async (t) => {
	const full = (): never => {
		throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
	}
	const one = await bench(t, { ...nodeDisk, write: full })
	await one.ask('config', { action: 'set', key: 'limits.connections', value: '99' })
	await t.throwsAsync(one.ask('config', { action: 'save' }), { message: /no space left/ })
	t.is(readFileSync(one.file, 'utf8'), TEXT)
	t.not(one.running.limits.connections, 99)
	t.is((await one.ask('config', { action: 'diff' })).pending instanceof Array, true)
})

test('the password is hashed, and neither it nor its hash is shown', async (t) => {
	const one = await bench(t)
	await one.ask('config', { action: 'set', key: 'console.device', value: '/dev/ttyS9' })
	const answer = await one.ask('password', { password: 'correct horse' })
	t.deepEqual(answer.pending,
		['set console.device "/dev/ttyS9"', 'set console.password "scrypt:…"'])
	await one.ask('config', { action: 'save', force: true })
	const { console } = await loadConfig(one.file, OPTIONS)
	t.truthy(readHash(console!.password!))
	t.regex(String((await one.ask('config')).text), /password = "scrypt:…"/)
	for (const password of ['short', 'x'.repeat(300), '{brace}brace', 'line\nline line', 7]) {
		await t.throwsAsync(one.ask('password', { password }), { instanceOf: Refusal })
	}
	await t.throwsAsync(one.ask('config', { action: 'set', key: 'console.password', value: 'plain' }),
		{ message: /the command password/ })
})

test('keys that are none, and a process without a file', async (t) => {
	const one = await bench(t)
	for (const key of ['', 'a b', '../x', 'a'.repeat(50), 'a.b.c.d.e.f.g.h.i', '__proto__', 7]) {
		await t.throwsAsync(one.ask('config', { action: 'set', key, value: '1' }),
			{ instanceOf: Refusal }, String(key))
	}
	const none = configCommands(undefined)
	const config = async (): Promise<object> => await none.get('config')!({})
	await t.throwsAsync(config, { message: /no configuration file/ })
})
