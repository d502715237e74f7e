// curvegate update on files that stand for a device's partitions.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { runCurvegate } from '../../support/curvegate.ts'
import { makeDevice } from '../../support/file-device.ts'
import { makeUpdate, SUBJECT } from '../../support/update-place.ts'

const BOOT = Buffer.alloc(150_000, 'boot ')
const ROOT = Buffer.alloc(350_000, 'root ')
const SLOT = makeUpdate([['boot', BOOT], ['root', ROOT]])
const APP = makeUpdate([['app', gzipSync('program')]])

test('a slot from a file, an application from standard input', (t) => {
	const device = makeDevice(t)
	const slot = runCurvegate(['update', device.update(SLOT), ...device.options])
	t.is(slot.code, 0, slot.stderr)
	t.is(slot.stdout, 'slot 0.2.0 of 1970-01-01T00:33Z for rpi-4: installed, '
		+ 'tried once after a restart\n')
	t.deepEqual(device.tries(), { a: 3, b: 1 })
	t.true(readFileSync(join(device.folder, 'boot_b')).subarray(0, BOOT.length).equals(BOOT))
	t.true(readFileSync(join(device.folder, 'root_b')).subarray(0, ROOT.length).equals(ROOT))
	t.true(readFileSync(join(device.folder, 'root_a')).equals(Buffer.alloc(400_000, 'root_a')))
	const last = JSON.parse(slot.stderr.trim().split('\n').at(-1)!)
	t.deepEqual([last.phase, last.bytes, last.totalBytes], ['install', 500_000, 500_000])
})

test('a pipe that stays open behind the last byte keeps nobody waiting', async (t) => {
	const device = makeDevice(t)
	const child = spawn(process.execPath, ['build/out/src/cli/main.js', 'update', '-', '--json',
		...device.options], { stdio: ['pipe', 'pipe', 'inherit'] })
	const said: Buffer[] = []
	child.stdout.on('data', (chunk: Buffer) => said.push(chunk))
	child.stdin.write(APP)
	const [code] = await once(child, 'close')
	t.is(code, 0)
	const events = Buffer.concat(said).toString().trim().split('\n').map((line) => JSON.parse(line))
	t.deepEqual(events.at(-1), { event: 'installed', ...SUBJECT, part: 'application' })
	t.is(readFileSync(join(device.folder, 'app/trial/curvegate'), 'utf8'), 'program')
})

test('errors: one line, exit code 111, and nothing written', (t) => {
	const device = makeDevice(t)
	const fails = (path: string, ...more: readonly string[]): string => {
		const { code, stdout, stderr } = runCurvegate(['update', path, ...device.options, ...more])
		t.is(code, 111, stdout)
		return stderr
	}
	t.regex(fails(join(device.folder, 'none')), /unable to read .*none: no such file or folder/)
	t.regex(fails(device.folder), /: is a folder/)
	const bad = SLOT.slice()
	bad[bad.length - 1]! ^= 1
	const damaged = fails(device.update(bad))
	t.regex(damaged, /the part root has another SHA-256 than was signed\n$/)
	t.deepEqual(device.tries(), { a: 3, b: 0 })
	const old = makeUpdate([['app', gzipSync('x')]], { ...SUBJECT, version: '0.0.9' })
	t.regex(fails(device.update(old)), /is older than what runs here .*; when it is meant: --older/)
	t.is(runCurvegate(['update', device.update(old), '--older', ...device.options]).code, 0)
	const dry = runCurvegate(['update', device.update(SLOT), '--dry-run', ...device.options])
	t.regex(dry.stdout, /: right; nothing was written\n$/)
	t.deepEqual(device.tries(), { a: 3, b: 0 })
	writeFileSync(join(device.folder, 'update.pub'), 'zz')
	t.regex(fails(device.update(SLOT)), /update\.pub: expected 64 hexadecimal digits/)
	writeFileSync(join(device.folder, 'slots.json'), '{"board": 1}')
	t.regex(fails(device.update(SLOT)), /unable to understand .*slots\.json/)
})

test('where the board\'s firmware chooses the slot, only applications are taken', (t) => {
	const device = makeDevice(t, 'tryboot')
	const slot = runCurvegate(['update', device.update(SLOT), ...device.options])
	t.is(slot.code, 111)
	t.regex(slot.stderr, /the firmware of this board chooses the slot.*--app/)
	t.deepEqual(device.tries(), { a: 3, b: 0 })
	t.is(runCurvegate(['update', device.update(APP), ...device.options]).code, 0)
})

test('a machine that runs no image says what updates it', (t) => {
	const device = makeDevice(t)
	const { code, stderr } = runCurvegate(['update', device.update(SLOT), '--device', '/none'])
	t.is(code, 111)
	t.regex(stderr, /this machine runs no image of curvegate; .*make deploy/)
})
