// A folder that becomes a package or a file system: what is written into it, and times and modes
// that say nothing of who built it, and when.

import {
	chmodSync, lstatSync, lutimesSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync,
	writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

export class Tree {
	readonly root: string
	/** Where the copied files come from. */
	readonly sources = new Set<string>()
	readonly #date: number

	/** Date: seconds since 1970. */
	constructor(root: string, date: number) {
		this.root = root
		this.#date = date
		rmSync(root, { recursive: true, force: true })
		mkdirSync(root, { recursive: true })
	}

	write(path: string, content: string | Buffer, mode = 0o644): void {
		const full = join(this.root, path)
		mkdirSync(dirname(full), { recursive: true })
		writeFileSync(full, content)
		chmodSync(full, mode)
	}

	copy(from: string, path: string, mode = 0o644): void {
		this.write(path, readFileSync(from), mode)
		this.sources.add(from)
	}

	/** A whole folder; what begins with #! can be run. */
	copyFolder(from: string, path: string): void {
		for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
			if (!entry.isFile()) continue
			const file = join(entry.parentPath, entry.name)
			const content = readFileSync(file)
			const isScript = content.subarray(0, 2).toString('latin1') === '#!'
			this.write(join(path, file.slice(from.length)), content, isScript ? 0o755 : 0o644)
		}
	}

	folder(path: string): void {
		mkdirSync(join(this.root, path), { recursive: true })
	}

	link(path: string, target: string): void {
		mkdirSync(dirname(join(this.root, path)), { recursive: true })
		symlinkSync(target, join(this.root, path))
	}

	/** Plain files below the root, in order. */
	files(): string[] {
		return this.entries().filter((path) => lstatSync(join(this.root, path)).isFile())
	}

	/** Everything below the root, in order: a folder before what is in it. */
	entries(): string[] {
		return readdirSync(this.root, { recursive: true, encoding: 'utf8' }).sort()
	}

	/** Whatever wrote into it, under whatever umask. */
	settle(): void {
		for (const entry of this.entries()) {
			const path = join(this.root, entry)
			const found = lstatSync(path)
			if (!found.isSymbolicLink()) {
				const canRun = found.isDirectory() || (found.mode & 0o100) !== 0
				chmodSync(path, canRun ? 0o755 : 0o644)
			}
			lutimesSync(path, this.#date, this.#date)
		}
		chmodSync(this.root, 0o755)
		lutimesSync(this.root, this.#date, this.#date)
	}
}
