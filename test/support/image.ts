// The image that `make image` left, and what tests do to their copies of it: partitions read and
// written from outside, the data's file system changed without mounting it.

import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import {
	COPIES_AT, encodeState, newestOf, STATE_BYTES, type SlotState,
} from '../../src/service/firmware/slots.ts'
import type { Owner } from './processes.ts'
import { makeFolder } from './processes.ts'

interface Partition {
	readonly name: string
	readonly number: number
	readonly start: number
	readonly bytes: number
}

interface ImageFacts {
	readonly image: string
	readonly commandLine: string
	readonly recoveryCommandLine: string
	readonly bytes: number
	readonly partitions: readonly Partition[]
}

/** The one that the tests boot. */
export const BOARD = 'qemu-arm64'

/** undefined: it was not built. */
export function findImage(board: string): string | undefined {
	const folder = `build/image/${board}`
	return existsSync(join(folder, 'image.json')) ? folder : undefined
}

/** One test's own copy of the disk. */
export class Disk {
	readonly path: string
	readonly folder: string
	readonly facts: ImageFacts
	readonly #scratch: string

	constructor(owner: Owner, board: string) {
		this.folder = findImage(board)!
		this.facts = JSON.parse(readFileSync(join(this.folder, 'image.json'), 'utf8'))
		this.#scratch = makeFolder(owner)
		this.path = join(this.#scratch, 'disk.img')
		execFileSync('cp', ['--sparse=always', join(this.folder, this.facts.image), this.path])
	}

	read(name: string): Buffer {
		const { start, bytes } = this.#find(name)
		const all = Buffer.alloc(bytes)
		const file = openSync(this.path, 'r')
		readSync(file, all, 0, bytes, start)
		closeSync(file)
		return all
	}

	write(name: string, bytes: Uint8Array, at = 0): void {
		const file = openSync(this.path, 'r+')
		writeSync(file, bytes, 0, bytes.length, this.#find(name).start + at)
		closeSync(file)
	}

	get slots(): SlotState {
		const state = this.read('state')
		const copy = (at: number): Uint8Array => state.subarray(at, at + STATE_BYTES)
		return newestOf(copy(COPIES_AT[0]), copy(COPIES_AT[1])).state
	}

	changeSlots(change: (state: SlotState) => SlotState): void {
		const state = this.read('state')
		const copy = (at: number): Uint8Array => state.subarray(at, at + STATE_BYTES)
		const { state: known, next } = newestOf(copy(COPIES_AT[0]), copy(COPIES_AT[1]))
		this.write('state', encodeState(change(known)), COPIES_AT[next])
	}

	/** debugfs's commands on the data partition, after its journal was replayed. */
	editData(...commands: readonly string[]): void {
		const part = join(this.#scratch, 'data.img')
		execFileSync('dd', [`if=${this.path}`, `of=${part}`, 'bs=1M', 'iflag=skip_bytes,count_bytes',
			`skip=${this.#find('data').start}`, `count=${this.#find('data').bytes}`, 'status=none'])
		try {
			execFileSync('e2fsck', ['-fy', part], { stdio: 'ignore' })
		} catch {
			// Its exit code says that it has repaired something.
		}
		for (const command of commands) {
			execFileSync('debugfs', ['-w', '-R', command, part], { stdio: 'ignore' })
		}
		this.write('data', readFileSync(part))
		rmSync(part)
	}

	/** A file of the data partition. */
	readData(path: string): string {
		const part = join(this.#scratch, 'data.img')
		execFileSync('dd', [`if=${this.path}`, `of=${part}`, 'bs=1M', 'iflag=skip_bytes,count_bytes',
			`skip=${this.#find('data').start}`, `count=${this.#find('data').bytes}`, 'status=none'])
		return execFileSync('debugfs', ['-R', `cat ${path}`, part], {
			encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'],
		})
	}

	/** Files of a FAT partition, by mtools. */
	fat(name: string, tool: 'mcopy' | 'mtype' | 'mdir' | 'mdel', ...args: readonly string[]): string {
		return execFileSync(tool, ['-i', `${this.path}@@${this.#find(name).start}`, ...args], {
			encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'],
		})
	}

	#find(name: string): Partition {
		return this.facts.partitions.find((one) => one.name === name)!
	}
}
