// Who else reads from a device: two readers of one serial line each get half of it. Who only writes
// there, as a log does, and who started us, is no rival.

import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { join } from 'node:path'

export interface Holder {
	readonly pid: number
	readonly command: string
	/** A login prompt. */
	readonly isGetty: boolean
}

const PROCESSES_MAX = 8192
const WRITE_ONLY = 1
const ACCESS_MODE = 3
const PTMX = /^\/dev\/(pts\/)?ptmx$/

/**
 * Of the processes that we may look into; a login prompt says by its words where it is. root: where
 * /proc is; a test brings its own.
 */
export function holdersOf(device: string, root = '/', self = process.pid): Holder[] {
	const path = targetOf(device)
	const family = ancestorsOf(self, root)
	return pidsIn(root).filter((pid) => !family.has(pid)).flatMap((pid) => {
		const words = (textOf(join(root, `proc/${pid}/cmdline`)) ?? '').split('\0')
		const isGetty = /(^|\/)[am]?getty$/.test(words[0] ?? '')
		const tty = path.replace(/^\/dev\//, '')
		const isMeant = isGetty && words.some((word) => word === tty || word === path)
		if (!isMeant && !reads(pid, path, root)) return []
		return [{ pid, command: words.filter((word) => word !== '').slice(0, 3).join(' '), isGetty }]
	})
}

export function holderText({ pid, command, isGetty }: Holder): string {
	const what = command === '' ? '' : ` (${command})`
	return `process ${pid}${what}${isGetty ? ', a login prompt' : ''}`
}

/** /dev/serial/by-id holds links. */
function targetOf(device: string): string {
	try {
		return realpathSync(device)
	} catch {
		return device
	}
}

function pidsIn(root: string): number[] {
	try {
		return readdirSync(join(root, 'proc')).map(Number).filter((pid) => pid > 0)
			.slice(0, PROCESSES_MAX)
	} catch {
		return []
	}
}

/** self, its parent, and so on. */
function ancestorsOf(self: number, root: string): Set<number> {
	const family = new Set<number>()
	for (let pid = self; pid > 0 && !family.has(pid);) {
		family.add(pid)
		pid = Number(/^PPid:\s*(\d+)$/m.exec(textOf(join(root, `proc/${pid}/status`)) ?? '')?.[1] ?? 0)
	}
	return family
}

function reads(pid: number, path: string, root: string): boolean {
	const folder = join(root, `proc/${pid}/fd`)
	try {
		const open = readdirSync(folder).map((fd) => [fd, linkOf(join(folder, fd))] as const)
		// Who has a pseudo-terminal's other end is the cable.
		if (path.startsWith('/dev/pts/') && open.some(([, link]) => PTMX.test(link ?? ''))) return false
		return open.some(([fd, link]) => link === path
			&& !isWriteOnly(textOf(join(root, `proc/${pid}/fdinfo/${fd}`))))
	} catch {
		return false
	}
}

function isWriteOnly(info: string | undefined): boolean {
	const flags = /^flags:\s*([0-7]+)$/m.exec(info ?? '')?.[1]
	return flags !== undefined && (parseInt(flags, 8) & ACCESS_MODE) === WRITE_ONLY
}

function linkOf(path: string): string | undefined {
	try {
		return readlinkSync(path)
	} catch {
		return undefined
	}
}

function textOf(path: string): string | undefined {
	try {
		return readFileSync(path, 'latin1')
	} catch {
		return undefined
	}
}
