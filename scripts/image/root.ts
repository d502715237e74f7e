// What runs: the root of a slot (Node.js, the bundle, its native packages, nft and their libraries)
// and the first stage that finds and mounts it.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { VERSION } from '../../src/base/version.ts'
import { TOOL_NAMES } from '../../src/cli/nacl/tools.ts'
import { Trouble } from '../../src/platform/trouble.ts'
import { addKoffi, addSerialport } from '../native.ts'
import type { Tree } from '../tree.ts'
import type { Layout } from './layout.ts'
import { appletsOf } from './libraries.ts'
import { addModules, resolveModules, type Kernel } from './modules.ts'
import type { Recipe } from './recipe.ts'
import { addLibraries, addNode, type Places } from './runtime.ts'
import { CACHE, type Store } from './store.ts'

const PROGRAM = 'usr/lib/curvegate'
const MODULES = `${PROGRAM}/node_modules`
/** As in Debian, whose dynamic linker looks there. */
const PLACES: Places = {
	bin: 'usr/bin', linker: 'lib', libraries: 'lib/aarch64-linux-gnu',
}
/** Programs of Debian's that the root has: package and path. */
const PROGRAMS = [
	['nftables', 'usr/sbin/nft'], ['e2fsprogs', 'sbin/e2fsck'], ['e2fsprogs', 'sbin/mke2fs'],
] as const

export interface Material {
	readonly recipe: Recipe
	readonly store: Store
	readonly layout: Layout
	readonly kernel: Kernel
	/** The file with the public key of updates. */
	readonly updateKey: string
	/** In seconds since 1970. */
	readonly date: number
}

export function fillRoot(tree: Tree, from: Material): void {
	const { store, recipe, kernel } = from
	const { image, profile, architecture, nodeVersion } = recipe
	for (const folder of ['boot', 'data', 'dev', 'proc', 'run', 'sys', 'tmp', 'var/lib']) {
		tree.folder(folder)
	}
	addBusybox(tree, store)
	const system = store.system()
	for (const [name, path] of PROGRAMS) tree.copy(join(system.get(name)!, path), path, 0o755)
	addProgram(tree)
	addKoffi(tree, MODULES, architecture, join(CACHE, 'npm'))
	if (profile.console!.driver === 'serialport') addSerialport(tree, MODULES, architecture)
	addNode(tree, store, nodeVersion, PLACES)
	addLibraries(tree, store, PLACES)
	const modules = [...image.modules, ...image['root-modules']]
	addModules(store.tools, kernel, resolveModules(store.tools, kernel, modules), tree)
	addFirmware(tree, from)
	tree.copyFolder('scripts/device/root', '')
	tree.link('etc/curvecpextension', '/data/curvecpextension')
	tree.link('etc/resolv.conf', '/run/resolv.conf')
	tree.link('var/lib/curvegate', '/data')
	addFacts(tree, from)
}

/** What the kernel unpacks first: just enough to find the slot's root. */
export function fillStage1(tree: Tree, from: Material): void {
	const { store: { tools }, kernel, recipe } = from
	addBusybox(tree, from.store)
	addModules(tools, kernel, resolveModules(tools, kernel, recipe.image.modules), tree)
	addFirstStage(tree, from)
	addFacts(tree, from)
}

/** The first stage's own files: in a recovery image they lie in the root. */
export function addFirstStage(tree: Tree, { store, kernel, recipe }: Material): void {
	tree.copy('scripts/device/init', 'init', 0o755)
	const modules = resolveModules(store.tools, kernel, recipe.image.modules)
	tree.write('etc/curvegate/modules', modules.map((path) => `${path}\n`).join(''))
}

function addBusybox(tree: Tree, store: Store): void {
	const busybox = join(store.system().get('busybox-static')!, 'bin/busybox')
	tree.copy(busybox, 'bin/busybox', 0o755)
	for (const applet of appletsOf(busybox)) {
		if (applet !== 'busybox') tree.link(`bin/${applet}`, 'busybox')
	}
	// Where the kernel and PID 1's table look.
	for (const name of ['init', 'modprobe', 'reboot', 'poweroff']) {
		tree.link(`sbin/${name}`, '../bin/busybox')
	}
}

function addProgram(tree: Tree): void {
	tree.copy('build/curvegate', `${PROGRAM}/curvegate`, 0o755)
	for (const tool of TOOL_NAMES) tree.copy(`build/${tool}`, `${PROGRAM}/${tool}`, 0o755)
	tree.write(`${PROGRAM}/package.json`, `${JSON.stringify(
		{ name: 'curvegate', version: VERSION, type: 'module', private: true })}\n`)
	for (const board of readdirSync('boards').filter((name) => name.endsWith('.toml'))) {
		tree.copy(`boards/${board}`, `${PROGRAM}/boards/${board}`)
	}
	for (const name of ['curvegate', ...TOOL_NAMES]) {
		tree.link(`usr/bin/${name}`, `../lib/curvegate/${name}`)
	}
}

/** For devices that want something loaded into them. Old names are links, as in the packages. */
function addFirmware(tree: Tree, { recipe: { image }, store }: Material): void {
	const folders = [...store.debs(image['firmware-packages'] ?? []).values()]
	for (const path of image['root-firmware'] ?? []) {
		const found = folders.map((one) => join(one, 'lib/firmware', path)).find(existsSync)
		if (found === undefined) {
			throw new Trouble('find', `lib/firmware/${path}`, 'none of the firmware-packages has it')
		}
		tree.copy(found, `lib/firmware/${path}`)
	}
}

/** What the scripts on the device know of their image, as sh reads it. */
function addFacts(tree: Tree, { recipe, layout, date, updateKey }: Material): void {
	const { board, profile, image } = recipe
	const facts: Readonly<Record<string, string | number>> = {
		BOARD: board, VERSION, BUILT: date, BOOTLOADER: image.bootloader,
		...Object.fromEntries(layout.partitions.map(({ name, number }) =>
			[`PART_${name.toUpperCase()}`, number])),
		CONSOLE: profile.console!.device, BAUD: profile.console!.baud,
		WATCHDOG: profile.watchdog?.device ?? '', WATCHDOG_SECONDS: profile.watchdog?.seconds ?? 0,
		NODE_FLAGS: profile.node!.flags.join(' '), WAN: image.wan ?? profile.network.wan ?? '',
	}
	const lines = Object.entries(facts).map(([name, value]) => `${name}='${value}'\n`)
	tree.write('etc/curvegate/image.conf', lines.join(''))
	tree.write('etc/curvegate/update.pub', readFileSync(updateKey))
}
