// What lies beside an image: image.json for programs, the list of its files and the licences of its
// parts for people.

import { createHash } from 'node:crypto'
import { existsSync, lstatSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { VERSION } from '../../src/base/version.ts'
import type { Tree } from '../tree.ts'
import { recoveryWords } from './boot.ts'
import { licencesText } from './licences.ts'
import type { Material } from './root.ts'

/** Files beside image.json that it names with length and sum, as far as the board has them. */
export const PARTS = {
	boot: 'boot.img', root: 'root.img', kernel: 'kernel', stage1: 'stage1.cpio.zst',
	recovery: 'recovery.cpio.zst', recoveryCard: 'recovery.img', bootloader: 'u-boot.bin',
} as const

export function writeLists(
	out: string, { store }: Material, trees: Readonly<Record<string, Tree>>,
	bootloader: string | undefined,
): void {
	const lines = Object.entries(trees).flatMap(([name, tree]) =>
		tree.entries().map((path) => contentLine(name, tree, path)))
	writeFileSync(join(out, 'image.contents'),
		`# part, mode, bytes, SHA-256 or target, path\n${lines.join('\n')}\n`)
	const bundled: string[] = JSON.parse(readFileSync('build/bundled.json', 'utf8'))
	const sources = Object.values(trees).flatMap((tree) => [...tree.sources])
	if (bootloader !== undefined) sources.push(bootloader)
	writeFileSync(join(out, 'image.licences'), licencesText(store, sources, bundled))
}

export function writeFacts(out: string, { recipe, layout, date, kernel }: Material): void {
	const facts = (file: string): object => {
		const bytes = readFileSync(join(out, file))
		return { file, bytes: bytes.length, sha256: sumOf(bytes) }
	}
	const disk = readFileSync(join(out, 'disk.img'))
	writeFileSync(join(out, 'image.json'), `${JSON.stringify({
		board: recipe.board, version: VERSION, built: date, image: 'disk.img',
		bytes: disk.length, sha256: sumOf(disk), partitionTable: layout.table,
		partitions: layout.partitions.map(({ name, number, startBytes, sizeBytes, form }) =>
			({ name, number, start: startBytes, bytes: sizeBytes, fs: form })),
		kernel: kernel.version, node: recipe.nodeVersion,
		commandLine: recipe.image['command-line'].join(' '),
		recoveryCommandLine: recoveryWords(recipe),
		parts: Object.fromEntries(Object.entries(PARTS)
			.filter(([, file]) => existsSync(join(out, file)))
			.map(([name, file]) => [name, facts(file)])),
	}, undefined, '\t')}\n`)
}

function contentLine(name: string, tree: Tree, path: string): string {
	const full = join(tree.root, path)
	const entry = lstatSync(full)
	const mode = (entry.mode & 0o7777).toString(8).padStart(4, '0')
	if (entry.isSymbolicLink()) return `${name} link - ${readlinkSync(full)} ${path}`
	if (entry.isDirectory()) return `${name} ${mode} - - ${path}/`
	return `${name} ${mode} ${entry.size} ${sumOf(readFileSync(full))} ${path}`
}

function sumOf(bytes: Buffer): string {
	return createHash('sha256').update(bytes).digest('hex')
}
