// make image BOARD=…: a bootable image, without root and without mounting anything, into
// build/image/BOARD. What it is made of is pinned in pins.txt; progress on stdout.

import { createHash } from 'node:crypto'
import {
	copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { VERSION } from '../../src/base/version.ts'
import { Usage } from '../../src/platform/trouble.ts'
import { formatSize } from '../../src/service/quantities.ts'
import { encodeState, STATE_BYTES, TRIES, COPIES_AT } from '../../src/service/firmware/slots.ts'
import { fetchPackage } from '../native.ts'
import { sourceDate } from '../source-date.ts'
import { Tree } from '../tree.ts'
import { Apt } from './apt.ts'
import { findFiles, firstTree, slotTree, type BootFiles } from './boot.ts'
import { makeCpio, makeData, makeDisk, makeFat, makeSquashfs, type Maker } from './file-systems.ts'
import { layoutOf, partitionOf, type Layout } from './layout.ts'
import { kernelIn } from './modules.ts'
import { findDeb, findNpm, readPins } from './pins.ts'
import { CACHE, kernelOf, recipeOf, type Recipe } from './recipe.ts'
import {
	addFirstStage, filesBelow, fillRoot, fillStage1, kernelFile, unpack, type Material,
} from './root.ts'
import { runMain } from './run-main.ts'
import { Tools } from './tools.ts'

const STAGE1_LEVEL = 19
/** Level 19 takes half a minute for 4 MB less. */
const RECOVERY_LEVEL = 9

await runMain('image', async () => {
	const [name] = process.argv.slice(2)
	if (name === undefined) throw new Usage('which board? make image BOARD=qemu-arm64')
	const started = performance.now()
	const date = sourceDate()
	const recipe = await recipeOf(name)
	const out = join('build/image', name)
	mkdirSync(out, { recursive: true })
	const step = (what: string): void => {
		console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${what}`)
	}
	const material = gather(recipe, date, step)
	build(material, out, step)
})

type Step = (what: string) => void

function gather(recipe: Recipe, date: number, step: Step): Material {
	const tools = new Tools(date)
	tools.ensure()
	const pins = readPins()
	const apt = new Apt(tools, CACHE, recipe.suite, recipe.architecture)
	const pinOf = (name: string): ReturnType<typeof findDeb> =>
		findDeb(pins, recipe.suite, recipe.architecture, name)
	const meta = apt.fetch([pinOf(recipe.kernelPackage)]).get(recipe.kernelPackage)!
	const kernelName = kernelOf(tools, meta)
	const system = pins.debs.filter(({ use, suite, architecture }) =>
		use === 'system' && suite === recipe.suite && architecture === recipe.architecture)
	const paths = apt.fetch([pinOf(kernelName), ...recipe.packages.map(pinOf), ...system])
	step(`${paths.size} packages of Debian`)
	const { name, version } = recipe.node
	const { integrity } = findNpm(pins, name, version)
	const node = fetchPackage(name, version, integrity, join(CACHE, 'npm'))
	step(`Node.js ${version}`)
	const unpacked = new Map([...paths].map(([one, path]) => [one, unpack(tools, path, CACHE)]))
	step('unpacked')
	return {
		tools, recipe, layout: layoutOf(recipe.image), unpacked, node, cache: CACHE, date,
		kernel: kernelIn(tools, unpacked.get(kernelName)!), updateKey: undefined,
	}
}

function build(material: Material, out: string, step: Step): void {
	const { tools, recipe, layout, kernel, date } = material
	const maker: Maker = { tools, board: recipe.board, date }
	const at = (file: string): string => join(out, file)
	const work = at('work')
	rmSync(work, { recursive: true, force: true })
	const root = new Tree(join(work, 'root'), date)
	fillRoot(root, material)
	makeSquashfs(maker, root, at('root.img'), partitionOf(layout, 'root_a').sizeBytes)
	step(`root: ${formatSize(statSync(at('root.img')).size)}`)
	const stage1 = new Tree(join(work, 'stage1'), date)
	fillStage1(stage1, material)
	makeCpio(maker, stage1, at('stage1.cpio.zst'), STAGE1_LEVEL)
	copyFileSync(kernelFile(kernel), at('kernel'))
	step(`kernel ${kernel.version}: ${formatSize(statSync(at('kernel')).size)}, first stage: `
		+ formatSize(statSync(at('stage1.cpio.zst')).size))
	const files = bootFilesOf(material, at('kernel'), at('stage1.cpio.zst'))
	if (files.bootloader !== undefined) copyFileSync(files.bootloader, at('u-boot.bin'))
	const first = firstTree(join(work, 'first'), recipe, files, layout, tools, date)
	makeFat(maker, first, at('first.img'), 'boot', partitionOf(layout, 'boot').sizeBytes)
	const slot = slotTree(join(work, 'slot'), recipe, files, date)
	makeFat(maker, slot, at('boot.img'), 'slot', partitionOf(layout, 'boot_a').sizeBytes)
	makeData(maker, at('data.img'), partitionOf(layout, 'data').sizeBytes)
	writeFileSync(at('state.img'), firstState())
	makeDisk(maker, layout, new Map([
		['boot', at('first.img')], ['boot_a', at('boot.img')], ['root_a', at('root.img')],
		['data', at('data.img')], ['state', at('state.img')],
	]), at('disk.img'))
	step(`disk: ${formatSize(layout.sizeBytes)}`)
	addFirstStage(root, material)
	makeCpio(maker, root, at('recovery.cpio.zst'), RECOVERY_LEVEL)
	step(`recovery: ${formatSize(statSync(at('recovery.cpio.zst')).size)}`)
	describe(recipe, layout, out, date)
}

function bootFilesOf(
	{ recipe, unpacked, kernel }: Material, kernelPath: string, stage1: string,
): BootFiles {
	const { image } = recipe
	const folders = (image['firmware-packages'] ?? []).map((name) => unpacked.get(name)!)
	const loader = image['bootloader-package']
	return {
		firmware: findFiles(image['firmware-files'] ?? [], folders, filesBelow),
		dtbs: findFiles(image.dtbs ?? [], [kernel.folder], filesBelow),
		bootloader: loader === undefined
			? undefined : join(unpacked.get(loader)!, image['bootloader-file']!),
		kernel: kernelPath, stage1,
	}
}

/** Slot a, as if it had proved itself; b is empty. */
function firstState(): Buffer {
	const state = Buffer.alloc(COPIES_AT[1] + STATE_BYTES)
	state.set(encodeState({ sequence: 1, slot: 'a', tries: { a: TRIES, b: 0 } }), COPIES_AT[0])
	return state
}

function describe(recipe: Recipe, layout: Layout, out: string, date: number): void {
	const disk = join(out, 'disk.img')
	writeFileSync(join(out, 'image.json'), `${JSON.stringify({
		board: recipe.board, version: VERSION, built: date, image: 'disk.img',
		bytes: statSync(disk).size,
		sha256: createHash('sha256').update(readFileSync(disk)).digest('hex'),
		partitions: layout.partitions.map(({ name, number, startBytes, sizeBytes, form }) =>
			({ name, number, start: startBytes, bytes: sizeBytes, fs: form })),
	}, undefined, 2)}\n`)
}
