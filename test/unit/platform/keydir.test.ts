import { execFileSync } from 'node:child_process'
import {
	chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync,
	symlinkSync, writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { toHex } from '../../../src/base/hex.ts'
import { makeTweetnacl } from '../../../src/crypto/tweetnacl.ts'
import { makeEntropy } from '../../../src/platform/entropy.ts'
import { createKeys, readKeys, readPublicKey } from '../../../src/platform/keydir.ts'
import { Trouble } from '../../../src/platform/trouble.ts'
import { makeGenerator } from '../../support/generator.ts'
import { needs } from '../../support/needs.ts'
import { MemoryDisk } from '../../support/power-cut.ts'

const box = makeTweetnacl()
const entropy = makeEntropy()

const LAYOUT = [
	'keys/ 755',
	'keys/.expertsonly/ 700',
	'keys/.expertsonly/lock 1 600',
	'keys/.expertsonly/noncecounter 8 600',
	'keys/.expertsonly/noncekey 32 600',
	'keys/.expertsonly/secretkey 32 600',
	'keys/publickey 32 644',
]

function folder(t: ExecutionContext): string {
	const path = mkdtempSync(join(tmpdir(), 'keydir-'))
	t.teardown(() => rmSync(path, { recursive: true, force: true }))
	return path
}

function layoutOf(parent: string): string[] {
	return readdirSync(parent, { recursive: true, encoding: 'utf8' }).sort().map((name) => {
		const seen = statSync(join(parent, name))
		const mode = (seen.mode & 0o7777).toString(8)
		return seen.isDirectory() ? `${name}/ ${mode}` : `${name} ${seen.size} ${mode}`
	})
}

test('a new directory has the layout and the modes of the original, and nothing beside it', (t) => {
	const parent = folder(t)
	const publicKey = createKeys(join(parent, 'keys'), box, entropy)
	t.deepEqual(layoutOf(parent), LAYOUT)
	const keys = readKeys(join(parent, 'keys'), box)
	t.deepEqual(keys.publicKey, publicKey)
	t.deepEqual(readPublicKey(join(parent, 'keys')), publicKey)
	t.notDeepEqual(keys.secretKey, publicKey)
	const inside = (name: string): Buffer => readFileSync(join(parent, 'keys/.expertsonly', name))
	t.deepEqual([...inside('lock'), ...inside('noncecounter')], Array(9).fill(0))
	t.notDeepEqual(inside('noncekey'), inside('secretkey'))
	t.notDeepEqual(inside('noncekey'), Buffer.alloc(32))
})

test('the modes hold under any umask', (t) => {
	const parent = folder(t)
	for (const umask of ['000', '077', '777']) {
		const made = `${parent}/${umask}`
		mkdirSync(made)
		const code = `const { createKeys } = await import('./src/platform/keydir.js')
			const { makeTweetnacl } = await import('./src/crypto/tweetnacl.js')
			const { makeEntropy } = await import('./src/platform/entropy.js')
			process.umask(0o${umask})
			createKeys('${made}/keys', makeTweetnacl(), makeEntropy())`
		execFileSync(process.execPath, ['--input-type=module', '-e', code], { cwd: 'build/out' })
		t.deepEqual(layoutOf(made), LAYOUT)
	}
})

test('what is there is never overwritten: directory, empty directory, file, dangling link', (t) => {
	const parent = folder(t)
	const dir = join(parent, 'keys')
	const publicKey = createKeys(dir, box, entropy)
	mkdirSync(join(parent, 'empty'))
	writeFileSync(join(parent, 'file'), 'mine')
	symlinkSync('nowhere', join(parent, 'link'))
	const before = readdirSync(parent)
	for (const name of ['keys', 'empty', 'file', 'link']) {
		const error = t.throws(() => createKeys(join(parent, name), box, entropy),
			{ instanceOf: Trouble })
		t.is(error.message, `unable to create ${join(parent, name)}: `
			+ 'it exists already, and keys are never overwritten')
	}
	t.deepEqual(readdirSync(parent), before)
	t.deepEqual(readPublicKey(dir), publicKey)
})

test('a parent that is absent or no folder is trouble', (t) => {
	const parent = folder(t)
	writeFileSync(join(parent, 'file'), '')
	for (const name of ['none', 'file']) {
		t.throws(() => createKeys(join(parent, name, 'keys'), box, entropy),
			{ instanceOf: Trouble, message: /: there is no folder / })
	}
})

test('what a power cut left of a dead process is swept away; a living one\'s stays', (t) => {
	const parent = folder(t)
	const dead = execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }).trim()
	mkdirSync(join(parent, `.keys.unfinished-${dead}`))
	mkdirSync(join(parent, '.keys.unfinished-1'))
	mkdirSync(join(parent, `.other.unfinished-${dead}`))
	createKeys(join(parent, 'keys'), box, entropy)
	t.deepEqual(readdirSync(parent).sort(),
		['.keys.unfinished-1', `.other.unfinished-${dead}`, 'keys'])
})

