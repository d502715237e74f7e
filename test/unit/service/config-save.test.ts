import {
	lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Trouble } from '../../../src/platform/trouble.ts'
import { replaceFile, saveConfig } from '../../../src/service/config-save.ts'
import { loadConfig } from '../../../src/service/config.ts'
import { Refused } from '../../../src/service/refused.ts'
import { makeGenerator } from '../../support/generator.ts'
import { MemoryDisk } from '../../support/power-cut.ts'

const OPTIONS = { boards: 'boards', machine: { compatible: [], ramBytes: 2 ** 30 } }
const TEXT = `schema = 1
keys = "keys"
[[server]]
[[server.name]]
name = "a.example"   # the first
service = "echo"
`

function folder(t: ExecutionContext): string {
	const path = mkdtempSync(join(tmpdir(), 'save-'))
	t.teardown(() => rmSync(path, { recursive: true, force: true }))
	return path
}

test('a change is written, read back, and nothing is left beside it', async (t) => {
	const dir = folder(t)
	const file = join(dir, 'curvegate.toml')
	writeFileSync(file, TEXT, { mode: 0o640 })
	const edits = [{ path: ['limits', 'connections'], value: 99 }]
	const config = await saveConfig(file, edits, OPTIONS)
	t.is(config.limits.connections, 99)
	t.deepEqual(await loadConfig(file, OPTIONS), config)
	t.is(readFileSync(file, 'utf8'), `${TEXT}\n[limits]\nconnections = 99\n`)
	t.is(statSync(file).mode & 0o777, 0o640)
	t.deepEqual(readdirSync(dir), ['curvegate.toml'])
})

test('what would not be valid is refused with its place; the file stays as it was', async (t) => {
	const file = join(folder(t), 'curvegate.toml')
	writeFileSync(file, TEXT)
	const edits = [{ path: ['limits', 'memory'], value: '1M' }]
	const error = await t.throwsAsync(saveConfig(file, edits, OPTIONS), { instanceOf: Refused })
	t.regex(error!.message, /curvegate\.toml:9:10: memory: 1024 connections need memory = /)
	t.is(readFileSync(file, 'utf8'), TEXT)
})

test('a link stays a link', async (t) => {
	const dir = folder(t)
	writeFileSync(join(dir, 'real.toml'), TEXT)
	symlinkSync('real.toml', join(dir, 'link.toml'))
	await saveConfig(join(dir, 'link.toml'), [{ path: ['log', 'level'], value: 'warn' }], OPTIONS)
	t.true(lstatSync(join(dir, 'link.toml')).isSymbolicLink())
	t.regex(readFileSync(join(dir, 'real.toml'), 'utf8'), /level = "warn"/)
})

test('a value that is there already writes nothing', async (t) => {
	const file = join(folder(t), 'curvegate.toml')
	writeFileSync(file, TEXT)
	const before = statSync(file).ino
	await saveConfig(file, [{ path: ['keys'], value: 'keys' }], OPTIONS)
	t.is(statSync(file).ino, before)
})

const OLD = new TextEncoder().encode('old')
const NEW = new TextEncoder().encode('the new one')

function diskWithOld(): MemoryDisk {
	const disk = new MemoryDisk()
	disk.makeFolder('/etc', 0o755)
	disk.write('/etc/c.toml', OLD, 0o600)
	disk.sync('/etc/c.toml')
	disk.sync('/etc')
	disk.sync('/')
	return disk
}

function contentOf(disk: MemoryDisk): string {
	const bytes = new Uint8Array(64)
	return new TextDecoder().decode(bytes.subarray(0, disk.read('/etc/c.toml', bytes)))
}

test('the power is cut before every operation: the old file or the new one, whole', (t) => {
	const seed = 20_260_805
	const { below } = makeGenerator(seed)
	const chance = (): number => below(1000) / 1000
	const found = new Set<string>()
	const start = diskWithOld().log.length
	const whole = diskWithOld()
	replaceFile('/etc/c.toml', NEW, whole)
	t.is(whole.log.length - start, 4, 'write, sync, rename, sync')
	for (let cut = 0; cut < 4; cut++) {
		for (let i = 0; i < 200; i++) {
			const disk = diskWithOld()
			disk.cutAt = start + cut
			t.throws(() => replaceFile('/etc/c.toml', NEW, disk), { instanceOf: Trouble })
			const after = disk.after(chance)
			found.add(contentOf(after))
			// And the next attempt is not stopped by what was left behind.
			replaceFile('/etc/c.toml', NEW, after)
			t.is(contentOf(after), 'the new one')
		}
	}
	t.deepEqual([...found].sort(), ['old', 'the new one'], `seed ${seed}`)
	t.is(contentOf(whole.after(chance)), 'the new one', 'once it returned, it holds')
})

test('the control: on a disk that lies about sync, the file can be torn', (t) => {
	const { below } = makeGenerator(20_260_806)
	const chance = (): number => below(1000) / 1000
	const found = new Set<string>()
	for (let i = 0; i < 500; i++) {
		const disk = diskWithOld()
		disk.lies = true
		replaceFile('/etc/c.toml', NEW, disk)
		found.add(contentOf(disk.after(chance)))
	}
	t.true([...found].some((text) => text !== 'old' && text !== 'the new one'))
})
