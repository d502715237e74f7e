// The device side of an update that comes over a console: into a real `curvegate update -`, through
// pipes and through FIFOs as the supervisor has them.

import { execFileSync, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { makeFolder, start } from '../../../support/processes.ts'
import { manifestBytes } from '../../../../src/service/firmware/manifest.ts'
import { checkManifest } from '../../../../src/service/firmware/install.ts'
import {
	sessionCommands, type InstallerPipes, type UpdateSessionOptions, type UpdateStatus,
} from '../../../../src/service/firmware/update-session.ts'
import { makeDevice, type FileDevice } from '../../../support/file-device.ts'
import { KEYS, makeUpdate, RUNNING, SUBJECT } from '../../../support/update-place.ts'

const BUNDLE = Buffer.from(Array.from({ length: 20_000 }, (_, i) => String(i * i)).join(' '))
const APP = makeUpdate([['app', gzipSync(BUNDLE)]])
const HEAD_BYTES = manifestBytes(APP, APP.length)!
const MANIFEST = Buffer.from(APP.subarray(0, HEAD_BYTES)).toString()
const BODY = APP.subarray(HEAD_BYTES)

const MAIN = 'build/out/src/cli/main.js'

type Ask = (cmd: string, fields?: Record<string, unknown>) => Promise<UpdateStatus>

class Console {
	readonly started: string[] = []
	readonly opened: InstallerPipes[] = []
	readonly #commands: ReturnType<typeof sessionCommands>

	constructor(open: UpdateSessionOptions['open']) {
		this.#commands = sessionCommands({
			check: (text) => checkManifest(text,
				{ board: 'rpi-4', publicKey: KEYS.publicKey, running: RUNNING }, false),
			open: async () => {
				const pipes = await open()
				this.opened.push(pipes)
				return pipes
			},
			start: (part) => this.started.push(part),
		})
	}

	readonly ask: Ask = async (cmd, fields = {}) =>
		await this.#commands.get(cmd)!(fields) as UpdateStatus
}

/** Sends bytes from where the device is. */
async function send(ask: Ask, body: Uint8Array, until = body.length): Promise<UpdateStatus> {
	let status = await ask('update-status')
	while (status.at < until) {
		const data = Buffer.from(body.subarray(status.at, status.at + 3000)).toString('base64')
		status = await ask('update-data', { at: status.at, data })
	}
	return status
}

async function end(ask: Ask, fields: Record<string, unknown> = {}): Promise<UpdateStatus> {
	for (;;) {
		const status = await ask('update-end', fields)
		if (status.state !== 'checking') return status
	}
}

function pipesTo(t: ExecutionContext, device: FileDevice): UpdateSessionOptions['open'] {
	return async () => {
		const child = spawn(process.execPath, [MAIN, 'update', '-', '--json', ...device.options])
		t.teardown(() => child.kill('SIGKILL'))
		return {
			input: child.stdin, output: child.stdout,
			close: () => {
				child.stdin.destroy()
				child.stdout.destroy()
			},
		}
	}
}

function installed(device: FileDevice): string {
	return readFileSync(join(device.folder, 'app/trial/curvegate'), 'utf8')
}

test('an application comes in pieces, is resumed, installed and tried', async (t) => {
	const device = makeDevice(t)
	const box = new Console(pipesTo(t, device))
	t.is((await box.ask('update-status')).state, 'none')
	const begun = await box.ask('update-begin', { manifest: MANIFEST })
	t.deepEqual(begun, { state: 'receiving', at: 0, totalBytes: BODY.length, version: '0.2.0',
		part: 'application' })
	await send(box.ask, BODY, 10_000)
	const again = await box.ask('update-begin', { manifest: MANIFEST })
	t.true(again.at >= 10_000, 'the line was lost, the bytes are not')
	const data = Buffer.from(BODY.subarray(0, 30)).toString('base64')
	t.is((await box.ask('update-data', { at: 0, data })).at, again.at, 'a repetition changes nothing')
	t.is((await send(box.ask, BODY)).state, 'checking')
	t.is((await end(box.ask, { start: true })).state, 'installed')
	t.deepEqual(box.started, ['application'])
	t.is(installed(device), BUNDLE.toString())
	t.is(box.opened.length, 1)
	t.is((await box.ask('update-begin', { manifest: MANIFEST })).state, 'installed')
})

