import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { SECOND } from '../../../src/base/time.ts'
import { nodeDisk, type Disk } from '../../../src/platform/disk.ts'
import type { TrialPlace } from '../../../src/service/config-candidate.ts'
import { changesOf, withoutRestart } from '../../../src/service/config-changes.ts'
import { configCommands } from '../../../src/service/config-commands.ts'
import { Refusal, type Request } from '../../../src/service/control-commands.ts'
import type { Config } from '../../../src/service/config.ts'
import { loadConfig } from '../../../src/service/config.ts'
import { deviceTrials } from '../../../src/service/firmware/trial.ts'
import { Log } from '../../../src/service/log.ts'
import { readHash } from '../../../src/service/password.ts'
import { FakeTimers } from '../../support/console.ts'
import { makeFolder } from '../../support/processes.ts'

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
	restarts: number
	ask(cmd: string, request?: Request): Promise<Record<string, unknown>>
}

interface Means {
	readonly disk?: Disk
	/** Of an earlier process of the same machine. */
	readonly file?: string
	readonly trials?: TrialPlace
}

async function bench(t: ExecutionContext, means: Means = {}): Promise<Bench> {
	const { disk, trials, file = makeFile(t) } = means
	const timers = new FakeTimers()
	const commands = configCommands({
		file, timers,
		source: {
			options: OPTIONS, read: () => loadConfig(file, OPTIONS),
			...trials === undefined ? {} : { trials },
		},
		log: new Log({ level: 'debug', format: 'text', write: () => undefined }),
		reload: async (read) => {
			const wanted = await read()
			const changes = changesOf(here.running, wanted)
			here.running = withoutRestart(here.running, wanted)
			return changes
		},
		restart: () => void here.restarts++,
		...disk === undefined ? {} : { disk },
	})
	const here: Bench = {
		file, timers, running: await loadConfig(file, OPTIONS), restarts: 0,
		ask: async (cmd, request = {}) => ({ ...await commands.get(cmd)!(request) }),
	}
	return here
}

function makeFile(t: ExecutionContext): string {
	const dir = mkdtempSync(join(tmpdir(), 'candidate-'))
	t.teardown(() => rmSync(dir, { recursive: true, force: true }))
	const file = join(dir, 'curvegate.toml')
	writeFileSync(file, TEXT)
	return file
}

async function settled(): Promise<void> {
	for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done))
}

