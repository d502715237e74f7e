// The control socket against real sockets in a folder of the test's own.

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { now } from '../../../src/platform/clock.ts'
import { askAll, ControlClient } from '../../../src/service/control-client.ts'
import { answerTo, commandsOf, type Commands } from '../../../src/service/control-commands.ts'
import {
	bindPrivately, controlFolder, controlPath, controlPaths, prepareFolder,
} from '../../../src/service/control-place.ts'
import { bindControl, openControl, type Control } from '../../../src/service/control.ts'
import { Log } from '../../../src/service/log.ts'
import type { Managed } from '../../../src/service/status.ts'
import { makeFolder } from '../../support/processes.ts'

function quietLog(lines: string[] = []): Log {
	return new Log({ level: 'debug', format: 'text', write: (line) => lines.push(line) })
}

function managed(more: Partial<Managed> = {}): Managed {
	return {
		process: 'run', log: quietLog(), servers: [], gateway: undefined, budgetBytes: 1000,
		fixedBytes: 10, ...more,
	}
}

async function open(
	t: ExecutionContext, path: string, commands: Commands = commandsOf(managed(), now),
): Promise<Control> {
	const control = await openControl(path, commands, quietLog())
	if (control === undefined) throw new Error(`no socket at ${path}`)
	t.teardown(() => control.close())
	return control
}

test('it is where product and user say', (t) => {
	t.is(controlFolder({ uid: 0, env: { XDG_RUNTIME_DIR: '/run/user/0' } }), '/run/curvegate')
	const env = { XDG_RUNTIME_DIR: '/run/user/7' }
	t.is(controlFolder({ uid: 7, env }), '/run/user/7/curvegate')
	t.is(controlFolder({ uid: 7, env: {} }), '.curvegate')
	t.is(controlFolder({ uid: 7, env: { XDG_RUNTIME_DIR: 'relative' } }), '.curvegate')
	t.is(controlPath('server-4000', '/x'), '/x/server-4000.sock')
	t.is(controlPath('gateway-../etc', '/x'), '/x/gateway-.._etc.sock')
})

test('only its owner opens it: mode 0600 in a folder of 0700, both made by us', async (t) => {
	const folder = join(makeFolder(t), 'made')
	const { path } = await open(t, join(folder, 'run.sock'))
	t.is(statSync(path).mode & 0o777, 0o600)
	t.is(statSync(folder).mode & 0o777, 0o700)
	t.deepEqual(readdirSync(folder), ['run.sock'])
})

test('it is bound within its own folder: what is around that may belong to root', async (t) => {
	const folder = makeFolder(t)
	const server = createServer()
	t.teardown(() => server.close())
	await bindPrivately(join(folder, 'run.sock'), async (made) => {
		t.true(made.startsWith(`${folder}/.`))
		server.listen(made)
		await once(server, 'listening')
	})
	t.deepEqual(readdirSync(folder), ['run.sock'])
})

test('status answers, and the socket goes with its process', async (t) => {
	const path = join(makeFolder(t), 'run.sock')
	const control = await open(t, path)
	const [one] = await askAll(path)
	t.is(one?.status.pid, process.pid)
	t.is(one?.status.memory.budgetBytes, 1000)
	t.is(one?.status.gateway, null)
	control.close()
	t.false(existsSync(path))
	await t.throwsAsync(askAll(path), { message: /unable to ask .*run\.sock: no such file/ })
})

test('a living process keeps its name, a dead one loses it', async (t) => {
	const folder = makeFolder(t)
	const path = join(folder, 'server-4000.sock')
	await open(t, path)
	const second = await open(t, path)
	t.is(second.path, join(folder, `server-4000-${process.pid}.sock`))
	t.deepEqual(controlPaths(folder), [second.path, path].sort())
	// A server that closes its socket without removing the name is what a crash leaves.
	const dead = join(folder, 'dead.sock')
	leaveBehind(dead)
	t.true(existsSync(dead))
	t.is((await open(t, dead)).path, dead)
})

function leaveBehind(path: string): void {
	const script = 'require("net").createServer().listen(process.argv[1], '
		+ '() => process.kill(process.pid, 9))'
	spawnSync(process.execPath, ['-e', script, path], { timeout: 60_000 })
}

