// curvegate update --serial and --over from outside: to the console of another process, over a
// cable that is pulled in between, and over CurveCP with an admitted key.

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { runCurvegate } from '../../../support/curvegate.ts'
import { needs } from '../../../support/needs.ts'
import { makeFolder, start, type Owner, type Started } from '../../../support/processes.ts'
import { Cable } from '../../../support/pty.ts'
import { makeUpdate } from '../../../support/update-place.ts'

const MAIN = resolve('build/out/src/cli/main.js')
const APP = makeUpdate([['app', gzipSync(randomBytes(1_500_000))]])
const SLOT = makeUpdate([['boot', randomBytes(300_000)], ['root', randomBytes(900_000)]])
const PASSWORD = 'open sesame'

interface Box {
	readonly cable: Cable
	readonly process: Started
	readonly address: string
	readonly keys: string
	update(bytes: Uint8Array): string
}

async function startBox(t: Owner, ...holdAt: readonly number[]): Promise<Box> {
	const folder = makeFolder(t)
	const cable = new Cable(t)
	await cable.plug()
	const [own, keys] = ['own', 'ours'].map((name) => join(folder, name))
	runCurvegate(['keygen', own!])
	const client = runCurvegate(['keygen', keys!]).stdout.trim()
	const hash = runCurvegate(['console', '--hash-password'], `${PASSWORD}\n`).stdout
	const file = join(folder, 'curvegate.toml')
	writeFileSync(file, `schema = 1
keys = "own"
[console]
device = "${cable.device}"
driver = "tty"
${hash}
[[server]]
listen = "127.0.0.1:0"
[[server.name]]
name = "admin.example"
service = "console"
clients = ["${client}"]
`)
	const program = ['build/out/test/support/update-console.js', file, ...holdAt.map(String)]
	const process_ = start(t, process.execPath, program)
	const address = (await process_.untilPrinted(/curvecp:.*/)).trim()
	return {
		cable, process: process_, address, keys: keys!,
		update: (bytes) => {
			writeFileSync(join(folder, 'x.update'), bytes)
			return join(folder, 'x.update')
		},
	}
}

function update(t: Owner, ...args: readonly string[]): Started {
	return start(t, process.execPath, [MAIN, 'update', ...args])
}

needs('socat')('over a serial line that is pulled in between, with a password', async (t) => {
	const box = await startBox(t, 500_000)
	const secret = join(makeFolder(t), 'secret')
	writeFileSync(secret, `${PASSWORD}\n`)
	const line = [box.update(APP), '--serial', box.cable.host, '--baud', '115200']
	const refused = update(t, ...line)
	t.is((await refused.ended).code, 111)
	t.regex(refused.stderr(), /login first/)
	const sending = update(t, ...line, '--password-file', secret, '--reboot')
	await box.process.untilPrinted(/held/)
	await box.cable.pull()
	await sending.untilPrinted(/the line was lost/)
	await box.cable.plug()
	t.is((await sending.ended).code, 0, sending.stderr())
	t.is(sending.stdout().toString(), 'application 0.2.0: installed there, tried now\n')
	const places = [...sending.stderr().matchAll(/"phase":"send","bytes":(\d+)/g)]
		.map(([, n]) => Number(n))
	t.true(places.every((n, i) => i === 0 || n >= places[i - 1]!), 'nothing is sent twice')
	await box.process.untilPrinted(/started application/)
	t.false((sending.stderr() + box.process.stderr()).includes(PASSWORD))
})

test('over CurveCP: a whole slot, for an admitted key alone', async (t) => {
	const box = await startBox(t)
	const over = [box.update(SLOT), '--over', box.address, '--json']
	const stranger = update(t, ...over, '--timeout', '2')
	t.is((await stranger.ended).code, 111)
	const since = performance.now()
	const sent = update(t, ...over, '--keys', box.keys)
	t.is((await sent.ended).code, 0, sent.stderr())
	const seconds = (performance.now() - since) / 1000
	t.log(`${(SLOT.length / seconds / 1e6).toFixed(2)} MB/s, its own start included`)
	const events = sent.stdout().toString().trim().split('\n').map((line) => JSON.parse(line))
	t.deepEqual(events.at(-1), { event: 'installed', version: '0.2.0', part: 'slot' })
	const again = update(t, ...over, '--keys', box.keys)
	t.is((await again.ended).code, 0)
	t.notRegex(again.stdout().toString(), /progress/, 'it is there already')
})

test('wrong usage', (t) => {
	const says = (...args: readonly string[]): string => {
		const { code, stderr } = runCurvegate(['update', ...args])
		t.is(code, 100)
		return stderr
	}
	t.regex(says('x', '--over', 'a', '--serial', 'b'), /two ways to a box; give one/)
	t.regex(says('x', '--serial', 'b', '--older'), /--older is for an update of this device/)
	t.regex(says(), /FILE is missing/)
	t.is(runCurvegate(['update', '-', '--serial', '/dev/null']).code, 111)
})
