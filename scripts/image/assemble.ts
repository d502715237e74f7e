// From trees of files to file systems, from these to a card, and the list of what it holds.

import { copyFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
	COPIES_AT, encodeState, STATE_BYTES, TRIES,
} from '../../src/service/firmware/slots.ts'
import { formatSize } from '../../src/service/quantities.ts'
import { Tree } from '../tree.ts'
import { findFiles, firstTree, recoveryTree, slotTree, type BootFiles } from './boot.ts'
import { headless } from './boot-loader.ts'
import { PARTS, writeFacts, writeLists } from './describe.ts'
import {
	makeCpio, makeData, makeDisk, makeFat, makeSquashfs, type Maker,
} from './file-systems.ts'
import { partitionOf, type Layout } from './layout.ts'
import { addFirstStage, fillRoot, fillStage1, type Material } from './root.ts'
import { refuseSecrets } from './secrets.ts'

const MEBI = 2 ** 20
const STAGE1_LEVEL = 19
/** Level 19 takes half a minute for 4 MB less. */
const RECOVERY_LEVEL = 9

export function assemble(material: Material, out: string, step: (what: string) => void): void {
	const { store: { tools }, recipe, layout, kernel, date } = material
	const maker: Maker = { tools, board: recipe.board, date }
	const at = (file: string): string => join(out, file)
	const size = (file: string): string => formatSize(statSync(at(file)).size)
	const work = at('work')
	const trees = {
		root: new Tree(join(work, 'root'), date), stage1: new Tree(join(work, 'stage1'), date),
	}
	fillRoot(trees.root, material)
	refuseSecrets(trees.root)
	step(`${trees.root.files().length} files for the root`)
	makeSquashfs(maker, trees.root, at(PARTS.root), partitionOf(layout, 'root_a').sizeBytes)
	step(`root ${size(PARTS.root)} of ${formatSize(partitionOf(layout, 'root_a').sizeBytes)}`)
	fillStage1(trees.stage1, material)
	refuseSecrets(trees.stage1)
	makeCpio(maker, trees.stage1, at(PARTS.stage1), STAGE1_LEVEL)
	copyFileSync(join(kernel.folder, 'boot', `vmlinuz-${kernel.version}`), at(PARTS.kernel))
	step(`kernel ${size(PARTS.kernel)}, first stage ${size(PARTS.stage1)}`)
	const found = bootFilesOf(material, at(PARTS.kernel), at(PARTS.stage1))
	const loader = found.bootloader
	if (loader !== undefined) writeFileSync(at(PARTS.bootloader), headless(readFileSync(loader)))
	const files = loader === undefined ? found : { ...found, bootloader: at(PARTS.bootloader) }
	const boot = {
		first: firstTree(join(work, 'first'), recipe, files, layout, tools, date),
		boot: slotTree(join(work, 'boot'), recipe, files, date),
	}
	makeCard(maker, layout, boot, out)
	step(`card ${size('disk.img')}`)
	writeLists(out, material, { ...boot, ...trees }, loader)
	addFirstStage(trees.root, material)
	makeCpio(maker, trees.root, at(PARTS.recovery), RECOVERY_LEVEL)
	if (files.firmware.size > 0) {
		const tree = recoveryTree(join(work, 'recovery'), recipe, files, at(PARTS.recovery), date)
		makeRecoveryCard(maker, tree, at(PARTS.recoveryCard))
	}
	step(`recovery ${size(PARTS.recovery)}`)
	writeFacts(out, material)
	rmSync(work, { recursive: true })
}

/** The file systems that are not there yet, and the card that holds all of them. */
export function makeCard(
	maker: Maker, layout: Layout, trees: { first: Tree, boot: Tree }, out: string,
): void {
	const at = (file: string): string => join(out, file)
	const room = (name: string): number => partitionOf(layout, name).sizeBytes
	makeFat(maker, trees.first, at('first.img'), 'boot', room('boot'))
	makeFat(maker, trees.boot, at(PARTS.boot), 'slot', room('boot_a'))
	makeData(maker, at('data.img'), room('data'))
	writeFileSync(at('state.img'), firstState())
	makeDisk(maker, layout, new Map([
		['boot', at('first.img')], ['boot_a', at(PARTS.boot)], ['root_a', at(PARTS.root)],
		['data', at('data.img')], ['state', at('state.img')],
	]), at('disk.img'))
	for (const file of ['first.img', 'data.img', 'state.img']) rmSync(at(file))
}

/** Everything on one FAT, for boards whose own firmware loads kernel and first file system. */
function makeRecoveryCard(maker: Maker, tree: Tree, file: string): void {
	const needed = tree.files().reduce((sum, path) => sum + statSync(join(tree.root, path)).size, 0)
	// A FAT of its size, and some room for its tables.
	const sizeBytes = Math.ceil(needed * 1.05 / MEBI) * MEBI
	const layout: Layout = {
		table: 'mbr', sizeBytes: sizeBytes + MEBI,
		partitions: [{ number: 1, name: 'boot', startBytes: MEBI, sizeBytes, form: 'fat' }],
	}
	const fat = `${file}.fat`
	makeFat(maker, tree, fat, 'boot', sizeBytes)
	makeDisk(maker, layout, new Map([['boot', fat]]), file)
	rmSync(fat)
}

function bootFilesOf(
	{ recipe: { image }, store, kernel }: Material, kernelPath: string, stage1: string,
): BootFiles {
	const folders = [...store.debs(image['firmware-packages'] ?? []).values()]
	const loader = image['bootloader-package']
	return {
		firmware: findFiles(image['firmware-files'] ?? [], folders),
		dtbs: findFiles(image.dtbs ?? [], [kernel.folder]),
		bootloader: image.bootloader !== 'u-boot' || loader === undefined
			? undefined : join(store.debs([loader]).get(loader)!, image['bootloader-file']!),
		kernel: kernelPath, stage1,
	}
}

/** Slot a, as if it had proved itself; b is empty. */
function firstState(): Buffer {
	const state = Buffer.alloc(COPIES_AT[1] + STATE_BYTES)
	state.set(encodeState({ sequence: 1, slot: 'a', tries: { a: TRIES, b: 0 } }), COPIES_AT[0])
	return state
}