test('what cannot be made is a warning, never more', async (t) => {
	const folder = makeFolder(t)
	const lines: string[] = []
	const attempt = async (path: string): Promise<Control | undefined> =>
		await openControl(path, commandsOf(managed(), now), quietLog(lines))
	t.is(await attempt('/proc/none/run.sock'), undefined)
	t.is(await attempt(join(folder, 'x'.repeat(120))), undefined)
	writeFileSync(join(folder, 'file.sock'), 'precious')
	t.is(await attempt(join(folder, 'file.sock')), undefined)
	t.true(existsSync(join(folder, 'file.sock')))
	const open = join(folder, 'open')
	mkdirSync(open)
	chmodSync(open, 0o777)
	t.is(await attempt(join(open, 'run.sock')), undefined)
	t.is(lines.length, 4)
	t.true(lines.every((line) => line.startsWith('warn no-control-socket ')))
	t.regex(lines[1]!, /longer than 107 bytes/)
	t.regex(lines[2]!, /a file of that name/)
	t.regex(lines[3]!, /chmod 700/)
})

test('until it has its name it lies in a folder of its own, beside its place', async (t) => {
	const folder = makeFolder(t)
	let made = ''
	await bindPrivately(join(folder, 'run.sock'), async (path) => {
		made = path
		writeFileSync(path, '')
	})
	t.is(dirname(dirname(made)), folder)
	t.deepEqual(readdirSync(folder), ['run.sock'])
})

test('who asks before there is anybody to answer waits', async (t) => {
	const path = join(makeFolder(t), 'run.sock')
	const control = (await bindControl(path, quietLog()))!
	t.teardown(() => control.close())
	const answers = askAll(path)
	await new Promise((done) => setImmediate(done))
	control.answer(commandsOf(managed(), now))
	t.is((await answers)[0]?.status.pid, process.pid)
})

test('a folder of another user is not trusted', (t) => {
	const folder = makeFolder(t)
	t.throws(() => prepareFolder(join(folder, 'x.sock'), { uid: 12_345, env: {} }),
		{ message: /belongs to another user/ })
})

test('a name held twice is refused, not stolen', async (t) => {
	const path = join(makeFolder(t), 'run.sock')
	await open(t, path)
	await open(t, path)
	t.is(await openControl(path, commandsOf(managed(), now), quietLog()), undefined)
	t.is((await askAll(path)).length, 1)
})

const says = test.macro({
	async exec(t, line: string, answer: unknown) {
		const commands = commandsOf(managed(), now)
		t.deepEqual(JSON.parse(await answerTo(line, commands, quietLog())), answer)
	},
	title: (_, line: string) => `asked ${line}`,
})

test(says, '', { id: null, error: 'expected a line of JSON, as {"id":1,"cmd":"status"}' })
test(says, '[1]', { id: null, error: 'expected an object, as {"id":1,"cmd":"status"}' })
test(says, '{"id":{"a":1},"cmd":"help"}', { id: null,
	result: { commands: ['status', 'connections', 'routes', 'log', 'reload', 'help'] } })
test(says, '{"id":"x","cmd":"stats"}', { id: 'x', error: 'unknown cmd; did you mean status?' })
test(says, '{"id":7,"cmd":"__proto__"}',
	{ id: 7, error: 'unknown cmd; known: status, connections, routes, log, reload, help' })
test(says, '{"id":1,"cmd":"connections","limit":-1}',
	{ id: 1, error: 'from and limit are whole numbers' })
test(says, '{"id":1,"cmd":"connections"}', { id: 1, result: { connections: [] } })
test(says, '{"id":1,"cmd":"routes"}', { id: 1, error: 'there is no gateway in this process' })
test(says, '{"id":1,"cmd":"reload"}',
	{ id: 1, error: 'there is no configuration file to read' })
test(says, '{"id":1,"cmd":"log","level":"loud"}',
	{ id: 1, error: 'level is one of error, warn, info, debug' })

