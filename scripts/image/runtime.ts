// Node.js and the shared libraries of Debian's that it, libsodium and native packages need: what a
// machine wants that has none of them, be it an image or a router of another libc.

import { join } from 'node:path'
import type { Tree } from '../tree.ts'
import { librariesOf } from './libraries.ts'
import type { Store } from './store.ts'

export interface Places {
	/** Of the program node. */
	readonly bin: string
	/** Of the dynamic linker, whose path is written into every program. */
	readonly linker: string
	readonly libraries: string
}

export function addNode(tree: Tree, store: Store, version: string, places: Places): void {
	const program = `${places.bin}/node`
	tree.copy(join(store.node(version), 'bin/node'), program, 0o755)
}

/** After everything else was added: what the programs of the tree ask for. */
export function addLibraries(tree: Tree, store: Store, places: Places): void {
	for (const file of tree.files().filter((path) => /(^|\/)bin\/node$|\.node$/.test(path))) {
		// Symbols are for debuggers.
		store.tools.run('aarch64-linux-gnu-strip', [join(tree.root, file)])
	}
	const programs = tree.files()
		.filter((path) => /(^|\/)s?bin\/(?!busybox)[^/]+$|\.node$/.test(path))
		.map((path) => join(tree.root, path))
	const found = librariesOf(store.tools, programs, [...store.system().values()])
	for (const [name, path] of found) {
		const isLinker = name.startsWith('ld-')
		tree.copy(path, `${isLinker ? places.linker : places.libraries}/${name}`,
			isLinker ? 0o755 : 0o644)
	}
}
