// The server command from outside: what it prints, what it refuses, how it ends.

import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, readFileSync, statSync } from 'node:fs'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import test from 'ava'
import { parseAddress } from '../../../src/service/address.ts'
import { runCurvegate } from '../../support/curvegate.ts'
import { needs } from '../../support/needs.ts'
import { freePort, makeFolder, start, type Owner, type Started } from '../../support/processes.ts'

const MAIN = resolve('build/out/src/cli/main.js')
const BUNDLE = resolve('build/curvegate')

function startServer(owner: Owner, args: readonly string[], cwd: string): Started {
	return start(owner, process.execPath, [MAIN, 'server', ...args], { cwd })
}

test('a first start makes keys, prints one address a name, and ends on a signal', async (t) => {
	const folder = makeFolder(t)
	const port = await freePort()
	const names = ['--serve', 'a.example=echo', '--serve', 'b=discard']
	const args = ['--listen', `127.0.0.1:${port}`, ...names]
	const server = startServer(t, args, folder)
	await server.until(() => server.stdout().toString().split('\n').length === 3, 'two lines')
	const lines = server.stdout().toString().trim().split('\n')
	const [first, second] = lines.map(parseAddress)
	t.is(Buffer.from(first!.name).toString(), 'a.example')
	t.is(Buffer.from(second!.name).toString(), 'b')
	t.is(first!.port, port)
	t.true(lines.every((line) => line.includes('&check=') || line.includes('?check=')))
	t.deepEqual(first!.key, second!.key)
	server.child.kill('SIGTERM')
	t.deepEqual(await server.ended, { code: 0, signal: null })
	t.is(server.stdout().toString().trim().split('\n').length, 2)
	// The second start has the same key.
	const again = startServer(t, args, folder)
	await again.untilPrinted(/\/b\?/)
	t.is(again.stdout().toString(), server.stdout().toString())
})

test('without any option: a page for newcomers, and how to see it', async (t) => {
	const folder = makeFolder(t)
	const server = startServer(t, ['--listen', `127.0.0.1:${await freePort()}`], folder)
	await server.untilPrinted(/try it in another terminal: .*connect 'curvecp:/)
	const line = /^curvecp:\/\/[0-9a-f]{64}@127\.0\.0\.1:\d+\/localhost\?.*\n$/
	t.regex(server.stdout().toString(), line)
	t.regex(server.stderr(), /^info memory budget=64M beside=\S+ connections=1024$/m)
})

test('what users start takes at most 60 MB when it listens', async (t) => {
	const folder = makeFolder(t)
	// Newer ones need more for themselves: 24 is at 65.
	const most = process.version.startsWith('v20.') ? 60 : 75
	for (const which of ['first', 'second']) {
		const args = ['server', '--listen', `127.0.0.1:${await freePort()}`]
		const server = start(t, process.execPath, [BUNDLE, ...args], { cwd: folder })
		await server.untilPrinted(/curvecp:/)
		const resident = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))
		const megabytes = Number(resident?.[1]) * 1024 / 1e6
		t.true(megabytes < most, `${which} start: ${megabytes} MB`)
		await server.stop()
	}
})

test('the bundle alone, with nothing beside it, serves and says what is missing', async (t) => {
	const folder = makeFolder(t)
	const alone = join(folder, 'curvegate')
	copyFileSync(BUNDLE, alone)
	const args = ['server', '--listen', `127.0.0.1:${await freePort()}`]
	const server = start(t, process.execPath, [alone, ...args], { cwd: folder })
	await server.untilPrinted(/curvecp:.*\n/)
	t.regex(server.stderr(), /^warn note note="unable to load koffi.*portable UDP and crypto"$/m)
	const { stdout } = spawnSync(process.execPath, [alone, 'boards', '--json'], { encoding: 'utf8' })
	const { folders, boards } = JSON.parse(stdout)
	t.is(folders.at(-1), 'built-in:')
	const beside = spawnSync(process.execPath, [BUNDLE, 'boards', '--json'], { encoding: 'utf8' })
	t.deepEqual(boards, JSON.parse(beside.stdout).boards)
})

test('an environment that means nothing is refused', (t) => {
	for (const [name, message] of [
		['CURVEGATE_PLATFORM', 'expected auto, linux, portable'],
		['CURVEGATE_CONGESTION', 'expected cubic or chicago'],
	] as const) {
		const said = spawnSync(process.execPath, [MAIN, 'server'], {
			env: { ...process.env, [name]: 'fast' }, encoding: 'utf8', cwd: makeFolder(t),
		})
		t.is(said.status, 100)
		t.is(said.stderr, `curvegate server: ${name} 'fast': ${message}\n`)
	}
})

