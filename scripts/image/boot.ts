// What starts a board: the partition that its firmware reads, and the two with kernel and first
// stage, whose bytes are the same for either slot.

import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Trouble } from '../../src/platform/trouble.ts'
import { Tree } from '../tree.ts'
import { partitionOf, type Layout } from './layout.ts'
import type { Recipe } from './recipe.ts'
import { filesBelow } from './store.ts'
import type { Tools } from './tools.ts'

export interface BootFiles {
	/** Name to path. */
	readonly firmware: ReadonlyMap<string, string>
	readonly dtbs: ReadonlyMap<string, string>
	readonly bootloader: string | undefined
	readonly kernel: string
	readonly stage1: string
}

/** Pis read their files under these names. */
const KERNEL = 'kernel.img'
const STAGE1 = 'stage1.img'
const COMMAND_LINE = 'cmdline.txt'

/** The first partition: what the board's own firmware looks for. Updates never write here. */
export function firstTree(
	folder: string, recipe: Recipe, files: BootFiles, layout: Layout, tools: Tools, date: number,
): Tree {
	const tree = new Tree(folder, date)
	if (recipe.image.bootloader === 'tryboot') {
		tree.write('autoboot.txt', autoboot(partitionOf(layout, 'boot_a').number,
			partitionOf(layout, 'boot_b').number))
		return tree
	}
	const command = join(folder, '../boot.cmd')
	writeFileSync(command, bootScript(layout))
	tools.run('mkimage', ['-A', 'arm64', '-T', 'script', '-C', 'none', '-n', 'curvegate',
		'-d', command, join(folder, 'boot.scr')])
	if (files.firmware.size === 0) return tree
	addFirmware(tree, recipe, files, ['kernel=u-boot.bin'])
	tree.copy(files.bootloader!, 'u-boot.bin')
	return tree
}

/** A slot's boot partition. */
export function slotTree(folder: string, recipe: Recipe, files: BootFiles, date: number): Tree {
	const tree = new Tree(folder, date)
	tree.copy(files.kernel, KERNEL)
	tree.copy(files.stage1, STAGE1)
	const words = recipe.image['command-line'].join(' ')
	if (recipe.image.bootloader === 'tryboot') {
		tree.write(COMMAND_LINE, `${words}\n`)
		addFirmware(tree, recipe, files,
			[`kernel=${KERNEL}`, `initramfs ${STAGE1} followkernel`])
		return tree
	}
	// In the form in which U-Boot reads variables.
	tree.write(COMMAND_LINE, `slot_args=${words}\n`)
	return tree
}

/** A card that needs nothing but itself: kernel and the whole root in memory. */
export function recoveryTree(
	folder: string, recipe: Recipe, files: BootFiles, cpio: string, date: number,
): Tree {
	const tree = new Tree(folder, date)
	tree.copy(files.kernel, KERNEL)
	tree.copy(cpio, STAGE1)
	tree.write(COMMAND_LINE, `${recoveryWords(recipe)}\n`)
	addFirmware(tree, recipe, files, [`kernel=${KERNEL}`, `initramfs ${STAGE1} followkernel`])
	return tree
}

export function recoveryWords({ image }: Recipe): string {
	// Half of the memory is not enough for the root on the smallest boards.
	return [...image['command-line'], 'rootfstype=ramfs', 'curvegate.slot=recovery'].join(' ')
}

function addFirmware(
	tree: Tree, { image }: Recipe, files: BootFiles, lines: readonly string[],
): void {
	tree.write('config.txt', [...image['config-txt'] ?? [], ...lines, ''].join('\n'))
	for (const [name, path] of [...files.firmware, ...files.dtbs]) tree.copy(path, basename(name))
}

/** Pi 4 and later: which boot partition counts, and which one a start on trial takes. */
export function autoboot(preferred: number, other: number): string {
	return `[all]\ntryboot_a_b=1\nboot_partition=${preferred}\n[tryboot]\nboot_partition=${other}\n`
}

/** U-Boot's script: the rule of the slots from scripts/device, and the start of the chosen one. */
export function bootScript(layout: Layout): string {
	const numberOf = (name: string): string => partitionOf(layout, name).number.toString(16)
	return [
		'# Starts the slot whose turn it is; writes nothing but the slot state.',
		`setenv part_state ${numberOf('state')}`,
		`setenv part_a ${numberOf('boot_a')}`,
		`setenv part_b ${numberOf('boot_b')}`,
		'if test -n "${fdt_addr}"; then setenv cg_fdt ${fdt_addr}; '
			+ 'else setenv cg_fdt ${fdtcontroladdr}; fi',
		readFileSync('scripts/device/slot.cmd', 'utf8'),
		'for one in ${slot} ${other_slot}; do',
		'	if test ${one} = a; then setenv part ${part_a}; else setenv part ${part_b}; fi',
		'	setenv slot_args',
		`	if load \${devtype} \${devnum}:\${part} \${ramdisk_addr_r} ${COMMAND_LINE}; then`,
		'		env import -t ${ramdisk_addr_r} ${filesize} slot_args',
		`		if load \${devtype} \${devnum}:\${part} \${kernel_addr_r} ${KERNEL}; then`,
		`			if load \${devtype} \${devnum}:\${part} \${ramdisk_addr_r} ${STAGE1}; then`,
		'				setenv bootargs ${slot_args} curvegate.slot=${one}',
		'				booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${cg_fdt}',
		'			fi',
		'		fi',
		'	fi',
		'	echo "curvegate: slot ${one} cannot be started"',
		'done',
		'echo "curvegate: no slot can be started; trying again"',
		'sleep 5',
		'reset',
		'',
	].join('\n')
}

/** Files by the end of their path, out of the unpacked packages. */
export function findFiles(
	names: readonly string[], folders: readonly string[],
): Map<string, string> {
	const all = names.length === 0 ? []
		: folders.flatMap((folder) => filesBelow(folder).map((path) => join(folder, path)))
	return new Map(names.map((name) => {
		const path = all.find((one) => one.endsWith(`/${name}`))
		if (path === undefined) throw new Trouble('find', name, 'none of the board\'s packages has it')
		return [name, path]
	}))
}
