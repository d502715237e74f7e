// The signs of life, with a real FIFO.

import { execFileSync } from 'node:child_process'
import {
	closeSync, constants, existsSync, openSync, readFileSync, readSync, writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Life } from '../../../../src/service/firmware/alive.ts'
import type { Device } from '../../../../src/service/firmware/device.ts'
import { changeSlots, readSlots } from '../../../../src/service/firmware/slot-store.ts'
import type { SlotState } from '../../../../src/service/firmware/slots.ts'
import { Log } from '../../../../src/service/log.ts'
import { makeFolder } from '../../../support/processes.ts'

const KEPT = 'info configuration-kept'

interface Scene {
	readonly life: Life
	readonly lines: string[]
	readonly state: string
	readonly file: string
	/** What the supervisor has been told. */
	words(): string
}

function scene(
	t: ExecutionContext, before: SlotState, { isOwn = true, answers = true } = {},
): Scene {
	const folder = makeFolder(t)
	const fifo = join(folder, 'supervisor')
	execFileSync('mkfifo', [fifo])
	const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
	t.teardown(() => closeSync(reader))
	const state = join(folder, 'state')
	writeFileSync(state, '')
	changeSlots(state, () => before)
	const file = join(folder, 'curvegate.toml')
	writeFileSync(file, 'schema = 1\n')
	const lines: string[] = []
	const log = new Log({ level: 'info', format: 'text', write: (line) => lines.push(line) })
	const commands = new Map(answers ? [['status', () => ({})]] : [])
	const device: Device = {
		board: 'qemu-arm64', version: '1', built: 1, slot: 'b', bootloader: 'u-boot', disk: '',
		boot: { a: '', b: '' }, root: { a: '', b: '' }, app: '', state, first: '', data: '',
		dataState: 'ok',
	}
	const life = new Life({ device, commands, file, isOwn, log, fifo })
	// After the first it beats when the test says so, however slow that is.
	life.stop()
	return {
		life, lines, state, file,
		words: () => {
			const bytes = Buffer.alloc(4096)
			try {
				return bytes.toString('latin1', 0, readSync(reader, bytes))
			} catch {
				return ''
			}
		},
	}
}

/** The first beat began with the object; whoever asks again waits for its end. */
async function beats(life: Life): Promise<void> {
	while (life.isAsking) await new Promise(setImmediate)
}

const TRIAL: SlotState = { sequence: 5, slot: 'b', tries: { a: 3, b: 0 } }

test('the first answer makes a slot on trial a good one and keeps the configuration', async (t) => {
	const { life, state, file, words, lines } = scene(t, TRIAL)
	await beats(life)
	t.is(words(), 'alive\n')
	t.deepEqual(readSlots(state), { sequence: 6, slot: 'b', tries: { a: 3, b: 3 } })
	t.true(existsSync(file.replace('.toml', '.good.toml')))
	t.deepEqual(lines, ['info slot-good slot=b version=1 start=trial', KEPT])
	await life.beat()
	t.is(words(), 'alive\n')
	t.is(readSlots(state).sequence, 6)
})

test('a service that does not answer says nothing, and its slot stays on trial', async (t) => {
	const { life, state, words, lines } = scene(t, TRIAL, { answers: false })
	await beats(life)
	t.is(words(), '')
	t.deepEqual(readSlots(state), TRIAL)
	t.regex(lines.at(-1)!, /^error self-test /)
})

test('a trial that does not understand the configuration is given up', async (t) => {
	const { life, state, file, words, lines } = scene(t, TRIAL, { isOwn: false })
	await beats(life)
	t.is(words(), 'alive\nreboot\n')
	t.deepEqual(readSlots(state), TRIAL)
	t.false(existsSync(file.replace('.toml', '.good.toml')))
	t.regex(lines[0]!, /trial-failed/)
})

test('a good slot with a broken configuration stays good', async (t) => {
	const known: SlotState = { sequence: 5, slot: 'b', tries: { a: 3, b: 2 } }
	const { life, state, words } = scene(t, known, { isOwn: false })
	await beats(life)
	t.is(words(), 'alive\n')
	t.is(readSlots(state).tries.b, 3)
})

test('a return to the old slot is said, and the old slot is good', async (t) => {
	const { life, state, lines } = scene(t, { sequence: 5, slot: 'a', tries: { a: 0, b: 2 } })
	await beats(life)
	t.deepEqual(lines, ['error rolled-back from=a to=b', KEPT])
	t.deepEqual(readSlots(state), { sequence: 6, slot: 'b', tries: { a: 0, b: 3 } })
})

test('what is written after a reload is kept with the next sign of life', async (t) => {
	const { life, file } = scene(t, TRIAL)
	await beats(life)
	life.reload()
	writeFileSync(file, 'schema = 1\n# changed\n')
	await life.beat()
	t.is(readFileSync(file.replace('.toml', '.good.toml'), 'utf8'), 'schema = 1\n# changed\n')
})
