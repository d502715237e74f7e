// What runs: the root of a slot (Node.js, the bundle, its native packages, nft and their libraries)
// and the first stage that finds and mounts it.

import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { VERSION } from '../../src/base/version.ts'
import { TOOL_NAMES } from '../../src/cli/nacl/tools.ts'
import { addKoffi } from '../native.ts'
import type { Tree } from '../tree.ts'
import type { Layout } from './layout.ts'
import { appletsOf, librariesOf } from './libraries.ts'
import { addModules, resolveModules, type Kernel } from './modules.ts'
import type { Recipe } from './recipe.ts'
import type { Tools } from './tools.ts'

const PROGRAM = 'usr/lib/curvegate'

export interface Material {
	readonly tools: Tools
	readonly recipe: Recipe
	readonly layout: Layout
	readonly kernel: Kernel
	/** Name of the Debian package: where it is unpacked. */
	readonly unpacked: ReadonlyMap<string, string>
	/** npm's package with Node.js, unpacked. */
	readonly node: string
	/** Public key of updates, when there is one. */
	readonly updateKey: string | undefined
	readonly cache: string
	readonly date: number
}

/** Programs of Debian's that the root has: package and path. */
const PROGRAMS = [
	['nftables', 'usr/sbin/nft'], ['e2fsprogs', 'sbin/e2fsck'], ['e2fsprogs', 'sbin/mke2fs'],
] as const

export function fillRoot(tree: Tree, from: Material): void {
	const { tools, recipe, kernel, unpacked } = from
	for (const folder of ['boot', 'data', 'dev', 'proc', 'run', 'sys', 'tmp', 'var/lib']) {
		tree.folder(folder)
	}
	addBusybox(tree, from)
	tree.copy(join(from.node, 'bin/node'), 'usr/bin/node', 0o755)
	for (const [name, path] of PROGRAMS) tree.copy(join(unpacked.get(name)!, path), path, 0o755)
	addProgram(tree, from)
	for (const file of tree.files()) {
		if (file !== 'usr/bin/node' && !file.endsWith('.node')) continue
		tools.run('aarch64-linux-gnu-strip', [join(tree.root, file)])
	}
	addLibraries(tree, from)
	const { modules, 'root-modules': later } = recipe.image
	addModules(tools, kernel, resolveModules(tools, kernel, [...modules, ...later]), tree)
	for (const path of recipe.image['root-firmware'] ?? []) {
		tree.copy(findFirmware(path, [...unpacked.values()]), `lib/firmware/${path}`)
	}
	tree.copyFolder('scripts/device/root', '')
	tree.link('etc/curvecpextension', '/data/curvecpextension')
	tree.link('etc/resolv.conf', '/run/resolv.conf')
	tree.link('var/lib/curvegate', '/data')
	addFacts(tree, from)
}

/** What the kernel unpacks first: just enough to find the slot's root. */
export function fillStage1(tree: Tree, from: Material): void {
	const { tools, kernel, recipe } = from
	addBusybox(tree, from)
	addModules(tools, kernel, resolveModules(tools, kernel, recipe.image.modules), tree)
	addFirstStage(tree, from)
	addFacts(tree, from)
}

/** The first stage's own files: in a recovery image they lie in the root. */
export function addFirstStage(tree: Tree, { tools, kernel, recipe }: Material): void {
	tree.copy('scripts/device/init', 'init', 0o755)
	const modules = resolveModules(tools, kernel, recipe.image.modules)
	tree.write('etc/curvegate/modules', modules.map((path) => `${path}\n`).join(''))
}

function addBusybox(tree: Tree, { unpacked }: Material): void {
	const busybox = join(unpacked.get('busybox-static')!, 'bin/busybox')
	tree.copy(busybox, 'bin/busybox', 0o755)
	for (const applet of appletsOf(busybox)) {
		if (applet !== 'busybox') tree.link(`bin/${applet}`, 'busybox')
	}
	// Where the kernel and PID 1's table look.
	for (const name of ['init', 'modprobe', 'reboot', 'poweroff', 'hotplug']) {
		tree.link(`sbin/${name}`, '../bin/busybox')
	}
}

function addProgram(tree: Tree, { cache, recipe }: Material): void {
	tree.copy('build/curvegate', `${PROGRAM}/curvegate`, 0o755)
	for (const tool of TOOL_NAMES) tree.copy(`build/${tool}`, `${PROGRAM}/${tool}`, 0o755)
	tree.write(`${PROGRAM}/package.json`, `${JSON.stringify(
		{ name: 'curvegate', version: VERSION, type: 'module', private: true })}\n`)
	for (const board of readdirSync('boards')) {
		tree.copy(`boards/${board}`, `${PROGRAM}/boards/${board}`)
	}
	addKoffi(tree, `${PROGRAM}/node_modules`, recipe.architecture, join(cache, 'npm'))
	for (const name of ['curvegate', ...TOOL_NAMES]) {
		tree.link(`usr/bin/${name}`, `../lib/curvegate/${name}`)
	}
}

function addLibraries(tree: Tree, { tools, unpacked }: Material): void {
	const programs = tree.files()
		.filter((path) => /^usr\/s?bin\/|^sbin\/|\.node$/.test(path))
		.map((path) => join(tree.root, path))
	for (const [name, path] of librariesOf(tools, programs, [...unpacked.values()])) {
		// The dynamic linker's own place is written into every program.
		const folder = name.startsWith('ld-') ? 'lib' : 'lib/aarch64-linux-gnu'
		tree.copy(path, `${folder}/${name}`, name.startsWith('ld-') ? 0o755 : 0o644)
	}
}

function findFirmware(path: string, folders: readonly string[]): string {
	const found = folders.map((folder) => join(folder, 'lib/firmware', path)).find(existsSync)
	if (found === undefined) throw new Error(`no package of the board has lib/firmware/${path}`)
	return found
}

/** What the scripts on the device know of their image. */
function addFacts(tree: Tree, { recipe, layout, date, updateKey }: Material): void {
	const { board, profile, image } = recipe
	const facts: Readonly<Record<string, string | number>> = {
		BOARD: board, VERSION, BUILT: date, BOOTLOADER: image.bootloader,
		...Object.fromEntries(layout.partitions.map(({ name, number }) =>
			[`PART_${name.toUpperCase()}`, number])),
		CONSOLE: profile.console!.device, BAUD: profile.console!.baud,
		WATCHDOG: profile.watchdog?.device ?? '', WATCHDOG_SECONDS: profile.watchdog?.seconds ?? 0,
		NODE_FLAGS: profile.node!.flags.join(' '), WAN: profile.network.wan ?? '',
	}
	const lines = Object.entries(facts).map(([name, value]) => `${name}='${value}'\n`)
	tree.write('etc/curvegate/image.conf', lines.join(''))
	if (updateKey !== undefined) tree.write('etc/curvegate/update.pub', updateKey)
}

/** A package's files, once for all builds. */
export function unpack(tools: Tools, path: string, cache: string): string {
	const folder = join(cache, 'unpacked', basename(path, '.deb'))
	if (existsSync(join(folder, '.whole'))) return folder
	mkdirSync(folder, { recursive: true })
	tools.run('dpkg-deb', ['-x', path, folder])
	mkdirSync(join(folder, '.whole'))
	return folder
}

/** The kernel as the boot loaders want it. */
export function kernelFile({ folder, version }: Kernel): string {
	return join(folder, 'boot', `vmlinuz-${version}`)
}

export function filesBelow(folder: string): string[] {
	return readdirSync(folder, { recursive: true, encoding: 'utf8' })
}
