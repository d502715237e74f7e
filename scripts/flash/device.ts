// What a target is, as /sys and /proc tell: collected and not judged. Knows no block device by
// itself: tests bring folders that look like a machine's.

import {
	existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'

export interface Roots {
	readonly sys: string
	readonly proc: string
	/** What stands at a path, links followed; undefined: nothing. */
	readonly node: (path: string) => Node | undefined
}

export type Node =
	| { readonly kind: 'file', readonly bytes: number, readonly writable: boolean }
	| { readonly kind: 'block', readonly major: number, readonly minor: number }
	| { readonly kind: 'other' }

export interface Part {
	readonly name: string
	readonly bytes: number
}

export interface Use {
	readonly name: string
	/** 'mounted at /media/card', 'swap', 'part of dm-0'. */
	readonly how: string
}

export interface Target {
	readonly path: string
	readonly kind: 'file' | 'disk' | 'partition' | 'mapped' | 'other'
	/** sdb; of a file its name. What is typed to confirm. */
	readonly name: string
	/** 0: a file that is made anew. */
	readonly bytes: number
	readonly model: string | undefined
	readonly serial: string | undefined
	readonly bus: string
	readonly removable: boolean
	readonly readOnly: boolean
	readonly partitions: readonly Part[]
	readonly uses: readonly Use[]
	/** Where the running system lies on it: '/', '/boot'. */
	readonly system: readonly string[]
}

const SECTOR = 512
/** Mounted from here, a disk is the system's. */
const SYSTEM_PLACES = ['/', '/boot', '/boot/efi', '/boot/firmware', '/usr', '/var', '/etc', '/home']

export const MACHINE: Roots = {
	sys: '/sys',
	proc: '/proc',
	node(path) {
		const seen = statSync(path, { throwIfNoEntry: false })
		if (seen === undefined) return undefined
		const writable = (seen.mode & 0o222) !== 0
		if (seen.isFile()) return { kind: 'file', bytes: seen.size, writable }
		if (!seen.isBlockDevice()) return { kind: 'other' }
		// As glibc's makedev packs them.
		const major = Math.floor(seen.rdev / 256) & 0xfff
		const minor = (seen.rdev & 0xff) + Math.floor(seen.rdev / 2 ** 20) * 256
		return { kind: 'block', major, minor }
	},
}

export function lookAt(path: string, roots: Roots = MACHINE): Target {
	const node = roots.node(path)
	const plain = {
		path, name: basename(path), model: undefined, serial: undefined, bus: 'file', removable: true,
		readOnly: false, partitions: [], uses: [], system: [],
	}
	if (node === undefined) return { ...plain, kind: 'file', bytes: 0 }
	if (node.kind === 'file') {
		return { ...plain, kind: 'file', bytes: node.bytes, readOnly: !node.writable }
	}
	if (node.kind === 'other') return { ...plain, kind: 'other', bytes: 0 }
	return lookAtBlock(path, `${node.major}:${node.minor}`, roots)
}

function lookAtBlock(path: string, number: string, roots: Roots): Target {
	const folder = realpathSync(join(roots.sys, 'dev/block', number))
	const name = basename(folder)
	const isPartition = existsSync(join(folder, 'partition'))
	const isMapped = /^(dm-|md|zram|ram|nbd)/.test(name)
	const bus = busOf(folder, name)
	const parts = partitionsOf(folder)
	const family = familyOf([folder, ...parts.map((part) => join(folder, part.name))], roots)
	return {
		path, name,
		kind: isPartition ? 'partition' : isMapped ? 'mapped' : 'disk',
		bytes: Number(read(folder, 'size') ?? 0) * SECTOR,
		model: modelOf(folder),
		serial: upwards(folder, 'serial') ?? undefined,
		bus,
		removable: read(folder, 'removable') === '1' || ['usb', 'sd card', 'loop'].includes(bus),
		readOnly: read(folder, 'ro') === '1',
		partitions: parts,
		uses: usesOf(family, roots),
		system: systemOf(isPartition ? dirname(folder) : folder, roots),
	}
}

function read(folder: string, file: string): string | undefined {
	try {
		const text = readFileSync(join(folder, file), 'utf8').replaceAll('\0', '').trim()
		return text === '' ? undefined : text
	} catch {
		return undefined
	}
}

function busOf(folder: string, name: string): string {
	if (name.startsWith('loop')) return 'loop'
	if (/\/usb\d+\//.test(folder)) return 'usb'
	const type = read(folder, 'device/type')
	if (name.startsWith('mmcblk')) return type === 'SD' ? 'sd card' : 'mmc'
	if (name.startsWith('nvme')) return 'nvme'
	const subsystem = join(folder, 'device/subsystem')
	return existsSync(subsystem) ? basename(readlinkSync(subsystem)) : 'unknown'
}

function modelOf(folder: string): string | undefined {
	const words = [read(folder, 'device/vendor'), read(folder, 'device/model')]
	const text = words.filter((word) => word !== undefined && !word.startsWith('0x')).join(' ')
	return text === '' ? read(folder, 'device/name') : text
}

/** A USB stick's serial number stands some folders above its disk. */
function upwards(folder: string, file: string): string | undefined {
	const own = read(folder, `device/${file}`)
	for (let at = folder, i = 0; own === undefined && i < 8; at = dirname(at), i++) {
		const found = read(at, file)
		if (found !== undefined) return found
	}
	return own
}

function partitionsOf(folder: string): Part[] {
	return list(folder).filter((name) => existsSync(join(folder, name, 'partition'))).map((name) =>
		({ name, bytes: Number(read(join(folder, name), 'size') ?? 0) * SECTOR }))
}

function list(folder: string): string[] {
	return existsSync(folder) ? readdirSync(folder).sort() : []
}

interface Member {
	readonly name: string
	readonly number: string
	/** Through which member it came: a mapped device on a partition. */
	readonly holds: string | undefined
}

/** The devices, and everything that is built upon them: LVM, RAID, encryption. */
function familyOf(folders: readonly string[], roots: Roots): Member[] {
	const members = new Map<string, Member>()
	const open = folders.map((folder) => ({ folder, holds: undefined as string | undefined }))
	for (let next = open.pop(); next !== undefined; next = open.pop()) {
		const name = basename(next.folder)
		if (members.has(name)) continue
		members.set(name, { name, number: read(next.folder, 'dev') ?? '', holds: next.holds })
		for (const holder of list(join(next.folder, 'holders'))) {
			open.push({ folder: join(roots.sys, 'class/block', holder), holds: name })
		}
	}
	return [...members.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

interface Mount {
	readonly number: string
	readonly place: string
	readonly source: string
}

function mountsOf(roots: Roots): Mount[] {
	const lines = (read(roots.proc, 'self/mountinfo') ?? '').split('\n').filter((line) => line !== '')
	return lines.map((line) => {
		const [before, after] = line.split(' - ')
		const words = before!.split(' ')
		const source = plainPath(after?.split(' ')[1])
		return { number: words[2] ?? '', place: plainPath(words[4]), source }
	})
}

/** The kernel writes a blank as \040. */
function plainPath(text = ''): string {
	return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
		String.fromCharCode(Number.parseInt(octal, 8)))
}

function usesOf(family: readonly Member[], roots: Roots): Use[] {
	const swaps = (read(roots.proc, 'swaps') ?? '').split('\n').slice(1)
		.map((line) => numberOf(plainPath(line.split(/\s/)[0]), roots))
	const mounts = mountsOf(roots)
	return family.flatMap(({ name, number, holds }) => [
		...holds === undefined ? [] : [{ name: holds, how: `part of ${name}` }],
		...mounts.filter((mount) => mount.number === number || isSource(mount, number, roots))
			.map(({ place }) => ({ name, how: `mounted at ${place}` })),
		...swaps.includes(number) ? [{ name, how: 'swap' }] : [],
	])
}

/** btrfs shows a number that no device has; then the name counts. */
function isSource(mount: Mount, number: string, roots: Roots): boolean {
	return mount.number.startsWith('0:') && mount.source.startsWith('/dev/') &&
		numberOf(mount.source, roots) === number
}

function numberOf(path: string, roots: Roots): string | undefined {
	const node = roots.node(path)
	return node?.kind === 'block' ? `${node.major}:${node.minor}` : undefined
}

/** Places of the system that lie on this disk, also through mapped devices. */
function systemOf(disk: string, roots: Roots): string[] {
	const places = mountsOf(roots).filter(({ place }) => SYSTEM_PLACES.includes(place))
	return places.filter((mount) => {
		const number = mount.number.startsWith('0:') ? numberOf(mount.source, roots) : mount.number
		return number !== undefined && disksUnder(number, roots).includes(basename(disk))
	}).map(({ place }) => place)
}

function disksUnder(number: string, roots: Roots): string[] {
	const link = join(roots.sys, 'dev/block', number)
	if (!existsSync(link)) return []
	const folder = realpathSync(link)
	const slaves = list(join(folder, 'slaves'))
	const below = slaves.flatMap((name) => {
		const of = read(join(roots.sys, 'class/block', name), 'dev')
		return of === undefined ? [] : disksUnder(of, roots)
	})
	const disk = existsSync(join(folder, 'partition')) ? dirname(folder) : folder
	return [basename(disk), ...below]
}
