// An image assembled from small parts: the table of partitions, what lies in them, and that the
// same parts make the same bytes. No downloads.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { makeCard } from '../../../../scripts/image/assemble.ts'
import { autoboot, bootScript } from '../../../../scripts/image/boot.ts'
import { PARTS } from '../../../../scripts/image/describe.ts'
import {
	makeCpio, makeFat, makeSquashfs, type Maker,
} from '../../../../scripts/image/file-systems.ts'
import { layoutOf, partitionOf, uuidOf, type Layout } from '../../../../scripts/image/layout.ts'
import { appletsOf } from '../../../../scripts/image/libraries.ts'
import { recipes, type Recipe } from '../../../../scripts/image/recipe.ts'
import { refuseSecrets } from '../../../../scripts/image/secrets.ts'
import { Tools } from '../../../../scripts/image/tools.ts'
import { Tree } from '../../../../scripts/tree.ts'
import { decodeState } from '../../../../src/service/firmware/slots.ts'
import { Usage } from '../../../../src/platform/trouble.ts'
import { makeFolder } from '../../../support/processes.ts'
import { needs } from '../../../support/needs.ts'

const DATE = 1_700_000_000
const MEBI = 2 ** 20
const BOARD = 'test-board'

const maker: Maker = { tools: new Tools(DATE), board: BOARD, date: DATE }

async function sizes(table: 'gpt' | 'mbr'): Promise<Recipe['image']> {
	const [recipe] = await recipes()
	return {
		...recipe!.image, 'partition-table': table, 'first-size': 2 * MEBI, 'boot-size': 3 * MEBI,
		'root-size': MEBI, 'data-size': 4 * MEBI,
	}
}

interface Table {
	readonly partitiontable: {
		readonly label: string
		readonly partitions: readonly {
			readonly node: string, readonly start: number, readonly size: number, readonly name?: string
		}[]
	}
}

/** A card of small parts; written at another time in every folder. */
function card(t: ExecutionContext, layout: Layout): string {
	const folder = makeFolder(t)
	const tree = (name: string, files: Readonly<Record<string, string>>): Tree => {
		const one = new Tree(join(folder, 'work', name), DATE)
		for (const [path, text] of Object.entries(files)) one.write(path, text)
		return one
	}
	const root = tree('root', { 'sbin/init': '#!/bin/sh\n', 'etc/hosts': 'localhost\n' })
	makeSquashfs(maker, root, join(folder, PARTS.root), partitionOf(layout, 'root_a').sizeBytes)
	makeCard(maker, layout, {
		first: tree('first', { 'boot.scr': 'script' }),
		boot: tree('boot', { 'kernel.img': 'kernel', 'overlays/a.dtbo': 'a' }),
	}, folder)
	return join(folder, 'disk.img')
}

for (const table of ['gpt', 'mbr'] as const) {
	needs('sfdisk', 'mksquashfs', 'unsquashfs', 'mkfs.vfat', 'mdir', 'mke2fs', 'e2fsck')(
		`${table}: seven partitions with the same numbers, each with its file system`, async (t) => {
			const layout = layoutOf(await sizes(table))
			const disk = card(t, layout)
			const { partitiontable: { label, partitions } }: Table =
				JSON.parse(execFileSync('/sbin/sfdisk', ['--json', disk], { encoding: 'utf8' }))
			t.is(label, table === 'gpt' ? 'gpt' : 'dos')
			const numbers = partitions.map(({ node }) => Number(node.slice(disk.length)))
			t.deepEqual(numbers, table === 'gpt' ? [1, 2, 3, 5, 6, 7, 8] : [1, 2, 3, 4, 5, 6, 7, 8])
			for (const { number, name, startBytes, sizeBytes } of layout.partitions) {
				const found = partitions[numbers.indexOf(number)]!
				t.deepEqual([found.start * 512, found.size * 512], [startBytes, sizeBytes], name)
				if (table === 'gpt') t.is(found.name, name)
			}
			const at = (name: string): number => partitionOf(layout, name).startBytes
			const mdir = (name: string): string => execFileSync('mdir',
				['-b', '-/', '-i', `${disk}@@${at(name)}`, '::'], { encoding: 'utf8' })
			t.is(mdir('boot').trim(), '::/boot.scr')
			t.deepEqual(mdir('boot_a').trim().split('\n').sort(), [
				'::/kernel.img', '::/overlays/', '::/overlays/a.dtbo'])
			t.regex(execFileSync('unsquashfs', ['-l', '-o', String(at('root_a')), disk],
				{ encoding: 'utf8' }), /squashfs-root\/sbin\/init/)
			const bytes = readFileSync(disk)
			const data = join(disk, '../data.part')
			writeFileSync(data, bytes.subarray(at('data'), at('data') + 4 * MEBI))
			t.notThrows(() => execFileSync('/sbin/e2fsck', ['-fn', data], { stdio: 'ignore' }))
			t.like(decodeState(bytes.subarray(at('state'), at('state') + 512)), {
				slot: 'a', tries: { a: 3, b: 0 },
			})
			for (const empty of ['boot_b', 'root_b']) {
				t.true(bytes.subarray(at(empty), at(empty) + MEBI).every((one) => one === 0), empty)
			}
		})

	needs('sfdisk', 'mksquashfs', 'mkfs.vfat', 'mcopy', 'mke2fs')(
		`${table}: the same parts make the same bytes`, async (t) => {
			const layout = layoutOf(await sizes(table))
			const one = readFileSync(card(t, layout))
			const two = readFileSync(card(t, layout))
			t.is(one.findIndex((byte, i) => byte !== two[i]), -1)
			t.is(one.length, layout.sizeBytes)
		})
}