test('a harmless change is pending, then applied and written, comments kept', async (t) => {
	const one = await bench(t)
	const set = { action: 'set', key: 'limits.programs', value: '9' }
	t.deepEqual((await one.ask('config', set)).pending, ['set limits.programs 9'])
	t.is(readFileSync(one.file, 'utf8'), TEXT)
	t.regex(String((await one.ask('config')).text), /programs = 9/)
	await one.ask('config', { action: 'save' })
	t.is(one.running.limits.programs, 9)
	t.is(readFileSync(one.file, 'utf8'), `${TEXT}\n[limits]\nprograms = 9\n`)
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
	const kept = await one.ask('commit')
	t.regex(String(kept.done), /written/)
	t.is(kept.revertSeconds, undefined, 'nothing is undone any more')
	t.is((await one.ask('config', { action: 'diff' })).revertSeconds, undefined)
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

test('what needs a restart is not tried where nobody starts the process again', async (t) => {
	const one = await bench(t)
	await one.ask('config', { action: 'set', key: 'server.0.listen', value: '127.0.0.1:4001' })
	await one.ask('config', { action: 'set', key: 'limits.connections', value: '99' })
	await t.throwsAsync(one.ask('commit', { action: 'confirmed' }), { instanceOf: Refusal,
		message: /only a new start brings limits\.connections, .*"config save force" writes it/ })
	t.is(one.running.servers[0]!.listen.port, 4000, 'nor is the rest')
	const { needRestart } = await one.ask('config', { action: 'save', force: true })
	t.deepEqual(needRestart, ['limits.connections'])
	// Waits for its restart, and is no part of the next trial.
	await one.ask('config', { action: 'set', key: 'server.0.listen', value: '127.0.0.1:4002' })
	t.is((await one.ask('commit', { action: 'confirmed', seconds: 5 })).revertSeconds, 5)
})

test('what only a new start brings is tried over one, and confirmed after it', async (t) => {
	const folder = makeFolder(t)
	const one = await bench(t, { trials: deviceTrials(folder) })
	await one.ask('config', { action: 'set', key: 'limits.connections', value: '99' })
	const answer = await one.ask('commit', { action: 'confirmed', seconds: 60 })
	t.like(answer, { needRestart: ['limits.connections'], revertSeconds: 60 })
	t.is(one.restarts, 1)
	t.is(readFileSync(one.file, 'utf8'), TEXT, 'a power cut now ends with the old file')

	const trials = deviceTrials(folder)
	t.regex(trials.notes[0]!, /on trial for 60 s/)
	const two = await bench(t, { file: one.file, trials })
	t.like(await two.ask('config', { action: 'diff' }),
		{ pending: ['set limits.connections 99'], revertSeconds: 60 })
	await t.throwsAsync(two.ask('config', { action: 'discard' }), { message: /on trial/ })
	t.regex(String((await two.ask('commit')).done), /written/)
	t.regex(readFileSync(one.file, 'utf8'), /connections = 99/)
	two.timers.pass(1000 * SECOND)
	await settled()
	t.is(two.restarts, 0)
	t.like(deviceTrials(folder), { left: undefined, notes: [] })
})

test('a trial over a new start that nobody confirms ends with another one', async (t) => {
	const folder = makeFolder(t)
	const one = await bench(t, { trials: deviceTrials(folder) })
	await one.ask('config', { action: 'set', key: 'limits.connections', value: '99' })
	for (const end of ['time', 'revert'] as const) {
		await one.ask('commit', { action: 'confirmed', seconds: 60 })
		const two = await bench(t, { file: one.file, trials: deviceTrials(folder) })
		await settled()
		two.timers.pass(59 * SECOND)
		await settled()
		t.is(two.restarts, 0)
		if (end === 'time') two.timers.pass(SECOND)
		else t.regex(String((await two.ask('commit', { action: 'revert' })).done), /starting anew/)
		await settled()
		t.is(two.restarts, 1, end)
		const trials = deviceTrials(folder)
		t.regex(trials.notes[0]!, /are undone, and pending/)
		const three = await bench(t, { file: one.file, trials })
		t.like(await three.ask('config', { action: 'diff' }),
			{ pending: ['set limits.connections 99'], revertSeconds: undefined })
		t.deepEqual(deviceTrials(folder).notes, [], 'said once')
	}
	t.is(readFileSync(one.file, 'utf8'), TEXT)
})

test('a commit that cannot be written leaves the trial and its end as they were', async (t) => {
	let isFull = true
	const one = await bench(t, { disk: { ...nodeDisk, write: (path, bytes, mode) => {
		if (isFull) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
		nodeDisk.write(path, bytes, mode)
	} } })
	await one.ask('config', { action: 'set', key: 'server.0.listen', value: '127.0.0.1:4001' })
	await one.ask('commit', { action: 'confirmed', seconds: 30 })
	one.timers.pass(10 * SECOND)
	await t.throwsAsync(one.ask('commit'), { message: /no space left/ })
	t.is((await one.ask('config', { action: 'diff' })).revertSeconds, 20)
	one.timers.pass(20 * SECOND)
	await settled()
	t.is(one.running.servers[0]!.listen.port, 4000)
	isFull = false
	await one.ask('config', { action: 'save', force: true })
	t.is(one.running.servers[0]!.listen.port, 4001)
})

test('a full disk: the file stays, and what runs is what it says', async (t) => {
	const full = (): never => {
		throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
	}
	const one = await bench(t, { disk: { ...nodeDisk, write: full } })
	await one.ask('config', { action: 'set', key: 'limits.programs', value: '9' })
	await t.throwsAsync(one.ask('config', { action: 'save' }), { message: /no space left/ })
	t.is(readFileSync(one.file, 'utf8'), TEXT)
	t.not(one.running.limits.programs, 9)
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
