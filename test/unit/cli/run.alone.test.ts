// curvegate run and server with a configuration, from outside: several addresses, reloads under
// load, what a reload refuses and what it leaves, and the end.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import test from 'ava'
import { parseAddress } from '../../../src/service/address.ts'
import { toHex } from '../../../src/base/hex.ts'
import { runCurvegate } from '../../support/curvegate.ts'
import { startEchoClients } from '../../support/echo-clients.ts'
import { freePort, makeFolder, start, type Owner, type Started } from '../../support/processes.ts'

const MAIN = resolve('build/out/src/cli/main.js')
const CLIENT = 'ab'.repeat(32)

interface Place {
	readonly folder: string
	readonly file: string
}

function makePlace(owner: Owner, keys: readonly string[]): Place {
	const folder = makeFolder(owner)
	for (const name of keys) runCurvegate(['keygen', join(folder, name)])
	return { folder, file: join(folder, 'curvegate.toml') }
}

async function startRun(owner: Owner, { file }: Place, lines: number): Promise<Started> {
	const run = start(owner, process.execPath, [MAIN, 'run', '--config', file])
	await run.until(() => addressesOf(run).length === lines, `${lines} addresses`)
	return run
}

function addressesOf(run: Started): string[] {
	return run.stdout().toString().split('\n').filter((line) => line.startsWith('curvecp://'))
}

/** Sends SIGHUP and waits for what it comes to; the lines that it brought. */
async function reload(run: Started): Promise<string[]> {
	const before = run.stderr().length
	const said = (): string => run.stderr().slice(before)
	run.child.kill('SIGHUP')
	await run.until(() => /^\w+ (not-)?reloaded .*\n/m.test(said()), 'the reload')
	return said().trim().split('\n')
}

test('several addresses, keys and extensions of one file; a line for each name', async (t) => {
	const place = makePlace(t, ['a', 'b'])
	const [one, two] = [await freePort(), await freePort()]
	const extension = '0102030405060708090a0b0c0d0e0f10'
	writeFileSync(place.file, `schema = 1
keys = "a"
[extension]
source = "hex:${extension}"
[[server]]
listen = "127.0.0.1:${one}"
[[server.name]]
name = "first.example"
service = "echo"
[[server.name]]
name = "second.example"
service = "discard"
[[server]]
listen = "127.0.0.1:${one}"
keys = "b"
extension = "${'22'.repeat(16)}"
[[server.name]]
name = "first.example"
service = "echo"
[[server]]
listen = "127.0.0.1:${two}"
extension = "any"
[[server.name]]
name = "third.example"
service = "echo"
`)
	const run = await startRun(t, place, 4)
	const all = addressesOf(run).map(parseAddress)
	t.deepEqual(all.map(({ port }) => port), [one, one, one, two])
	t.deepEqual(all.map((address) => toHex(address.extension)),
		[extension, extension, '22'.repeat(16), '00'.repeat(16)])
	t.deepEqual(all[0]!.key, all[3]!.key)
	t.notDeepEqual(all[0]!.key, all[2]!.key)
	for (const i of [0, 2, 3]) {
		const clients = await startEchoClients(t, addressesOf(run)[i]!, 1)
		await run.until(() => clients.rounds() > 0, 'an echo')
		t.deepEqual(await clients.finish(), [])
	}
	run.child.kill('SIGTERM')
	t.deepEqual(await run.ended, { code: 0, signal: null })
	const json = runCurvegate(['server', '--config', place.file, '--plan', '--json'])
	t.true(JSON.parse(json.stdout).budgetBytes > 0)
})

