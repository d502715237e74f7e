// make flash from outside: onto plain files and a loop device, with provisioning, and every way in
// which it ends.

import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { needs } from '../../../support/needs.ts'
import { makeFolder } from '../../../support/processes.ts'

const MIB = 1 << 20
const BOOT = { number: 1, name: 'boot', start: MIB, bytes: 2 * MIB, fs: 'vfat' }

interface Place {
	readonly folder: string
	readonly facts: string
	readonly disk: string
	readonly target: string
}

/** A small image with a FAT in it, when mtools are here. */
function makeImage(t: ExecutionContext, boot?: string): Place {
	const folder = makeFolder(t)
	const disk = join(folder, 'disk.img')
	const bytes = Buffer.alloc(4 * MIB + 512, 'firmware ')
	if (boot !== undefined) readFileSync(boot).copy(bytes, BOOT.start)
	writeFileSync(disk, bytes)
	const facts = join(folder, 'image.json')
	writeFileSync(facts, JSON.stringify({
		board: 'rpi-4', version: '0.1.0', built: 1, image: 'disk.img', bytes: bytes.length,
		sha256: createHash('sha256').update(bytes).digest('hex'), partitions: [BOOT],
	}))
	return { folder, facts, disk, target: join(folder, 'card.img') }
}

interface Ran {
	readonly code: number | null
	readonly stdout: string
	readonly stderr: string
	readonly events: readonly Record<string, unknown>[]
}

function flash({ facts, target }: Place, ...args: readonly string[]): Ran {
	const { status, stdout, stderr } = spawnSync(process.execPath, ['build/out/scripts/flash.js',
		...args.includes('--board') ? [] : ['--board', 'rpi-4'],
		...args.includes('--device') ? [] : ['--device', target],
		...args.includes('--image') ? [] : ['--image', facts], ...args], { encoding: 'utf8' })
	const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
	return { code: status, stdout, stderr, events: lines.map((line) => JSON.parse(line)) }
}

test('onto a file: the plan, progress in lines, the same bytes', (t) => {
	const place = makeImage(t)
	const ran = flash(place, '--yes')
	t.is(ran.code, 0, ran.stderr)
	t.true(readFileSync(place.target).equals(readFileSync(place.disk)))
	t.regex(ran.stdout, /^image .*disk\.img: 4\.00 MiB, 0\.1\.0, for rpi-4$/m)
	t.regex(ran.stdout, /^target .*card\.img, made anew, file$/m)
	const progress: { phase: string, bytes: number, totalBytes: number }[] =
		ran.stderr.trim().split('\n').map((line) => JSON.parse(line))
	for (const phase of ['check', 'write', 'compare']) {
		const last = progress.findLast((one) => one.phase === phase)
		t.is(last?.bytes, 4 * MIB + 512, phase)
		t.is(last?.totalBytes, 4 * MIB + 512)
	}
	t.is(flash(place, '--yes').code, 0, 'again, over itself')
})

test('with --json: plan, progress and end are lines of JSON', (t) => {
	const ran = flash(makeImage(t), '--yes', '--json')
	t.deepEqual([...new Set(ran.events.map(({ event }) => event))], ['progress', 'plan', 'done'])
	t.is(ran.stderr, '')
	t.is(ran.events.at(-1)?.['written'], true)
})

test('--dry-run, and nobody to confirm: nothing is written', (t) => {
	const place = makeImage(t)
	const dry = flash(place, '--dry-run')
	t.is(dry.code, 0)
	t.regex(dry.stdout, /nothing was written: --dry-run\n$/)
	const unsure = flash(place)
	t.is(unsure.code, 30)
	t.regex(unsure.stderr, /nobody is here to confirm; when it is meant: --yes/)
	t.false(existsSync(place.target))
})

