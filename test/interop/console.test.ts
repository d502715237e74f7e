// The service console over CurveCP: our client, NaCl's curvecpclient, the host's command; who is
// admitted and who is not; a change that cuts off the operator, who tried it with a way back.

import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { frame, unframe } from '../../src/console/machine-line.ts'
import { parseAddress } from '../../src/service/address.ts'
import { toHex } from '../../src/base/hex.ts'
import { runCurvegate, type Said } from '../support/curvegate.ts'
import { needs } from '../support/needs.ts'
import {
	freePort, makeFolder, makeKeyDirectory, start, type Started,
} from '../support/processes.ts'
import { startReferenceClient } from '../support/reference.ts'

const MAIN = resolve('build/out/src/cli/main.js')

interface Admitted {
	readonly path: string
	readonly publicKey: string
}

interface Bench {
	readonly run: Started
	readonly file: string
	/** Of the console. */
	readonly address: string
	/** Admitted. */
	readonly keys: string
}

async function bench(t: ExecutionContext, keys: Admitted): Promise<Bench> {
	const folder = makeFolder(t)
	runCurvegate(['keygen', join(folder, 'keys')])
	const file = join(folder, 'curvegate.toml')
	writeFileSync(file, `schema = 1
keys = "keys"
control = "run.sock"
[[server]]
listen = "127.0.0.1:${await freePort()}"
[[server.name]]
name = "admin.example"
service = "console"
clients = ["${keys.publicKey}"]
`)
	const run = start(t, process.execPath, [MAIN, 'run', '--config', file])
	await run.untilPrinted(/curvecp:\/\/\S+\n/)
	return { run, file, address: run.stdout().toString().trim(), keys: keys.path }
}

function ownKeys(t: ExecutionContext): Admitted {
	const path = join(makeFolder(t), 'keys')
	return { path, publicKey: runCurvegate(['keygen', path]).stdout.trim() }
}

test('lines in, plain lines out, and the end when all is said', async (t) => {
	const { address, keys, run } = await bench(t, ownKeys(t))
	const said = runCurvegate(['connect', address, '--keys', keys], 'extension\nkeyz\nstatus --json')
	t.is(said.code, 0, said.stderr)
	t.regex(said.stdout, /^0{32} from .*\r\n/)
	t.regex(said.stdout, /unknown command; did you mean keys\?/)
	t.regex(said.stdout, /"publicKey": "[0-9a-f]{64}"/)
	t.notRegex(said.stdout, /curvegate>/)
	const asked = runCurvegate(['console', address, '--keys', keys, '--ask', 'keys'])
	t.is(asked.code, 0, asked.stderr)
	t.like(JSON.parse(asked.stdout), { result: { servers: { length: 1 } } })
	await run.untilPrinted(/(closed .* why=done [^]*){2}/)
})

test('a client whose key is not admitted reaches nothing', async (t) => {
	const { address } = await bench(t, ownKeys(t))
	const other = ownKeys(t)
	const args = ['--keys', other.path, '--timeout', '2']
	const said = runCurvegate(['connect', address, ...args], 'status\n')
	t.is(said.code, 111)
	t.is(said.stdout, '')
})

const tools = needs('curvecpclient', 'curvecpmessage')

tools('NaCl\'s client speaks with it, in both modes', async (t) => {
	const keys = makeKeyDirectory(t)
	const { address } = await bench(t, keys)
	const { key, port, name, extension } = parseAddress(address)
	const client = startReferenceClient(t, {
		name: new TextDecoder().decode(name), publicKey: toHex(key!), address: '127.0.0.1', port,
		extension: toHex(extension),
	}, { keyDirectory: keys.path })
	client.feed(`extension\n${frame('{"id":7,"cmd":"keys"}')}\nexit\n`)
	t.deepEqual(await client.ended, { code: 0, signal: null }, client.stderr())
	const lines = client.stdout().toString().split('\r\n')
	t.regex(lines[0]!, /^0{32} from /)
	const answers = lines.flatMap((line) => unframe(line) ?? [])
	t.like(JSON.parse(answers[0]!), { id: 7, result: { servers: { length: 1 } } })
})

test('the way in is changed on trial, and comes back by itself', async (t) => {
	const { address, keys, file, run } = await bench(t, ownKeys(t))
	const before = readFileSync(file, 'utf8')
	const other = await freePort()
	const moved = address.replace(/:\d+\/.*/, `:${other}/admin.example`)
	const askAt = (place: string, request: object, ...more: readonly string[]): Said =>
		runCurvegate(['console', place, '--keys', keys, ...more, '--ask', JSON.stringify(request)])
	const ask = (request: object): Said => askAt(address, request)
	const well = ({ code, stderr }: Said): boolean => t.is(code, 0, stderr)
	const listen = `127.0.0.1:${other}`
	const set = { cmd: 'config', action: 'set', key: 'server.0.listen', value: listen }
	well(ask(set))
	const saved = ask({ cmd: 'config', action: 'save' })
	t.regex(saved.stderr, /changes how this machine is reached: commit confirmed/)
	well(ask({ cmd: 'commit', action: 'confirmed', seconds: 600 }))
	t.is(askAt(address, { cmd: 'status' }, '--timeout', '2').code, 111, 'cut off')
	well(askAt(moved, { cmd: 'commit', action: 'revert' }))
	well(ask({ cmd: 'commit', action: 'confirmed', seconds: 5 }))
	await run.untilPrinted(/config-reverted[^]*config-reverted/)
	well(ask({ cmd: 'status' }))
	t.is(readFileSync(file, 'utf8'), before)
	well(ask({ cmd: 'commit', action: 'confirmed', seconds: 600 }))
	well(askAt(moved, { cmd: 'commit' }))
	t.regex(readFileSync(file, 'utf8'), new RegExp(`listen = "${listen}"`))
})

test('a console for anybody is refused by check', (t) => {
	const folder = makeFolder(t)
	const file = join(folder, 'curvegate.toml')
	execFileSync('mkdir', ['-p', join(folder, 'keys')])
	writeFileSync(file, 'schema = 1\nkeys = "keys"\n[[server]]\n[[server.name]]\nname = "a.example"\n'
		+ 'service = "console"\n')
	const said = runCurvegate(['check', '--config', file])
	t.is(said.code, 100)
	t.regex(said.stderr, /the console manages this machine, so it needs clients/)
	const flag = runCurvegate(['server', '--serve', 'a.example=console'])
	t.is(flag.code, 100)
	t.regex(flag.stderr, /it stands in a configuration, with the clients that may/)
})
