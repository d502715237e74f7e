// What images are made of: every board's [image] is complete, everything is pinned, and what a
// mirror no longer has, or sends damaged, is said by name.

import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Apt } from '../../../../scripts/image/apt.ts'
import { layoutOf } from '../../../../scripts/image/layout.ts'
import {
	findDeb, findNpm, readPins, writePins, type DebPin,
} from '../../../../scripts/image/pins.ts'
import { recipes, recipeOf } from '../../../../scripts/image/recipe.ts'
import { Tools } from '../../../../scripts/image/tools.ts'
import { Trouble, Usage } from '../../../../src/platform/trouble.ts'
import { loadBoards } from '../../../../src/service/board.ts'
import { makeFolder } from '../../../support/processes.ts'
import { needs } from '../../../support/needs.ts'

const WITH_IMAGE = ['qemu-arm64', 'rpi-3', 'rpi-4', 'rpi-zero-2w']

test('the boards that have an image, and why the others have none', async (t) => {
	const { boards } = await loadBoards(['boards'])
	const ours = boards.filter(({ profile }) => profile.image !== undefined)
	t.deepEqual(ours.map(({ name }) => name), WITH_IMAGE)
	for (const { name, profile } of boards) {
		if (name === 'host' || profile.image !== undefined) continue
		t.regex(profile.status.reason, /no image/, name)
	}
})

test('every [image] is complete: pins, boot loader, device trees, sizes', async (t) => {
	const pins = readPins()
	for (const recipe of await recipes()) {
		const { board, image, profile, suite, architecture, nodeVersion } = recipe
		for (const name of recipe.packages) {
			t.notThrows(() => findDeb(pins, suite, architecture, name), board)
		}
		t.notThrows(() => findNpm(pins, `node-linux-${architecture}`, nodeVersion), board)
		t.is(image['bootloader-file'] === undefined, image['bootloader-package'] === undefined, board)
		t.is(image.dtbs === undefined, image['firmware-files'] === undefined, board)
		t.is(image.bootloader, 'u-boot', `${board}: what switches slots`)
		t.truthy(profile.watchdog, board)
		t.truthy(profile.hardware.compatible, board)
		t.truthy(profile.server.keys, board)
		t.true(image.modules.includes('squashfs'), board)
		const consoles = image['command-line'].filter((word) => word.startsWith('console='))
		t.deepEqual(consoles.map((word) => `/dev/${word.slice(8).split(',')[0]}`),
			[profile.console!.device], `${board}: the kernel speaks where the console is`)
		t.true(layoutOf(image).sizeBytes < 2 ** 30, `${board}: fits on every card`)
	}
})

test('every pin has a sum, and no two name the same package', (t) => {
	const { debs, npm } = readPins()
	t.true(debs.length > 20 && npm.length > 0)
	for (const { name, sha256 } of debs) t.regex(sha256, /^[0-9a-f]{64}$/, name)
	for (const { name, integrity } of npm) t.regex(integrity, /^sha512-.{86}==$/, name)
	const keys = debs.map(({ suite, architecture, name }) => `${suite} ${architecture} ${name}`)
	t.is(new Set(keys).size, keys.length)
})

test('pins are read back as written; a wrong line is named', (t) => {
	const file = join(makeFolder(t), 'pins.txt')
	writePins(readPins(), file)
	t.is(readFileSync(file, 'utf8'), readFileSync('scripts/image/pins.txt', 'utf8'))
	writeFileSync(file, '# head\ndeb bookworm arm64\n')
	const wrong = t.throws(() => readPins(file), { instanceOf: Usage })
	t.deepEqual(wrong.place, { file, line: 2 })
	t.throws(() => findDeb({ debs: [], npm: [] }, 'bookworm', 'arm64', 'x'),
		{ message: 'no pin for x of bookworm on arm64; make pins writes one' })
})

test('a board without an image says why; an unknown one names the nearest', async (t) => {
	for (const [name, message] of [
		['rpi-5', /'rpi-5' has no \[image\]: /], ['rpi-44', /did you mean 'rpi-4'/],
		['rpi-debian', /is no board/],
	] as const) await t.throwsAsync(recipeOf(name), { instanceOf: Usage, message }, name)
})

