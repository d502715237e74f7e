// Bringing an update over bad lines, in virtual time: noise, silence, lines that end over and over.

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { SECOND, type Nanos } from '../../../../src/base/time.ts'
import { Progress } from '../../../../src/cli/progress.ts'
import { openUpdateFile } from '../../../../src/cli/update/file.ts'
import { sendUpdate, type Line } from '../../../../src/cli/update/send.ts'
import { MachineClient } from '../../../../src/console/machine-client.ts'
import type { UpdateStatus } from '../../../../src/service/firmware/update-session.ts'
import { FakeTerminal, FakeTimers } from '../../../support/console.ts'
import { makeGenerator } from '../../../support/generator.ts'
import { makeFolder } from '../../../support/processes.ts'
import { updateBox } from '../../../support/update-box.ts'
import { makeUpdate, MemoryDevice } from '../../../support/update-place.ts'

const BUNDLE = Uint8Array.from(randomBytes(60_000))
const APP = makeUpdate([['app', gzipSync(BUNDLE)]])

/** What a line does to each burst of bytes; undefined: it ends. */
type Harm = (bytes: Uint8Array) => Uint8Array | undefined

interface Sent {
	readonly status: UpdateStatus
	readonly lines: number
	readonly said: readonly string[]
	readonly seconds: number
	readonly events: readonly { bytes: number, totalBytes: number }[]
}

class Wire implements Line {
	readonly client: MachineClient
	isOver = false
	readonly #terminal: FakeTerminal
	readonly #harm: Harm
	#at = 0

	constructor(terminal: FakeTerminal, harm: Harm, timers: FakeTimers) {
		this.#terminal = terminal
		this.#harm = harm
		this.client = new MachineClient('test', (bytes) => this.#pass(bytes, (left) =>
			void terminal.type(left)), timers)
	}

	/** What the device has said meanwhile; false: nothing. */
	deliver(): boolean {
		const text = this.#terminal.output.slice(this.#at)
		this.#at = this.#terminal.output.length
		if (text === '' || this.isOver) return false
		this.#pass(new TextEncoder().encode(text), (left) => this.client.received(left))
		return true
	}

	close(): void {
		this.isOver = true
		this.#terminal.session.close()
	}

	#pass(bytes: Uint8Array, on: (bytes: Uint8Array) => void): void {
		const left = this.isOver ? undefined : this.#harm(bytes)
		if (left !== undefined) return on(left)
		this.isOver = true
		this.client.closed('hung up')
	}
}

async function send(
	t: ExecutionContext, device: MemoryDevice, harm: Harm, update = APP, start = false,
): Promise<Sent> {
	const path = join(makeFolder(t), 'x.update')
	writeFileSync(path, update)
	const file = openUpdateFile(path)
	const commands = updateBox(device)
	const timers = new FakeTimers()
	const wires: Wire[] = []
	const said: string[] = []
	let text = ''
	const progress = new Progress({ json: true, clock: () => timers.now() / 1e6,
		out: new Writable({ write(chunk, _encoding, done) {
			text += String(chunk)
			done()
		} }) })
	let over = false
	const work = sendUpdate(file, progress, {
		open: async () => {
			const terminal = new FakeTerminal({ commands })
			terminal.session.greet()
			wires.push(new Wire(terminal, harm, timers))
			return wires.at(-1)!
		},
		pieceBytes: 1500, start,
		pause: async (nanos: Nanos) => await new Promise((done) => void timers.after(nanos, done)),
		say: (words) => said.push(words),
	}).finally(() => {
		over = true
		file.close()
	})
	work.catch(() => undefined)
	while (!over) {
		for (let i = 0; i < 3; i++) await new Promise((done) => setImmediate(done))
		if (wires.at(-1)?.deliver() !== true) timers.pass(SECOND / 20)
	}
	const status = await work
	const events = text.trim().split('\n').map((line) => JSON.parse(line))
	return { status, lines: wires.length, said, seconds: timers.now() / SECOND, events }
}

function bundleOf(device: MemoryDevice): Uint8Array {
	const p = new Uint8Array(BUNDLE.length + 1)
	return p.subarray(0, device.disk.read('/data/app/trial/curvegate', p))
}

test('over a good line: each byte once, with progress', async (t) => {
	const device = new MemoryDevice()
	let bytes = 0
	const sent = await send(t, device, (burst) => {
		bytes += burst.length
		return burst
	})
	t.like(sent, { lines: 1, said: [], status: { state: 'installed', version: '0.2.0' } })
	t.deepEqual(bundleOf(device), BUNDLE)
	t.true(bytes < 1.7 * APP.length, `${bytes} bytes on the line for ${APP.length}`)
	const last = sent.events.at(-1)!
	t.is(last.bytes, last.totalBytes)
})

test('noise in every few pieces, both ways: the update is right all the same', async (t) => {
	const seed = 77
	const random = makeGenerator(seed)
	const device = new MemoryDevice()
	const sent = await send(t, device, (burst) => burst.map((byte) =>
		random.below(5000) === 0 ? byte ^ (1 << random.below(8)) : byte))
	t.is(sent.status.state, 'installed', `seed ${seed}`)
	t.deepEqual(bundleOf(device), BUNDLE)
	t.true(sent.seconds > 1, 'something had to be sent again')
})

test('a line that is cut again and again: what has arrived is not sent twice', async (t) => {
	const device = new MemoryDevice()
	let bytes = 0
	let left = 20_000
	const sent = await send(t, device, (burst) => {
		bytes += burst.length
		left -= burst.length
		if (left > 0) return burst
		left = 20_000
		return undefined
	})
	t.is(sent.status.state, 'installed')
	t.deepEqual(bundleOf(device), BUNDLE)
	t.true(sent.lines > 4)
	t.is(sent.said.length, sent.lines - 1)
	t.regex(sent.said[0]!, /^the line was lost: unable to ask test: hung up; trying again$/)
	t.true(bytes < 2.2 * APP.length, `${bytes} bytes on the line for ${APP.length}`)
})

test('a line that falls silent in the middle is given up after minutes', async (t) => {
	const device = new MemoryDevice()
	let bytes = 0
	await t.throwsAsync(send(t, device, (burst) => {
		bytes += burst.length
		return bytes < 30_000 ? burst : new Uint8Array(0)
	}), { message: /no answer/ })
	t.throws(() => bundleOf(device))
	let asked = 0
	await t.throwsAsync(send(t, device, () => {
		asked++
		return new Uint8Array(0)
	}), { message: /no answer/ })
	t.true(asked <= 6, 'who never answered is not called again and again')
})

test('what the device refuses is not tried again', async (t) => {
	const forged = APP.slice()
	forged[40] = forged[40] === 0x30 ? 0x31 : 0x30
	let lines = 0
	await t.throwsAsync(send(t, new MemoryDevice(), (burst) => {
		lines++
		return burst
	}, forged), { message: /is not signed with the key that this machine trusts/ })
	t.true(lines < 5)
	const damaged = APP.slice()
	damaged[damaged.length - 9]! ^= 1
	await t.throwsAsync(send(t, new MemoryDevice(), (burst) => burst, damaged),
		{ message: /is damaged: the part app/ })
	await t.throwsAsync(send(t, new MemoryDevice(), (burst) => burst, APP.subarray(0, 9000)),
		{ message: /it is shorter than its manifest says/ })
	await t.throwsAsync(send(t, new MemoryDevice(), (burst) => burst, BUNDLE),
		{ message: /it is no update of curvegate/ })
})