/** Cuts the power before every operation and draws media; says what is wrong with them. */
function faultsAfterCuts(seed: number, lies: boolean): string[] {
	const generator = makeGenerator(seed)
	const chance = (): number => generator.below(1000) / 1000
	const faults: string[] = []
	const whole = new MemoryDisk()
	createKeys('/keys', box, makeGenerator(seed), whole)
	for (let cutAt = 0; cutAt <= whole.log.length; cutAt++) {
		const disk = new MemoryDisk()
		disk.cutAt = cutAt
		disk.lies = lies
		try {
			createKeys('/keys', box, makeGenerator(seed + cutAt), disk)
		} catch {
			// The power is gone.
		}
		for (let i = 0; i < 40; i++) {
			const found = disk.after(chance)
			const fault = faultOf(found, whole.log[cutAt] ?? 'the end', cutAt === whole.log.length)
			if (fault !== undefined) faults.push(fault)
		}
	}
	return faults
}

function faultOf(found: MemoryDisk, before: string, done: boolean): string | undefined {
	try {
		if (found.look('/keys') === undefined) {
			if (done) return 'created, and gone after a power cut'
			createKeys('/keys', box, makeGenerator(1), found)
		}
		readKeys('/keys', box, found)
		const left = found.tree().filter((line) => line.startsWith('keys'))
		return left.join() === LAYOUT.join() ? undefined : `cut before ${before}: ${left.join()}`
	} catch (error) {
		return `cut before ${before}: ${String(error)}`
	}
}

test('power cut before any operation: all or nothing, and keygen works again', (t) => {
	const seed = Number(process.env['SEED'] ?? 6)
	t.log(`seed ${seed}`)
	t.deepEqual(faultsAfterCuts(seed, false), [], `seed ${seed}`)
	t.true(faultsAfterCuts(seed, true).length > 0, 'a disk that lies about sync is noticed')
})

test('an error at any operation is trouble, and nothing half-made stays', (t) => {
	const whole = new MemoryDisk()
	createKeys('/keys', box, makeGenerator(1), whole)
	t.deepEqual(whole.tree(), LAYOUT)
	for (let failAt = 0; failAt < whole.log.length; failAt++) {
		const disk = new MemoryDisk()
		disk.failAt = failAt
		t.throws(() => createKeys('/keys', box, makeGenerator(1), disk),
			{ instanceOf: Trouble, message: 'unable to create /keys: i/o error' })
		const moved = failAt === whole.log.length - 1
		t.deepEqual(disk.tree(), moved ? LAYOUT : [], whole.log[failAt])
	}
})

type Spoil = readonly [title: string, spoil: (dir: string) => void, message: RegExp]

