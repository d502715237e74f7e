// The file systems of an image, as files, without root and without mounting: identities, times and
// order come from the board and the source, so the same input makes the same bytes.

import { rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Usage } from '../../src/platform/trouble.ts'
import { formatSize } from '../../src/service/quantities.ts'
import type { Tree } from '../tree.ts'
import { sfdiskScript, uuidOf, volumeIdOf, type Layout } from './layout.ts'
import type { Tools } from './tools.ts'

/** 19 takes more than twice as long and saves a hundredth. */
const ROOT_LEVEL = '15'

export interface Maker {
	readonly tools: Tools
	readonly board: string
	/** In seconds since 1970. */
	readonly date: number
}

export function makeFat(
	{ tools, board }: Maker, tree: Tree, file: string, name: string, sizeBytes: number,
): void {
	const label = name === 'boot' ? 'CGBOOT' : 'CGSLOT'
	makeEmpty(file, sizeBytes)
	tools.run('mkfs.vfat', ['--invariant', '-i', volumeIdOf(board, name), '-n', label, file])
	tree.settle()
	const entries = tree.entries().filter((path) => !path.includes('/'))
	if (entries.length === 0) return
	const from = entries.map((path) => join(tree.root, path))
	try {
		tools.run('mcopy', ['-s', '-m', '-i', file, ...from, '::'])
	} catch (error) {
		const needed = tree.files().reduce((sum, path) => sum + statSync(join(tree.root, path)).size, 0)
		if (needed < sizeBytes * 0.98) throw error
		throw new Usage(`${name} needs ${formatSize(needed)} and has ${formatSize(sizeBytes)}`)
	}
}

export function makeSquashfs(
	{ tools }: Maker, tree: Tree, file: string, sizeBytes: number,
): void {
	rmSync(file, { force: true })
	tree.settle()
	tools.run('mksquashfs', [tree.root, file, '-noappend', '-all-root', '-no-progress', '-no-xattrs',
		'-comp', 'zstd', '-Xcompression-level', ROOT_LEVEL, '-b', '128K'])
	const { size } = statSync(file)
	if (size > sizeBytes) {
		throw new Usage(`the root needs ${formatSize(size)} and root-size is ${formatSize(sizeBytes)}`)
	}
}

/** Empty: the device makes what it keeps at its first start. */
export function makeData(
	{ tools, board }: Maker, file: string, sizeBytes: number,
): void {
	makeEmpty(file, sizeBytes)
	tools.run('mke2fs', ['-q', '-t', 'ext4', '-L', 'data', '-m', '0', '-I', '256',
		'-U', uuidOf(board, 'data'), '-E', `hash_seed=${uuidOf(board, 'hash')},root_owner=0:0,`
		+ 'lazy_itable_init=0,lazy_journal_init=0', file])
}

/** The kernel's first file system; level: zstd's. */
export function makeCpio(
	{ tools }: Maker, tree: Tree, file: string, level: number,
): void {
	tree.settle()
	const names = ['.', ...tree.entries()].map((path) => `${path}\0`).join('')
	const cpio = resolve(`${file}.cpio`)
	tools.run('cpio', ['--quiet', '--null', '-o', '-H', 'newc', '--reproducible', '-R', '0:0',
		'-O', cpio], { cwd: tree.root, input: names })
	tools.run('zstd', ['-q', '-f', '--rm', '-T2', `-${level}`, '--no-check', cpio, '-o', file])
}

/** The card: a table of partitions, and the files that lie in them by name. */
export function makeDisk(
	{ tools, board }: Maker, layout: Layout, parts: ReadonlyMap<string, string>, file: string,
): void {
	makeEmpty(file, layout.sizeBytes)
	tools.run('sfdisk', ['--quiet', '--no-tell-kernel', file], { input: sfdiskScript(layout, board) })
	for (const { name, startBytes } of layout.partitions) {
		const part = parts.get(name)
		if (part === undefined) continue
		tools.run('dd', [`if=${part}`, `of=${file}`, 'bs=1M', `seek=${startBytes / 2 ** 20}`,
			'conv=notrunc,sparse', 'status=none'])
	}
}

function makeEmpty(file: string, sizeBytes: number): void {
	writeFileSync(file, '')
	truncateSync(file, sizeBytes)
}
