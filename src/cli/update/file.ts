// An update as a file, or as what comes on stdin.

import { closeSync, createReadStream, openSync, readSync } from 'node:fs'
import { Trouble, troubleOf } from '../../platform/trouble.ts'
import { MANIFEST_BYTES_MAX, manifestBytes } from '../../service/firmware/manifest.ts'

export interface UpdateFile {
	readonly name: string
	/** From the beginning, in order. */
	pieces(): AsyncIterable<Uint8Array>
	/** The manifest's text; only of a file. */
	manifest(): string
	/** Bytes at a place behind the manifest; only of a file. */
	read(at: number, n: number): Uint8Array
	close(): void
}

const PIECE_BYTES = 1 << 18

export function openUpdateFile(path: string): UpdateFile {
	if (path === '-') return standardInput()
	let fd: number
	try {
		fd = openSync(path, 'r')
		readSync(fd, new Uint8Array(1), 0, 1, 0)
	} catch (error) {
		throw troubleOf('read', path, error)
	}
	const read = (at: number, n: number): Uint8Array => {
		const p = new Uint8Array(n)
		let done = 0
		for (let more = -1; more !== 0 && done < n; done += more) {
			more = readSync(fd, p, done, n - done, at + done)
		}
		return p.subarray(0, done)
	}
	let start = 0
	return {
		name: path,
		pieces: () => createReadStream(path, { highWaterMark: PIECE_BYTES }),
		manifest() {
			const head = read(0, MANIFEST_BYTES_MAX)
			start = manifestBytes(head, head.length) ?? 0
			if (start === 0) throw new Trouble('send', path, 'it is no update of curvegate')
			return new TextDecoder('latin1').decode(head.subarray(0, start))
		},
		read: (at, n) => read(start + at, n),
		close: () => closeSync(fd),
	}
}

function standardInput(): UpdateFile {
	const onlyFile = (): never => {
		throw new Trouble('send', 'standard input', 'a file is needed, so that it can be sent again')
	}
	return {
		name: 'standard input',
		pieces: () => process.stdin,
		manifest: onlyFile,
		read: onlyFile,
		close: () => process.stdin.destroy(),
	}
}