test('a wrong image: each cause before the target is touched', (t) => {
	const place = makeImage(t)
	writeFileSync(place.target, Buffer.alloc(5 * MIB, 1))
	const before = readFileSync(place.target)
	t.regex(flash(place, '--yes', '--board', 'rpi-5').stderr, /is for the board rpi-4, not rpi-5/)
	const absent = flash(place, '--yes', '--image', join(place.folder, 'none.json'))
	t.deepEqual([absent.code, /cure: make image BOARD=rpi-4/.test(absent.stderr)], [10, true])
	truncateSync(place.disk, 4 * MIB)
	t.regex(flash(place, '--yes').stderr, /has 4194304 bytes, image\.json says 4194816/)
	truncateSync(place.disk, 4 * MIB + 512)
	const damaged = flash(place, '--yes', '--json')
	t.is(damaged.code, 10)
	t.is(damaged.events.at(-1)?.['cause'], 'image')
	t.regex(damaged.stderr, /is damaged: its SHA-256 is/)
	writeFileSync(place.facts, '{"board": "rpi-4"}')
	t.regex(flash(place, '--yes').stderr, /image\.json: version: /)
	t.true(readFileSync(place.target).equals(before))
})

test('a target that is too small, or a folder; wrong usage', (t) => {
	const place = makeImage(t)
	writeFileSync(place.target, Buffer.alloc(MIB))
	t.is(flash(place, '--yes').code, 24)
	t.is(flash(place, '--yes', '--device', place.folder).code, 20)
	t.is(flash(place, '--devise', '/dev/null').code, 100)
	t.is(flash(place, '--provision', join(place.folder, 'none')).code, 111)
	t.regex(flash(place, '--help').stdout, /Exit codes:\n\n {2}0 .*[^]*41 /)
})

needs('mcopy', 'mkfs.vfat')('--provision: files in the FAT of the copy alone', (t) => {
	const fat = join(makeFolder(t), 'boot.fat')
	writeFileSync(fat, Buffer.alloc(BOOT.bytes))
	execFileSync('mkfs.vfat', [fat], { stdio: 'ignore', env: { ...process.env,
		PATH: `${process.env['PATH']}:/usr/sbin` } })
	const place = makeImage(t, fat)
	const before = readFileSync(place.disk)
	const box = join(place.folder, 'box.toml')
	const more = join(place.folder, 'notes.txt')
	writeFileSync(box, 'schema = 1\nboard = "rpi-4"\n')
	writeFileSync(more, 'hello\n')
	const ran = flash(place, '--yes', '--provision', box, '--provision', more)
	t.is(ran.code, 0, ran.stderr)
	t.true(readFileSync(place.disk).equals(before), 'the image is as it was')
	const show = (name: string): string => execFileSync('mtype',
		['-i', `${place.target}@@${BOOT.start}`, `::${name}`], { encoding: 'utf8' })
	t.is(show('curvegate.toml'), 'schema = 1\nboard = "rpi-4"\n')
	t.is(show('notes.txt'), 'hello\n')
	const written = readFileSync(place.target)
	const outside = [[0, BOOT.start], [BOOT.start + BOOT.bytes, before.length]] as const
	for (const [from, to] of outside) {
		t.is(Buffer.compare(written.subarray(from, to), before.subarray(from, to)), 0)
	}
	writeFileSync(box, 'schema = \n')
	const wrong = flash(place, '--yes', '--provision', box)
	t.is(wrong.code, 100)
	t.regex(wrong.stderr, /box\.toml:1:/)
})

/** A loop device over a file, when this machine lets us have one. */
function attach(t: ExecutionContext, file: string, ...args: readonly string[]): string | undefined {
	const { status, stdout } = spawnSync('losetup', ['--find', '--show', ...args, file],
		{ encoding: 'utf8', env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` } })
	if (status !== 0) return undefined
	const device = stdout.trim()
	t.teardown(() => void spawnSync('/usr/sbin/losetup', ['--detach', device]))
	return device
}

needs('losetup', 'root', 'linux')('onto a loop device: read back from the medium', (t) => {
	const place = makeImage(t)
	const file = join(place.folder, 'loop.img')
	writeFileSync(file, Buffer.alloc(8 * MIB, 0xa5))
	const device = attach(t, file)
	if (device === undefined) return void t.pass('no loop device to be had here')
	const ran = flash(place, '--yes', '--json', '--device', device)
	t.is(ran.code, 0, ran.stderr)
	t.is(ran.events.at(-1)?.['fromMedium'], true)
	t.true(readFileSync(file).subarray(0, 4 * MIB + 512).equals(readFileSync(place.disk)))
	chmodSync(file, 0o444)
	const locked = attach(t, file, '--read-only')
	if (locked !== undefined) t.is(flash(place, '--yes', '--device', locked).code, 26)
})
