// Files for the image's first partition, put into the copy that is written: the image itself stays
// as it was built. mtools writes the FAT in a copy of that partition alone.

import { execFileSync } from 'node:child_process'
import {
	closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync, writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { causeOf, codeOf, Trouble, troubleOf, Usage } from '../../src/platform/trouble.ts'
import { checkProvision } from '../../src/service/firmware/provision.ts'
import { readTomlFile } from '../../src/service/toml-file.ts'
import { ImageSource, type Image } from './image.ts'
import type { Source } from './write.ts'

/** A name in the FAT, and the file of this machine that becomes it. */
export interface Provision {
	readonly name: string
	readonly path: string
	readonly bytes: number
}

/** What the box reads at its first start; firmware.md. */
const CONFIGURATION = 'curvegate.toml'
const BYTES_MAX = 1 << 20
/** Of the partition that holds them; it has the number 1 on every board. */
const PARTITION = 1

/** The first is the configuration, whatever its name here; further ones keep theirs. */
export async function readProvisions(
	paths: readonly string[], board: string,
): Promise<Provision[]> {
	const provisions = paths.map((path, i): Provision => {
		const name = i === 0 ? CONFIGURATION : basename(path)
		if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
			throw new Usage(`${path}: expected a name of letters, digits, dots and dashes for the FAT`)
		}
		return { name, path, bytes: sizeOf(path) }
	})
	if (paths[0] !== undefined) {
		const { text } = readTomlFile(paths[0], 'the configuration')
		await checkProvision(text, paths[0], { board, alwaysConsole: true })
	}
	const twice = provisions.find(({ name }, i) =>
		provisions.findIndex((one) => one.name.toLowerCase() === name.toLowerCase()) !== i)
	if (twice !== undefined) throw new Usage(`${twice.path}: a second file named ${twice.name}`)
	return provisions
}

function sizeOf(path: string): number {
	try {
		const seen = statSync(path)
		if (!seen.isFile()) throw new Usage(`--provision ${path}: is not a file`)
		if (seen.size <= BYTES_MAX) return seen.size
	} catch (error) {
		if (error instanceof Usage) throw error
		throw troubleOf('read', path, error)
	}
	throw new Usage(`--provision ${path}: larger than ${BYTES_MAX} bytes`)
}

export interface Provisioned extends Source {
	close(): void
}

/** The image with the files in it. */
export function provision(image: Image, files: readonly Provision[]): Provisioned {
	const source = new ImageSource(image)
	if (files.length === 0) return source
	const place = image.partitions.find(({ number }, i) => (number ?? i + 1) === PARTITION)
	if (place === undefined) throw new Usage(`image.json names no partition ${PARTITION}`)
	const folder = mkdtempSync(join(tmpdir(), 'curvegate-flash-'))
	const path = join(folder, 'boot.fat')
	try {
		cutOut(source, place, path)
		for (const file of files) putIn(path, file)
	} catch (error) {
		source.close()
		rmSync(folder, { recursive: true, force: true })
		throw error
	}
	const fd = openSync(path, 'r')
	return {
		bytes: source.bytes,
		read(at, block) {
			const piece = source.read(at, block)
			const from = Math.max(at, place.start)
			const to = Math.min(at + piece.length, place.start + place.bytes)
			for (let n = from; n < to;) n += readSync(fd, piece, n - at, to - n, n - place.start)
			return piece
		},
		close() {
			source.close()
			closeSync(fd)
			rmSync(folder, { recursive: true, force: true })
		},
	}
}

function cutOut(
	source: ImageSource, { start, bytes }: Image['partitions'][number], path: string,
): void {
	const fd = openSync(path, 'wx', 0o600)
	const block = new Uint8Array(4 << 20)
	try {
		for (let at = 0; at < bytes; at += block.length) {
			writeSync(fd, source.read(start + at, block.subarray(0, Math.min(block.length, bytes - at))))
		}
	} finally {
		closeSync(fd)
	}
}

function putIn(fat: string, { path, name, bytes }: Provision): void {
	mtool('mcopy', ['-o', '-i', fat, path, `::${name}`], name)
	const found = mtool('mtype', ['-i', fat, `::${name}`], name)
	if (found.length !== bytes || !found.equals(readFileSync(path))) {
		throw new Trouble('put', name, 'it came out of the FAT differently')
	}
}

function mtool(program: string, args: readonly string[], name: string): Buffer {
	try {
		return execFileSync(program, args, {
			stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 * BYTES_MAX,
			env: { ...process.env, MTOOLS_SKIP_CHECK: '1' },
		})
	} catch (error) {
		const cause = codeOf(error) === 'ENOENT' ? `no ${program} here; cure: apt install mtools`
			: causeOf(error).trim().split('\n').at(-1)!
		throw new Trouble('put into the boot partition', name, cause)
	}
}
