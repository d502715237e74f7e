// The place of an update on a running device: what its first stage has written down, its
// partitions, its slot state.

import { spawnSync } from 'node:child_process'
import {
	closeSync, constants, fstatSync, fsyncSync, openSync, readFileSync, readSync, writeSync,
} from 'node:fs'
import * as v from 'valibot'
import type { Bytes } from '../../base/bytes.ts'
import { fromHex } from '../../base/hex.ts'
import { causeOf, codeOf, Trouble, troubleOf } from '../../platform/trouble.ts'
import { goodApp, putApp } from './app-store.ts'
import type { Extent, Place } from './install.ts'
import { PUBLIC_KEY_BYTES } from './manifest.ts'
import { changeSlots } from './slot-store.ts'
import { forbid, otherSlot, tryOther } from './slots.ts'

export const SLOTS_FILE = '/run/curvegate/slots.json'
export const KEY_FILE = '/etc/curvegate/update.pub'

const pair = v.object({ a: v.string(), b: v.string() })

const schema = v.object({
	board: v.string(),
	version: v.pipe(v.string(), v.regex(/^\d+\.\d+\.\d+$/)),
	built: v.pipe(v.number(), v.safeInteger()),
	slot: v.picklist(['a', 'b']),
	boot: pair,
	root: pair,
	/** Where applications lie. */
	app: v.string(),
	/** The slot state's device. */
	state: v.string(),
})

export type Slots = v.InferOutput<typeof schema>

/** Throws Trouble: this machine runs no image. */
export function readSlotsFile(file: string): Slots {
	let value: unknown
	try {
		value = JSON.parse(readFileSync(file, 'utf8'))
	} catch (error) {
		const isAbsent = codeOf(error) === 'ENOENT'
		throw new Trouble('read', file, isAbsent ? 'this machine runs no image of curvegate; another '
			+ 'is updated with --over or --serial, a Debian or OpenWrt by make deploy' : causeOf(error))
	}
	const result = v.safeParse(schema, value)
	if (result.success) return result.output
	const [issue] = result.issues
	throw new Trouble('read', file, `${v.getDotPath(issue) ?? 'all'}: ${issue.message}`)
}

export function readUpdateKey(file: string): Bytes {
	let text: string
	try {
		text = readFileSync(file, 'utf8').trim()
	} catch (error) {
		throw new Trouble('read the key of updates', file, causeOf(error))
	}
	const key = fromHex(text, PUBLIC_KEY_BYTES)
	if (key !== undefined) return key
	throw new Trouble('read the key of updates', file, 'expected 64 hexadecimal digits')
}

export function placeOf(slots: Slots, publicKey: Bytes): Place {
	const other = otherSlot(slots.slot)
	// An older application than the slot's own does not run.
	const built = Math.max(slots.built, goodApp(slots.app) ?? 0)
	return {
		board: slots.board, publicKey, running: { version: slots.version, built },
		openPart: (name) => openExtent(slots[name][other]),
		forbidOther: () => void changeSlots(slots.state, (state) => forbid(state, other)),
		tryOther: () => void changeSlots(slots.state, (state) => tryOther(state, slots.slot)),
		putApp: (bundle, manifest) => putApp(slots.app, bundle, manifest),
	}
}

const SECTOR = 512

/** For us alone: the kernel refuses a partition that is mounted, and a second update. */
function openExtent(path: string): Extent {
	try {
		const fd = openSync(path, constants.O_RDWR | constants.O_EXCL)
		return extentOf(path, fd)
	} catch (error) {
		const code = codeOf(error)
		if (code === 'EBUSY') throw new Trouble('write', path, 'it is in use, or another update runs')
		const cure = code === 'EACCES' ? '; cure: run it as root' : ''
		throw new Trouble('write', path, causeOf(error) + cure, code)
	}
}

function extentOf(path: string, fd: number): Extent {
	const told = <T>(work: () => T): T => {
		try {
			return work()
		} catch (error) {
			throw troubleOf('write', path, error)
		}
	}
	return {
		bytes: bytesOf(fd),
		write: (p, at) => told(() => {
			for (let n = 0; n < p.length;) n += writeSync(fd, p, n, p.length - n, at + n)
		}),
		read: (p, at) => told(() => {
			for (let n = 0, more = 0; n < p.length; n += more) {
				more = readSync(fd, p, n, p.length - n, at + n)
				if (more === 0) throw new Error('it ends too early')
			}
		}),
		sync: () => told(() => fsyncSync(fd)),
		// BLKFLSBUF; where there is no such program, the page cache may answer.
		forget: () => void spawnSync('blockdev', ['--flushbufs', path], { stdio: 'ignore' }),
		close: () => closeSync(fd),
	}
}

function bytesOf(fd: number): number {
	const seen = fstatSync(fd)
	if (!seen.isBlockDevice()) return seen.size
	const major = Math.floor(seen.rdev / 256) & 0xfff
	const minor = (seen.rdev & 0xff) + Math.floor(seen.rdev / 2 ** 20) * 256
	return Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, 'utf8')) * SECTOR
}