/** Version i of a configuration in which everything changes that can. */
function version(i: number, ports: readonly number[]): string {
	return `schema = 1
[[server]]
listen = "127.0.0.1:${ports[0]}"
keys = "${i % 3 === 0 ? 'a' : 'b'}"
${i % 7 === 6 ? `extension = "${'33'.repeat(16)}"` : ''}
[[server.name]]
name = "${i % 5 === 4 ? 'gone' : 'echo'}.example"
service = "echo"
${i % 2 === 0 ? '' : `clients = ["${CLIENT}"]`}
${i % 4 === 3 ? `[[server]]
listen = "127.0.0.1:${ports[1]}"
keys = "b"
[[server.name]]
name = "other${i}.example"
service = "${i % 8 === 7 ? 'discard' : 'welcome'}"` : ''}
[limits]
programs = ${10 + i % 6}
keepalive = "${20 + i % 3}s"
drain = "${1 + i % 2}s"
[log]
level = "${i % 2 === 0 ? 'info' : 'debug'}"
`
}

test('100 reloads while 100 connections move data: none is dropped', async (t) => {
	const ports = [await freePort(), await freePort()]
	const place = makePlace(t, ['a', 'b'])
	writeFileSync(place.file, version(0, ports))
	const run = await startRun(t, place, 1)
	const clients = await startEchoClients(t, addressesOf(run)[0]!, 100)
	await run.until(() => clients.fewest() > 0, 'an echo for each of 100 connections')
	const before = clients.rounds()
	for (let i = 1; i <= 100; i++) {
		const rounds = clients.rounds()
		await run.until(() => clients.rounds() > rounds, 'data between two reloads')
		writeFileSync(place.file, version(i, ports))
		const said = await reload(run)
		t.regex(said.join('\n'), /^info reloaded changes=[1-9]\d* needRestart=0$/m)
	}
	t.deepEqual(clients.dropped(), [])
	const round = clients.fewest()
	await run.until(() => clients.fewest() > round, 'each to go on')
	const moved = clients.rounds() - before
	t.true(moved > 100, `${moved} portions during the reloads`)
	t.deepEqual(await clients.finish(), [])
	t.log(`${moved} portions of 3,000 bytes were moved meanwhile`)
	run.child.kill('SIGTERM')
	t.deepEqual(await run.ended, { code: 0, signal: null })
})

test('a reload says what changed, what needs a restart, why a wrong file is none', async (t) => {
	const place = makePlace(t, ['keys'])
	const port = await freePort()
	const text = `schema = 1
keys = "keys"
[[server]]
listen = "127.0.0.1:${port}"
[[server.name]]
name = "echo.example"
service = "echo"
`
	writeFileSync(place.file, text)
	const run = await startRun(t, place, 1)
	t.deepEqual(await reload(run), ['info reloaded changes=0 needRestart=0'])

	writeFileSync(place.file, `${text}
[[server.name]]
name = "new.example"
service = "welcome"
clients = ["${CLIENT}"]
[limits]
connections = 100
drain = "1s"
[metrics]
listen = "127.0.0.1:9469"
`)
	t.deepEqual(await reload(run), [
		`info changed what="name new.example on 127.0.0.1:${port}: new"`,
		'info changed what=limits.drain',
		'warn needs-restart what="metrics, limits.connections" now="as before"',
		'info reloaded changes=2 needRestart=2',
	])
	// Once more: what needs a restart is said again, what was applied is not.
	t.is((await reload(run)).at(-1), 'info reloaded changes=0 needRestart=2')

	writeFileSync(place.file, text.replace('"echo"', '"ecco"'))
	const [fault, end] = await reload(run)
	const said = `error fault place=${place.file}:7:12 message="service: expected tcp:`
	t.true(fault!.startsWith(said), fault)
	t.is(end, 'error not-reloaded kept="everything as it was"')

	writeFileSync(place.file, text.replace('keys = "keys"', 'keys = "nowhere"'))
	const refused = await reload(run)
	t.regex(refused[0]!, /error fault message=.*nowhere.*curvegate keygen/)

	writeFileSync(place.file, text)
	t.deepEqual(await reload(run), [
		`info changed what="name new.example on 127.0.0.1:${port}: gone"`,
		'info changed what=limits.drain',
		'info reloaded changes=2 needRestart=0',
	])
	const clients = await startEchoClients(t, addressesOf(run)[0]!, 1)
	await run.until(() => clients.rounds() > 0, 'an echo')
	// The second signal does not wait for open streams.
	run.child.kill('SIGINT')
	await run.untilPrinted(/draining/)
	run.child.kill('SIGINT')
	t.deepEqual(await run.ended, { code: 0, signal: null })
	t.deepEqual(await clients.finish(), ['the server ended its stream as a failure'])
})