const SPOILS: readonly Spoil[] = [
	['no directory', (dir) => rmSync(dir, { recursive: true }),
		/^unable to read \S+keys: no such key directory; cure: curvegate keygen \S+keys$/],
	['a file instead', (dir) => {
		rmSync(dir, { recursive: true })
		writeFileSync(dir, '')
	}, /^unable to read \S+keys: not a key directory$/],
	['no .expertsonly', (dir) => rmSync(join(dir, '.expertsonly'), { recursive: true }),
		/^unable to read \S+expertsonly: no such folder$/],
	['.expertsonly open', (dir) => chmodSync(join(dir, '.expertsonly'), 0o755),
		/^unable to use \S+: open to other users \(mode 0755\); cure: chmod 700 \S+expertsonly$/],
	['no secret key', (dir) => rmSync(join(dir, '.expertsonly/secretkey')),
		/^unable to read \S+secretkey: no such file$/],
	['secret key open to the group', (dir) => chmodSync(join(dir, '.expertsonly/secretkey'), 0o640),
		/^unable to use \S+: open to other users \(mode 0640\); cure: chmod 600 \S+secretkey$/],
	['secret key short', (dir) => writeFileSync(join(dir, '.expertsonly/secretkey'), 'short'),
		/^unable to read \S+secretkey: 5 bytes, expected 32$/],
	['secret key a folder', (dir) => {
		rmSync(join(dir, '.expertsonly/secretkey'))
		mkdirSync(join(dir, '.expertsonly/secretkey'))
	}, /^unable to read \S+secretkey: not a file$/],
	['secret key a link to itself', (dir) => {
		rmSync(join(dir, '.expertsonly/secretkey'))
		symlinkSync('secretkey', join(dir, '.expertsonly/secretkey'))
	}, /^unable to read \S+secretkey: too many symbolic links encountered$/],
	['secret key a FIFO', (dir) => {
		rmSync(join(dir, '.expertsonly/secretkey'))
		execFileSync('mkfifo', [join(dir, '.expertsonly/secretkey')])
	}, /^unable to read \S+secretkey: not a file$/],
	['public key short', (dir) => writeFileSync(join(dir, 'publickey'), ''),
		/^unable to read \S+publickey: 0 bytes, expected 32$/],
	['public key of another', (dir) => writeFileSync(join(dir, 'publickey'), Buffer.alloc(32, 1)),
		/^unable to use \S+publickey: it does not belong to the secret key beside it$/],
]

for (const [title, spoil, message] of SPOILS) {
	test(`refused: ${title}`, (t) => {
		const dir = join(folder(t), 'keys')
		createKeys(dir, box, entropy)
		spoil(dir)
		t.throws(() => readKeys(dir, box), { instanceOf: Trouble, message })
	})
}

test('bytes after the 32nd and an absent public key do no harm, as in the original', (t) => {
	const dir = join(folder(t), 'keys')
	const publicKey = createKeys(dir, box, entropy)
	const secret = join(dir, '.expertsonly/secretkey')
	writeFileSync(secret, Buffer.concat([readFileSync(secret), Buffer.from('more')]))
	rmSync(join(dir, 'publickey'))
	t.deepEqual(readKeys(dir, box).publicKey, publicKey)
	t.throws(() => readPublicKey(dir), { instanceOf: Trouble, message: /publickey: no such file/ })
})

needs('curvecpmakekey', 'curvecpprintkey')('the original tools and ours read each other', (t) => {
	const parent = folder(t)
	const ours = createKeys(join(parent, 'ours'), box, entropy)
	const print = (dir: string): string =>
		execFileSync('curvecpprintkey', [join(parent, dir)], { encoding: 'utf8' }).trim()
	t.is(print('ours'), toHex(ours))
	execFileSync('curvecpmakekey', [join(parent, 'theirs')])
	t.is(toHex(readKeys(join(parent, 'theirs'), box).publicKey), print('theirs'))
	t.is(toHex(readPublicKey(join(parent, 'theirs'))), print('theirs'))
	const lines = layoutOf(parent)
	const part = (dir: string): string[] => lines.filter((line) => line.startsWith(dir))
	const bare = (dir: string): string[] => part(dir).map((line) => line.slice(dir.length))
	t.deepEqual(bare('ours'), bare('theirs'))
	t.true(existsSync(join(parent, 'theirs')))
})