test('what is refused reaches no installer', async (t) => {
	const box = new Console(() => Promise.reject(new Error('nobody is to ask')))
	const refused = async (cmd: string, fields: Record<string, unknown>): Promise<string> =>
		(await t.throwsAsync(box.ask(cmd, fields))).message
	t.regex(await refused('update-data', { at: 0, data: 'AAAA' }), /no update has begun/)
	t.regex(await refused('update-end', {}), /no update has begun/)
	t.regex(await refused('update-begin', {}), /the text that an update begins with/)
	t.regex(await refused('update-begin', { manifest: 'x'.repeat(2000) }), /the text/)
	t.regex(await refused('update-begin', { manifest: MANIFEST.replace('0.2.0', '0.3.0') }),
		/is not signed with the key/)
	const other = Buffer.from(makeUpdate([['app', gzipSync('x')]], { ...SUBJECT, board: 'rpi-3' }))
	t.regex(await refused('update-begin',
		{ manifest: other.subarray(0, manifestBytes(other, other.length)).toString() }),
	/is for the board rpi-3, this is rpi-4/)
})

test('damage, surplus and strange requests: told, and nothing is installed', async (t) => {
	const device = makeDevice(t)
	const box = new Console(pipesTo(t, device))
	await box.ask('update-begin', { manifest: MANIFEST })
	for (const data of [undefined, '', 'A', '!!!!', 'A'.repeat(14_004), 7]) {
		await t.throwsAsync(box.ask('update-data', { at: 0, data }), { message: /^data: base64/ })
	}
	await t.throwsAsync(box.ask('update-end'), { message: /bytes are missing/ })
	const bad = BODY.slice()
	bad[100]! ^= 1
	await send(box.ask, bad)
	await t.throwsAsync(end(box.ask), { message: /is damaged: the part app has another SHA-256/ })
	t.is((await box.ask('update-status')).state, 'failed')
	t.throws(() => installed(device))
	await box.ask('update-begin', { manifest: MANIFEST })
	await send(box.ask, BODY)
	t.is((await end(box.ask)).state, 'installed')
	t.is(installed(device), BUNDLE.toString())
})

test('an installer that dies is told of, and the next try gets a new one', async (t) => {
	const device = makeDevice(t)
	const open = pipesTo(t, device)
	const box = new Console(open)
	await box.ask('update-begin', { manifest: MANIFEST })
	await send(box.ask, BODY, 6000)
	box.opened[0]!.output.destroy()
	await new Promise((done) => box.opened[0]!.output.once('close', done))
	await t.throwsAsync(box.ask('update-data', { at: 6000, data: 'AAAA' }), { message: /installer/ })
	t.is((await box.ask('update-begin', { manifest: MANIFEST })).at, 0)
	await send(box.ask, BODY)
	t.is((await end(box.ask)).state, 'installed')
})

test('through the FIFOs of the device\'s script', async (t) => {
	const device = makeDevice(t)
	const folder = makeFolder(t)
	const [into, from] = [join(folder, 'in'), join(folder, 'out')]
	execFileSync('mkfifo', [into, from])
	const script = join(folder, 'updates')
	writeFileSync(script, `exec <${into} >${from}\n`
		+ `exec ${process.execPath} ${MAIN} update - --json ${device.options.join(' ')}\n`)
	// As PID 1 does: again and again.
	start(t, 'sh', ['-c', `while sh ${script}; do :; done`])
	const child = start(t, process.execPath, ['build/out/test/support/update-child.js', folder])
	const answers = createInterface({ input: child.child.stdout! })[Symbol.asyncIterator]()
	const ask: Ask = async (cmd, fields = {}) => {
		child.child.stdin!.write(`${JSON.stringify({ cmd, ...fields })}\n`)
		return JSON.parse((await answers.next()).value)
	}
	for (let i = 0; i < 2; i++) {
		const update = makeUpdate([['app', gzipSync(`program ${i}`)]])
		const n = manifestBytes(update, update.length)!
		await ask('update-begin', { manifest: Buffer.from(update.subarray(0, n)).toString() })
		await send(ask, update.subarray(n))
		t.is((await end(ask)).state, 'installed')
		t.is(installed(device), `program ${i}`)
	}
})
