import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { nodeDisk, type Disk } from '../../../../src/platform/disk.ts'
import {
	defaultText, keepGood, keptConfig, type Kept,
} from '../../../../src/service/firmware/kept-config.ts'
import { makeFolder } from '../../../support/processes.ts'

const OPTIONS = {
	boards: 'boards', board: 'qemu-arm64', alwaysConsole: true,
	machine: { compatible: [], ramBytes: 2 ** 30 },
}
const OWN = 'schema = 1\n[limits]\nconnections = 77\n'

interface Box {
	readonly file: string
	start(disk?: Disk): Promise<Kept>
}

function box(t: ExecutionContext): Box {
	const file = join(makeFolder(t), 'curvegate.toml')
	return { file, start: (disk = nodeDisk) => keptConfig(file, 'qemu-arm64', { ...OPTIONS, disk }) }
}

test('the first start writes a configuration with a page and the console', async (t) => {
	const { file, start } = box(t)
	const { config, isOwn, notes } = await start()
	t.deepEqual(notes, [])
	t.true(isOwn)
	t.is(readFileSync(file, 'utf8'), defaultText('qemu-arm64'))
	t.is(config.servers[0]?.names[0]?.service.kind, 'welcome')
	t.is(config.console?.device, '/dev/ttyAMA0')
	t.deepEqual((await start()).config, config)
})

test('a file without [console] has one on a device', async (t) => {
	const { file, start } = box(t)
	writeFileSync(file, OWN)
	const { config, isOwn, notes } = await start()
	t.true(isOwn)
	t.deepEqual(notes, [])
	t.is(config.limits.connections, 77)
	t.not(config.console, undefined)
})

for (const [what, damaged] of [
	['cut off', OWN.slice(0, 16)], ['empty', ''], ['zeros', '\0'.repeat(60)],
	['another word', OWN.replace('connections', 'conections')],
] as const) {
	test(`damaged (${what}): the last good one is used and said`, async (t) => {
		const { file, start } = box(t)
		writeFileSync(file, OWN)
		keepGood(file)
		writeFileSync(file, damaged)
		const { config, isOwn, notes } = await start()
		t.false(isOwn)
		t.is(config.limits.connections, 77)
		t.regex(notes[0]!, /^the configuration cannot be used: .*curvegate\.toml/)
		t.regex(notes[1]!, /^the last good configuration is used/)
		// The console edits what runs, and nothing is lost.
		t.is(readFileSync(file, 'utf8'), OWN)
		t.is(readFileSync(file.replace('.toml', '.refused.toml'), 'utf8'), damaged)
		t.true((await start()).isOwn)
	})
}

test('both damaged: the one that every image begins with, and said', async (t) => {
	const { file, start } = box(t)
	writeFileSync(file, 'x')
	writeFileSync(file.replace('.toml', '.good.toml'), 'y')
	const { config, isOwn, notes } = await start()
	t.false(isOwn)
	t.is(config.servers.length, 1)
	t.is(notes.length, 3)
	t.regex(notes[1]!, /^the last good configuration cannot be used/)
	t.is(notes[2], 'the configuration that every image begins with is used')
})

test('lost but for the good one: that is used', async (t) => {
	const { file, start } = box(t)
	writeFileSync(file.replace('.toml', '.good.toml'), OWN)
	t.is((await start()).config.limits.connections, 77)
	t.true(existsSync(file))
})

test('a machine with too little memory is reached all the same', async (t) => {
	const { file } = box(t)
	const machine = { compatible: ['linux,dummy-virt'], ramBytes: 64 << 20 }
	const first = await keptConfig(file, 'qemu-arm64', { ...OPTIONS, machine })
	t.is(first.config.servers.length, 1)
	const { config, isOwn, notes } = await keptConfig(file, 'qemu-arm64', { ...OPTIONS, machine })
	t.false(isOwn)
	t.is(config.servers.length, 1)
	t.regex(notes[0]!, /^the configuration cannot be used: .*are more than 0\.5 of the 64M/)
})

test('a full disk is said and ends nothing', async (t) => {
	const { file, start } = box(t)
	const full: Disk = {
		...nodeDisk,
		write: () => {
			throw Object.assign(new Error('full'), { code: 'ENOSPC' })
		},
	}
	const first = await start(full)
	t.is(first.config.servers.length, 1)
	const cause = `unable to write ${file}: no space left on device`
	t.deepEqual(first.notes, [`it is in memory only: ${cause}`])

	writeFileSync(file.replace('.toml', '.good.toml'), OWN)
	t.is((await start(full)).config.limits.connections, 77)
})

test('the good one is written only when it differs', (t) => {
	const { file } = box(t)
	writeFileSync(file, OWN)
	keepGood(file)
	const good = file.replace('.toml', '.good.toml')
	const { ino } = statSync(good)
	keepGood(file)
	t.is(statSync(good).ino, ino)
	writeFileSync(file, `${OWN}# more\n`)
	keepGood(file)
	t.is(readFileSync(good, 'utf8'), `${OWN}# more\n`)
	t.deepEqual(readdirSync(join(file, '..')).sort(), ['curvegate.good.toml', 'curvegate.toml'])
})