test('the log\'s level is changed, its newest lines are read', async (t) => {
	const log = quietLog()
	const commands = commandsOf(managed({ log }), now)
	log.say('info', 'hello')
	const line = await answerTo('{"id":1,"cmd":"log","level":"warn"}', commands, log)
	t.deepEqual(JSON.parse(line), { id: 1, result: { level: 'warn', lines: ['info hello'] } })
	t.is(log.level, 'warn')
})

test('a reload says what it changed, a failing one why', async (t) => {
	let fails = false
	const reload = async (): Promise<object> => {
		if (fails) throw new Error('line 3 is wrong')
		return { added: 1 }
	}
	const commands = commandsOf(managed({ reload }), now)
	const ask = async (): Promise<unknown> =>
		JSON.parse(await answerTo('{"id":1,"cmd":"reload"}', commands, quietLog()))
	t.deepEqual(await ask(), { id: 1, result: { added: 1 } })
	fails = true
	t.deepEqual(await ask(), { id: 1, error: 'line 3 is wrong' })
})

async function connected(path: string): Promise<Socket> {
	const socket = connect(path)
	socket.on('error', () => {})
	await once(socket, 'connect')
	return socket
}

test('requests in one piece, in many, and a reader who closes his side first', async (t) => {
	const { path } = await open(t, join(makeFolder(t), 'run.sock'))
	const socket = await connected(path)
	let text = ''
	socket.on('data', (bytes: Buffer) => { text += bytes.toString() })
	socket.write('{"id":1,"cmd":"help"}\n{"id":2,"cmd":"help"}\n{"id":')
	socket.end('3,"cmd":"help"}\n')
	await once(socket, 'end')
	t.deepEqual(text.trim().split('\n').map((line) => JSON.parse(line).id), [1, 2, 3])
})

test('a request without an end is refused, and its sender is sent away', async (t) => {
	const { path } = await open(t, join(makeFolder(t), 'run.sock'))
	const socket = await connected(path)
	let text = ''
	socket.on('data', (bytes: Buffer) => { text += bytes.toString() })
	const closed = once(socket, 'close')
	socket.write('x'.repeat(100_000))
	await closed
	t.is(JSON.parse(text).error, 'a request is one line of at most 4096 bytes')
})

test('who asks and does not read waits alone: one answer for him, all answers for others',
	async (t) => {
		let made = 0
		const big = 'x'.repeat(1 << 20)
		const commands: Commands = new Map([
			['big', () => {
				made++
				return { big }
			}],
			['small', () => ({})],
		])
		const { path } = await open(t, join(makeFolder(t), 'run.sock'), commands)
		const deaf = await connected(path)
		t.teardown(() => deaf.destroy())
		deaf.pause()
		deaf.write('{"cmd":"big"}\n'.repeat(1000))
		const other = new ControlClient(path)
		t.teardown(() => other.close())
		for (let i = 0; i < 100; i++) t.deepEqual(await other.ask('small'), {})
		t.true(made < 4, `${made} answers were made`)
	})

test('no more askers than there is room for', async (t) => {
	const { path } = await open(t, join(makeFolder(t), 'run.sock'))
	const sockets = await Promise.all(Array.from({ length: 8 }, async () => await connected(path)))
	t.teardown(() => sockets.forEach((socket) => socket.destroy()))
	const ninth = await connected(path)
	await once(ninth, 'close')
	t.true(sockets.every(({ destroyed }) => !destroyed))
})

test('an answer that is none is trouble, and so is silence at the end', async (t) => {
	const path = join(makeFolder(t), 'odd.sock')
	const server = createServer((socket) => {
		socket.once('data', () => socket.end('no JSON\n'))
	}).listen(path)
	t.teardown(() => server.close())
	await once(server, 'listening')
	await t.throwsAsync(askAll(path), { message: /unable to ask .*odd\.sock/ })
})

test('nothing is written outside of its folder: beside that we may have no rights', async (t) => {
	const folder = makeFolder(t)
	const made: string[] = []
	await t.throwsAsync(bindPrivately(join(folder, 'run.sock'), async (path) => {
		made.push(path)
		throw new Error('enough')
	}), { message: 'enough' })
	t.deepEqual(made.map((path) => dirname(dirname(path))), [folder])
	t.deepEqual(readdirSync(folder), [])
})