test('make image says what is wrong in one line, with the exit code of usage', (t) => {
	for (const [words, message] of [
		[[], /^image: fatal: BOARD is missing; those with an image: qemu-arm64, rpi-3, /],
		[['host'], /^image: fatal: board 'host' has no \[image\]: /],
		[['qemu-arm64', '--update-key', '/no/such'], /^image: fatal: \/no\/such: no such file; cure: /],
		[['qemu-arm64', '--update-key', 'LICENSE', '--out', 'src'],
			/^image: fatal: src holds files that are no image; /],
		[['--nonsense'], /^image: fatal: .*--nonsense/],
	] as const) {
		const { status, stderr } = spawnSync(process.execPath,
			['build/out/scripts/image/main.js', ...words], { encoding: 'utf8' })
		t.regex(stderr, message)
		t.is(stderr.trim().split('\n').length, 1)
		t.is(status, 100)
	}
})

/** An apt that has one version of one package, whose file holds `content`. */
function mirror(
	t: ExecutionContext, version: string, content: string,
): { tools: Tools, cache: string } {
	const folder = makeFolder(t)
	const bin = join(folder, 'bin')
	mkdirSync(bin)
	const script = (name: string, text: string): void => {
		writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`)
		chmodSync(join(bin, name), 0o755)
	}
	script('apt-get', `for word; do case $word in
		indextargets) echo http://mirror.invalid/debian/; echo http://mirror.invalid/debian-security/ ;;
		download) printf '${content}' >thing_${version}_arm64.deb ;;
	esac; done`)
	script('apt-cache', `for word; do case $word in
		madison) echo ' thing | ${version} | here' ;;
		policy) echo '  Candidate: ${version}' ;;
	esac; done`)
	return { tools: new Tools(0, `${bin}:${process.env['PATH']}`), cache: join(folder, 'cache') }
}

function pin(version: string, content: string): DebPin {
	const sha256 = execFileSync('sha256sum', { input: content, encoding: 'utf8' }).slice(0, 64)
	return { suite: 'bookworm', architecture: 'arm64', use: 'board', name: 'thing', version, sha256 }
}

needs('sha256sum')('a pinned package is downloaded once, and looked at each time', (t) => {
	const { tools, cache } = mirror(t, '2', 'good')
	const fetch = (): string =>
		new Apt(tools, cache, 'bookworm', 'arm64').fetch([pin('2', 'good')]).get('thing')!
	const path = fetch()
	t.is(readFileSync(path, 'utf8'), 'good')
	writeFileSync(path, 'rotten')
	t.is(fetch(), path)
	t.is(readFileSync(path, 'utf8'), 'good', 'a damaged file in the cache is fetched again')
})

needs('sha256sum')('a damaged download is refused by name, and not kept', (t) => {
	const { tools, cache } = mirror(t, '2', 'rotten')
	const apt = new Apt(tools, cache, 'bookworm', 'arm64')
	const error = t.throws(() => apt.fetch([pin('2', 'good')]), { instanceOf: Trouble })
	t.is(error.message, 'unable to use thing 2: damaged download: its sum is not the pinned one')
	t.false(existsSync(join(cache, 'debs/thing_2_arm64.deb')))
})

needs('sha256sum')('a version that the mirror no longer has is named with the newest', (t) => {
	const { tools, cache } = mirror(t, '2', 'good')
	const apt = new Apt(tools, cache, 'bookworm', 'arm64')
	const error = t.throws(() => apt.fetch([pin('1', 'old')]), { instanceOf: Trouble })
	t.is(error.message, 'unable to download thing 1 (no longer on the mirror; its newest is 2): '
		+ 'make pins takes the newest')
})

test('missing tools are named with the line that installs them', (t) => {
	const tools = new Tools(0, '/nonexistent')
	const root = process.geteuid
	process.geteuid = () => 1000
	t.teardown(() => {
		if (root !== undefined) process.geteuid = root
	})
	const error = t.throws(() => tools.ensure(), { instanceOf: Trouble })
	t.regex(error.message, /^unable to begin without .*squashfs-tools.*: cure: sudo apt-get install /)
})
