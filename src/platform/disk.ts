// The few things that durable files need from a file system, so that a test can cut the power
// between any two of them. Errors are thrown as the system throws them.

import {
	chmodSync, closeSync, constants, fchmodSync, fstatSync, fsyncSync, mkdirSync, openSync,
	readdirSync, readSync, renameSync, rmSync, statSync, writeSync,
} from 'node:fs'
import type { Bytes } from '../base/bytes.ts'

export interface Seen {
	readonly kind: 'file' | 'folder' | 'other'
	/** Permission bits. */
	readonly mode: number
}

export interface Disk {
	/** What is at path, links followed; undefined: nothing. */
	look(path: string): Seen | undefined
	/** Fills to from the file's first bytes; returns how many there were. */
	read(path: string, to: Bytes): number
	list(folder: string): string[]
	/** A new folder with exactly this mode, whatever the umask. */
	makeFolder(path: string, mode: number): void
	/** A new file with exactly this mode; not yet on the medium. */
	write(path: string, bytes: Bytes, mode: number): void
	/** Brings a file's bytes, or a folder's names, to the medium. */
	sync(path: string): void
	rename(from: string, to: string): void
	/** With everything inside; nothing there is fine. */
	remove(path: string): void
}

export const nodeDisk: Disk = {
	look(path) {
		const seen = statSync(path, { throwIfNoEntry: false })
		if (seen === undefined) return undefined
		const kind = seen.isFile() ? 'file' : seen.isDirectory() ? 'folder' : 'other'
		return { kind, mode: seen.mode & 0o7777 }
	},

	read(path, to) {
		// Without waiting for a writer, should the file have become a FIFO.
		return withFile(path, constants.O_RDONLY | constants.O_NONBLOCK, 0, (file) => {
			if (!fstatSync(file).isFile()) return 0
			let n = 0
			for (let more = -1; more !== 0 && n < to.length; n += more) {
				more = readSync(file, to, n, to.length - n, n)
			}
			return n
		})
	},

	list: (folder) => readdirSync(folder),

	makeFolder(path, mode) {
		mkdirSync(path, mode)
		chmodSync(path, mode)
	},

	write(path, bytes, mode) {
		const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL
		withFile(path, flags, mode, (file) => {
			fchmodSync(file, mode)
			for (let n = 0; n < bytes.length;) n += writeSync(file, bytes, n, bytes.length - n, n)
		})
	},

	sync: (path) => withFile(path, constants.O_RDONLY, 0, fsyncSync),
	rename: (from, to) => renameSync(from, to),
	remove: (path) => rmSync(path, { recursive: true, force: true }),
}

function withFile<T>(path: string, flags: number, mode: number, use: (file: number) => T): T {
	const file = openSync(path, flags, mode)
	try {
		return use(file)
	} finally {
		closeSync(file)
	}
}
