// A disk or a plain file as a medium. A disk is opened for us alone: the kernel refuses when it is
// mounted or part of something, whatever the look at it has said before.

import { execFileSync } from 'node:child_process'
import {
	closeSync, constants, fsyncSync, openSync, readSync, writeFileSync, writeSync,
} from 'node:fs'
import { causeOf, codeOf } from '../../src/platform/trouble.ts'
import type { Target } from './device.ts'
import { Refusal } from './exit.ts'
import type { Medium } from './write.ts'

export interface OpenMedium extends Medium {
	close(): void
}

export function openMedium(target: Target): OpenMedium {
	const { path, bytes, kind } = target
	const isDisk = kind === 'disk'
	const fd = open(path, isDisk ? constants.O_EXCL : constants.O_CREAT)
	return {
		name: path,
		bytes,
		write(p, at) {
			for (let n = 0; n < p.length;) n += writeSync(fd, p, n, p.length - n, at + n)
		},
		read(p, at) {
			let n = 0
			for (let more = -1; more !== 0 && n < p.length; n += more) {
				more = readSync(fd, p, n, p.length - n, at + n)
			}
			return n
		},
		sync: () => fsyncSync(fd),
		dropCaches: () => isDisk && (run('blockdev', '--flushbufs', path) || dropAll()),
		close: () => {
			closeSync(fd)
			// So that the new partitions are seen; a file has none.
			if (isDisk) run('blockdev', '--rereadpt', path)
		},
	}
}

function open(path: string, flags: number): number {
	try {
		return openSync(path, constants.O_RDWR | flags, 0o644)
	} catch (error) {
		const code = codeOf(error)
		if (code === 'EBUSY') throw new Refusal('in-use', `${path} is in use: the kernel says so`)
		if (code === 'EROFS') throw new Refusal('read-only', `${path} is write-protected`)
		const cure = code === 'EACCES' || code === 'EPERM' ? '; cure: run it as root' : ''
		throw new Refusal('trouble', `unable to open ${path}: ${causeOf(error)}${cure}`)
	}
}

function run(program: string, ...args: readonly string[]): boolean {
	const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
	try {
		execFileSync(program, args, { stdio: 'ignore', env: { ...process.env, PATH: path } })
		return true
	} catch {
		return false
	}
}

/** Everybody's caches, where there is no blockdev; only root may. */
function dropAll(): boolean {
	try {
		writeFileSync('/proc/sys/vm/drop_caches', '1')
		return true
	} catch {
		return false
	}
}
