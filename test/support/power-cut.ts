// A file system in memory whose power can be cut before any operation. What was not synced may then
// be there, or not, or in part: after() draws one of the states that a medium could show.

import { basename, dirname } from 'node:path'
import type { Disk } from '../../src/platform/disk.ts'

interface Thing {
	readonly kind: 'file' | 'folder'
	readonly mode: number
	bytes: Uint8Array
	/** The bytes are on the medium. */
	safe: boolean
	readonly names: Map<string, Thing>
	/** Changes of names that are not on the medium yet; each may happen alone or not at all. */
	pending: ((names: Map<string, Thing>) => void)[]
	/** The names on the medium. */
	durable: Map<string, Thing>
}

export class PowerCut extends Error {}

export class MemoryDisk implements Disk {
	/** Operations that change the disk, in order. */
	readonly log: string[] = []
	/** Throws before the operation of this number: PowerCut for ever, or one EIO. */
	cutAt = Infinity
	failAt = Infinity
	/** A disk that lies about sync: the control of the tests. */
	lies = false
	readonly #root: Thing

	constructor(root: Thing = makeThing('folder', 0o755)) {
		this.#root = root
	}

	look(path: string): ReturnType<Disk['look']> {
		const thing = this.#find(path)
		return thing === undefined ? undefined : { kind: thing.kind, mode: thing.mode }
	}

	read(path: string, to: Uint8Array): number {
		const bytes = this.#get(path).bytes.subarray(0, to.length)
		to.set(bytes)
		return bytes.length
	}

	list(folder: string): string[] {
		return [...this.#get(folder).names.keys()]
	}

	makeFolder(path: string, mode: number): void {
		this.#step(`makeFolder ${path}`)
		this.#put(path, makeThing('folder', mode))
	}

	write(path: string, bytes: Uint8Array, mode: number): void {
		this.#step(`write ${path}`)
		this.#put(path, { ...makeThing('file', mode), bytes: bytes.slice() })
	}

	sync(path: string): void {
		this.#step(`sync ${path}`)
		if (this.lies) return
		const thing = this.#get(path)
		thing.safe = true
		thing.pending = []
		thing.durable = new Map(thing.names)
	}

	rename(from: string, to: string): void {
		this.#step(`rename ${from} ${to}`)
		const thing = this.#get(from)
		this.#change(dirname(to), (names) => {
			names.delete(basename(from))
			names.set(basename(to), thing)
		})
	}

	remove(path: string): void {
		if (this.#find(path) === undefined) return
		this.#step(`remove ${path}`)
		this.#change(dirname(path), (names) => names.delete(basename(path)))
	}

	/** The disk as it may be found when the power is back. */
	after(chance: () => number): MemoryDisk {
		return new MemoryDisk(survivor(this.#root, chance))
	}

	/** Every path below root with its mode and size. */
	tree(): string[] {
		return listThings(this.#root, '')
	}

	#step(what: string): void {
		const n = this.log.push(what) - 1
		if (n >= this.cutAt) throw new PowerCut('power cut')
		if (n === this.failAt) throw Object.assign(new Error('EIO'), { code: 'EIO' })
	}

	#put(path: string, thing: Thing): void {
		if (this.#find(path) !== undefined) throw Object.assign(new Error(path), { code: 'EEXIST' })
		this.#change(dirname(path), (names) => names.set(basename(path), thing))
	}

	#change(folder: string, change: (names: Map<string, Thing>) => void): void {
		const thing = this.#get(folder)
		change(thing.names)
		thing.pending.push(change)
	}

	#get(path: string): Thing {
		const thing = this.#find(path)
		if (thing === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' })
		return thing
	}

	#find(path: string): Thing | undefined {
		let thing: Thing | undefined = this.#root
		for (const name of path.split('/').filter((part) => part !== '')) thing = thing?.names.get(name)
		return thing
	}
}

function makeThing(kind: 'file' | 'folder', mode: number): Thing {
	return {
		kind, mode, bytes: new Uint8Array(0), safe: false, names: new Map(), pending: [],
		durable: new Map(),
	}
}

function survivor(thing: Thing, chance: () => number): Thing {
	const names = new Map(thing.durable)
	for (const change of thing.pending) if (chance() < 0.5) change(names)
	const left = new Map([...names].map(([name, inner]) => [name, survivor(inner, chance)]))
	// Of bytes that were never synced some may be there, and zeros where the rest should be.
	const kept = Math.floor(chance() * (thing.bytes.length + 1))
	const torn = chance() < 0.5 ? thing.bytes.slice(0, kept)
		: thing.bytes.map((byte, i) => (i < kept ? byte : 0))
	const bytes = thing.safe ? thing.bytes : torn
	return { ...thing, bytes, safe: true, names: left, pending: [], durable: new Map(left) }
}

function listThings(thing: Thing, at: string): string[] {
	return [...thing.names].sort().flatMap(([name, inner]) => {
		const mode = inner.mode.toString(8)
		const size = inner.kind === 'file' ? ` ${inner.bytes.length}` : '/'
		return [`${at}${name}${size} ${mode}`, ...listThings(inner, `${at}${name}/`)]
	})
}
