// The place of an update on a running device: what its first stage has written down, its
// partitions, its slot state.

import { spawnSync } from 'node:child_process'
import {
	closeSync, constants, fstatSync, fsyncSync, openSync, readFileSync, readSync, writeSync,
} from 'node:fs'
import type { Bytes } from '../../base/bytes.ts'
import { fromHex } from '../../base/hex.ts'
import { causeOf, codeOf, Trouble, troubleOf } from '../../platform/trouble.ts'
import { goodApp, putApp } from './app-store.ts'
import { DEVICE_FILE, readDevice, type Device } from './device.ts'
import type { Extent, Place } from './install.ts'
import { PUBLIC_KEY_BYTES } from './manifest.ts'
import { changeSlots } from './slot-store.ts'
import { forbid, otherSlot, tryOther } from './slots.ts'

export const KEY_FILE = '/etc/curvegate/update.pub'

/** Throws Trouble where updates cannot be installed. */
export function deviceHere(file = DEVICE_FILE): Device {
	const device = readDevice(file)
	if (device === undefined) {
		throw new Trouble('install', 'the update', 'this machine runs no image of curvegate; bring it '
			+ 'to one with --over or --serial, or the program to a Debian with make deploy')
	}
	if (device.slot !== 'recovery') return device
	throw new Trouble('install', 'the update', 'this is the recovery image, which has no other slot')
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

export function placeOf(device: Device, publicKey: Bytes): Place {
	const { board, version, state, app } = device
	const running = device.slot === 'b' ? 'b' : 'a'
	const other = otherSlot(running)
	// An older application than the slot's own does not run.
	const built = Math.max(device.built, goodApp(app) ?? 0)
	return {
		board, publicKey, running: { version, built },
		openPart(name) {
			if (device.bootloader === 'u-boot') return openExtent(device[name][other])
			throw new Trouble('install', 'the update', 'the firmware of this board chooses the slot, and '
				+ 'is not told to try the other one yet; an application alone can be updated (--app), a '
				+ 'whole slot by make flash')
		},
		forbidOther: () => void changeSlots(state, (slots) => forbid(slots, other)),
		tryOther: () => void changeSlots(state, (slots) => tryOther(slots, running)),
		putApp: (bundle, manifest) => putApp(app, bundle, manifest),
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
