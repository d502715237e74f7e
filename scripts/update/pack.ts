// Makes update files: a signed manifest, and the parts behind it.

import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { signManifest, type Manifest, type PartName } from '../../src/service/firmware/manifest.ts'
import { readSecretKey } from './key.ts'

export type Parts = readonly (readonly [name: PartName, content: Uint8Array])[]

export type Subject = Omit<Manifest, 'parts'>

/** The zeros behind the files of a FAT need no transport: nobody reads them. */
const BLOCK = 4096

export function slotParts(boot: string, root: string): Parts {
	return [['boot', withoutTail(readFileSync(boot))], ['root', readFileSync(root)]]
}

/** The same bundle makes the same bytes: gzip's header says neither a time nor a system. */
export function appParts(bundle: string): Parts {
	const packed = gzipSync(readFileSync(bundle), { level: 9 })
	packed[9] = 255
	return [['app', packed]]
}

function withoutTail(p: Buffer): Uint8Array {
	const zeros = Buffer.alloc(BLOCK)
	let n = p.length
	while (n > BLOCK && p.subarray(n - BLOCK, n).equals(zeros)) n -= BLOCK
	return p.subarray(0, n)
}

export function describe(subject: Subject, parts: Parts): Manifest {
	return {
		...subject,
		parts: parts.map(([name, content]) => ({
			name, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex'),
		})),
	}
}

export function packUpdate(subject: Subject, parts: Parts, secretKey: Uint8Array): Buffer {
	const manifest = signManifest(describe(subject, parts), secretKey)
	return Buffer.concat([Buffer.from(manifest), ...parts.map(([, content]) => content)])
}

/** Returns the file's length. */
export function writeUpdate(
	file: string, subject: Subject, parts: Parts, secretFile: string,
): number {
	const key = readSecretKey(secretFile)
	const head = Buffer.from(signManifest(describe(subject, parts), key))
	key.fill(0)
	const fresh = `${file}.new`
	const fd = openSync(fresh, 'w', 0o644)
	let bytes = 0
	for (const piece of [head, ...parts.map(([, content]) => content)]) {
		for (let n = 0; n < piece.length;) n += writeSync(fd, piece, n)
		bytes += piece.length
	}
	closeSync(fd)
	renameSync(fresh, file)
	return bytes
}