test('what run and server refuse', (t) => {
	const place = makePlace(t, ['keys'])
	const cases: readonly [string, readonly string[], number, RegExp][] = [
		['schema = 1\n[gatway]\n', ['run'], 100, /:2:\d+: .*did you mean 'gateway'/],
		['schema = 1\n[gateway]\nwan = "nowan0"\naddress = "192.0.2.1"\n', ['run'], 111, /nowan0/],
		['schema = 1\n[gateway]\nwan = "eth0"\n', ['server'], 100, /no \[\[server\]\]/],
	]
	for (const [text, words, code, message] of cases) {
		writeFileSync(place.file, text)
		const said = runCurvegate([...words, '--config', place.file])
		t.is(said.code, code, said.stderr)
		t.regex(said.stderr, message)
	}
	const two = `[[server]]
keys = "keys"
listen = "127.0.0.1:1"
[[server.name]]
name = "a.example"
service = "echo"
`
	writeFileSync(place.file, `schema = 1\n${two}${two.replace(':1"', ':2"')}`)
	const said = runCurvegate(['server', '--config', place.file, '--serve', 'a=echo'])
	t.is(said.code, 100)
	t.regex(said.stderr, /--serve: .* has 2 servers/)
	t.is(runCurvegate(['run', '--config', join(place.folder, 'absent')]).code, 111)
	t.is(runCurvegate(['run']).code, 100)
})

test('flags go over the file; the board says limits and extension', async (t) => {
	const place = makePlace(t, ['keys'])
	const port = await freePort()
	const boards = join(place.folder, 'boards')
	execFileSync('cp', ['-r', 'boards', boards])
	writeFileSync(join(boards, 'own.toml'), `schema = 1
inherits = "host"
title = "a board of this test"
[status]
level = "supported"
reason = "this test"
[extension]
source = "hex:${'44'.repeat(16)}"
[limits]
connections = 10
memory = "16M"
`)
	writeFileSync(place.file, `schema = 1
[[server]]
keys = "keys"
listen = "127.0.0.1:1"
[[server.name]]
name = "kept.example"
service = "echo"
clients = ["${CLIENT}"]
`)
	const board = ['--board', 'own', '--boards', boards]
	const plan = runCurvegate(['server', '--config', place.file, ...board, '--plan', '--json'])
	const { terms, budgetBytes } = JSON.parse(plan.stdout)
	t.true(budgetBytes <= 16 * 2 ** 20, plan.stdout)
	t.true(terms.some(({ count }: { count: number }) => count === 10))
	const server = start(t, process.execPath, [MAIN, 'server', '--config', place.file, ...board,
		'--listen', `127.0.0.1:${port}`, '--serve', 'kept.example=discard', '--serve', 'open=echo'])
	await server.until(() => addressesOf(server).length === 2, 'two addresses')
	const [kept, open] = addressesOf(server)
	t.is(toHex(parseAddress(kept!).extension), '44'.repeat(16))
	const clients = await startEchoClients(t, open!, 1)
	await server.until(() => clients.rounds() > 0, 'an echo')
	t.deepEqual(await clients.finish(), [])
	// Who may come is still the file's to say: this client may not.
	const said = runCurvegate(['connect', kept!, '--timeout', '1'])
	t.is(said.code, 111)
	// A client of this board has the board's extension.
	const ping = runCurvegate(['ping', open!, '--count', '1', '--board', 'nosuch'])
	t.regex(ping.stderr, /unknown board 'nosuch'/)
	t.is(runCurvegate(['ping', open!, '--count', '1', ...board]).code, 0)
})
