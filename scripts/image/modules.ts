// Kernel modules: those that a profile names, with all that they depend on, in the order of
// loading. Resolved on this machine from the unpacked package; nothing of the kernel's is run.

import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Trouble } from '../../src/platform/trouble.ts'
import type { Tree } from '../tree.ts'
import type { Tools } from './tools.ts'

export interface Kernel {
	/** The unpacked package. */
	readonly folder: string
	/** 6.1.0-56-arm64 */
	readonly version: string
}

export function kernelIn(tools: Tools, folder: string): Kernel {
	const [version] = readdirSync(join(folder, 'lib/modules'))
	if (version === undefined) throw new Trouble('find', `a kernel in ${folder}`, 'no lib/modules')
	if (!existsSync(join(folder, 'lib/modules', version, 'modules.dep'))) {
		tools.run('depmod', ['-b', folder, version])
	}
	return { folder, version }
}

/** Paths from the root: /lib/modules/…/squashfs.ko, dependencies first. */
export function resolveModules(tools: Tools, kernel: Kernel, names: readonly string[]): string[] {
	const found = new Set<string>()
	for (const name of names) {
		const said = tools.run('modprobe',
			['-d', kernel.folder, '-S', kernel.version, '--show-depends', name])
		for (const [, path] of said.matchAll(/^insmod (\S+)/gm)) {
			found.add(path!.slice(path!.indexOf('/lib/modules/')))
		}
	}
	return [...found]
}

/** Copies modules into a tree, with the lists that modprobe reads there. */
export function addModules(
	tools: Tools, kernel: Kernel, paths: readonly string[], tree: Tree,
): void {
	const base = `lib/modules/${kernel.version}`
	for (const path of paths) tree.copy(join(kernel.folder, path), path.slice(1))
	for (const list of ['modules.builtin', 'modules.builtin.modinfo', 'modules.order']) {
		tree.copy(join(kernel.folder, base, list), `${base}/${list}`)
	}
	tools.run('depmod', ['-b', tree.root, kernel.version])
	// busybox reads the text; the rest is for kmod.
	for (const name of readdirSync(join(tree.root, base))) {
		if (/\.bin$|^modules\.(builtin|order|devname|softdep)/.test(name)) {
			rmSync(join(tree.root, base, name))
		}
	}
}