test('no two partitions overlap, on any board; none begins off a mebibyte', async (t) => {
	for (const { board, image } of await recipes()) {
		const { partitions, sizeBytes } = layoutOf(image)
		let end = 0
		for (const { name, startBytes, sizeBytes: n } of partitions) {
			t.true(startBytes >= end, `${board} ${name}`)
			t.is(startBytes % MEBI, 0)
			end = startBytes + n
		}
		t.true(end < sizeBytes)
	}
})

test('identities come from names: each its own, the same every time', (t) => {
	t.is(uuidOf('a', 'x'), uuidOf('a', 'x'))
	t.not(uuidOf('a', 'x'), uuidOf('a', 'y'))
	t.not(uuidOf('a', 'x'), uuidOf('b', 'x'))
	t.regex(uuidOf('a', 'x'), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})

needs('cpio', 'zstd')('the first stage is the same whenever its files were written', (t) => {
	const made = [1, 2].map((time) => {
		const folder = makeFolder(t)
		const tree = new Tree(join(folder, 'tree'), DATE)
		tree.write('init', '#!/bin/sh\n', 0o755)
		tree.link('bin/sh', 'busybox')
		tree.folder('proc')
		// As depmod and mkimage write: by the user's umask.
		writeFileSync(join(tree.root, 'list'), 'one\n', { mode: time === 1 ? 0o600 : 0o664 })
		utimesSync(join(tree.root, 'init'), time, time)
		makeCpio(maker, tree, join(folder, 'stage1'), 19)
		return readFileSync(join(folder, 'stage1'))
	})
	t.deepEqual(made[0], made[1])
	const list = execFileSync('cpio', ['-t', '--quiet'], {
		input: execFileSync('zstd', ['-d'], { input: made[0]! }), encoding: 'utf8',
	})
	t.deepEqual(list.trim().split('\n'), ['.', 'bin', 'bin/sh', 'init', 'list', 'proc'])
})

needs('mkfs.vfat', 'mcopy', 'mksquashfs')('what does not fit is said with both sizes', (t) => {
	const folder = makeFolder(t)
	const tree = new Tree(join(folder, 'tree'), DATE)
	tree.write('kernel.img', Buffer.alloc(3 * MEBI, 'k'))
	const fat = t.throws(() => makeFat(maker, tree, join(folder, 'fat'), 'slot', 2 * MEBI),
		{ instanceOf: Usage })
	t.is(fat.message, 'slot needs 3M and has 2M')
	const root = t.throws(() => makeSquashfs(maker, tree, join(folder, 'root'), 512),
		{ instanceOf: Usage })
	t.is(root.message, 'the root needs 4K and root-size is 0.5K')
})

test('U-Boot is told the partitions by number, and tries the other slot', async (t) => {
	const script = bootScript(layoutOf(await sizes('gpt')))
	t.regex(script, /^setenv part_state 8\nsetenv part_a 2\nsetenv part_b 3$/m)
	t.true(script.includes(readFileSync('scripts/device/slot.cmd', 'utf8')))
	t.regex(script, /^for one in \$\{slot\} \$\{other_slot\}; do$/m)
})

test('the file that tryboot reads is one sector, and keeps its length', (t) => {
	t.is(autoboot(2, 3), '[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n')
	t.is(autoboot(3, 2).length, autoboot(2, 3).length)
	t.true(autoboot(2, 3).length <= 512)
})

test('a tree with a secret is refused, whatever it is called', (t) => {
	const secrets: readonly (readonly [string, string])[] = [
		['etc/curvegate/update.key', 'x'], ['data/keys/.expertsonly/secretkey', 'x'],
		['data/seed', 'x'], ['etc/ssh/host', '-----BEGIN OPENSSH PRIVATE KEY-----\n'],
		['etc/other', `${'0a'.repeat(64)}\n`],
	]
	for (const [path, text] of secrets) {
		const tree = new Tree(makeFolder(t), DATE)
		tree.write(path, text)
		t.throws(() => refuseSecrets(tree), {
			instanceOf: Usage, message: /must not be in an image/,
		}, path)
	}
	const tree = new Tree(makeFolder(t), DATE)
	tree.write('etc/curvegate/update.pub', `${'0a'.repeat(32)}\n`)
	t.notThrows(() => refuseSecrets(tree))
})

test('the names of applets are read out of busybox', (t) => {
	const folder = makeFolder(t)
	mkdirSync(folder, { recursive: true })
	writeFileSync(join(folder, 'busybox'), 'text\0[\0[[\0cat\0sh\0\0more')
	t.deepEqual(appletsOf(join(folder, 'busybox')), ['[', '[[', 'cat', 'sh'])
})