const refuses = test.macro({
	exec(t, args: readonly string[], code: number, message: RegExp) {
		const said = runCurvegate(['server', ...args])
		t.is(said.code, code, said.stderr)
		t.regex(said.stderr, message)
		t.is(said.stderr.trim().split('\n').length, 1)
		t.is(said.stdout, '')
	},
	title: (_, args: readonly string[]) => `refused: server ${args.join(' ')}`,
})

test(refuses, ['--serve', 'echo'], 100, /expected NAME=SERVICE/)
test(refuses, ['--serve', 'a=ftp'], 100, /column 3: expected tcp:HOST:PORT/)
test(refuses, ['--serve', 'a=exec:cat | wc'], 100, /column 12: '\|' means nothing/)
test(refuses, ['--serve', 'a=echo', '--serve', '.a=welcome'], 100, /served already/)
test(refuses, ['--serve', `${'x'.repeat(64)}=echo`], 100, /--serve/)
test(refuses, ['--listen', '4000'], 100, /expected IP:PORT/)
test(refuses, ['--extension', '00'], 100, /32 hexadecimal digits, or any/)
test(refuses, ['--bord', 'host'], 100, /unknown option --bord; did you mean --board\?/)
test(refuses, ['--board', 'rpi4'], 100, /unknown board 'rpi4'/)
test(refuses, ['--user', 'nobody-of-this-name'], 111, /unable to become .*no such user/)
test(refuses, ['--keys', '/nowhere/keys'], 111, /\/nowhere\/keys.*curvegate keygen/)

test('refused: a program that is not there', (t) => {
	const keys = join(makeFolder(t), 'keys')
	runCurvegate(['keygen', keys])
	const said = runCurvegate(['server', '--keys', keys, '--serve', 'a=exec:/no/such/program'])
	t.is(said.code, 111)
	t.is(said.stderr,
		'curvegate server: fatal: unable to run /no/such/program: no such file or folder\n')
})

test('refused: keys that others may read', (t) => {
	const keys = join(makeFolder(t), 'keys')
	runCurvegate(['keygen', keys])
	chmodSync(join(keys, '.expertsonly/secretkey'), 0o644)
	const said = runCurvegate(['server', '--keys', keys, '--listen', '127.0.0.1:0'])
	t.is(said.code, 111)
	t.regex(said.stderr, /secretkey.*open to other users.*chmod 600/)
})

test('refused: a port that is taken', async (t) => {
	const keys = join(makeFolder(t), 'keys')
	runCurvegate(['keygen', keys])
	const socket = createSocket('udp4').bind(0, '127.0.0.1')
	await once(socket, 'listening')
	t.teardown(() => socket.close())
	const { port } = socket.address()
	const said = runCurvegate(['server', '--keys', keys, '--listen', `127.0.0.1:${port}`])
	t.is(said.code, 111)
	t.regex(said.stderr, new RegExp(`fatal: unable to bind 127.0.0.1:${port}: address in use`))
})

test('--plan prints the sum and makes nothing', (t) => {
	const folder = makeFolder(t)
	const args = [MAIN, 'server', '--plan']
	const text = execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
	t.regex(text, /ring pieces/)
	t.regex(text, /the budget: allocated at start/)
	t.false(existsSync(join(folder, '.curvegate')))
	args.push('--json')
	const json = execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
	t.true(JSON.parse(json).budgetBytes > 0)
})

needs('root', 'linux')('--user: every thread is that user, services too', async (t) => {
	const folder = makeFolder(t)
	const args = ['--listen', `127.0.0.1:${await freePort()}`, '--user', 'nobody']
	const server = startServer(t, args, folder)
	await server.untilPrinted(/curvecp:/)
	const tasks = `/proc/${server.pid}/task`
	const text = execFileSync('sh', ['-c', `cat ${tasks}/*/status`], { encoding: 'utf8' })
	const uid = execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }).trim()
	const users = text.split('\n').filter((line) => line.startsWith('Uid:'))
	t.true(users.length > 1)
	for (const line of users) t.is(line, `Uid:\t${[uid, uid, uid, uid].join('\t')}`)
	const rights = text.split('\n').filter((line) => /^Cap(Inh|Prm|Eff|Amb):/.test(line))
	t.is(rights.length, 4 * users.length)
	for (const line of rights) t.regex(line, /\t0{16}$/)
})

needs('root', 'linux')('--user: whoever started it can still ask', async (t) => {
	const folder = makeFolder(t)
	const control = join(folder, 'x.sock')
	const args = ['--listen', `127.0.0.1:${await freePort()}`, '--user', 'nobody',
		'--control', control]
	const server = startServer(t, args, folder)
	await server.untilPrinted(/curvecp:/)
	const { mode, uid } = statSync(control)
	t.deepEqual([mode & 0o777, uid], [0o600, 0])
	const said = runCurvegate(['status', '--json', '--control', control])
	t.is(JSON.parse(said.stdout).processes[0].pid, server.pid, said.stderr)
})
