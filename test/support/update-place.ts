// A device in memory that an update is installed on: partitions that lose what was not synced when
// the power goes, and the slot state. Every step can be the last one.

import nacl from 'tweetnacl'
import type { Extent, Place } from '../../src/service/firmware/install.ts'
import { putApp } from '../../src/service/firmware/app-store.ts'
import { choose, forbid, tryOther, type SlotState } from '../../src/service/firmware/slots.ts'
import { packUpdate, type Parts } from '../../scripts/update/pack.ts'
import { MemoryDisk, PowerCut } from './power-cut.ts'

export const KEYS = nacl.sign.keyPair.fromSeed(new Uint8Array(32).fill(9))
export const SUBJECT = { board: 'rpi-4', version: '0.2.0', built: 2000 }
export const RUNNING = { version: '0.1.0', built: 1000 }

interface Write {
	readonly at: number
	readonly bytes: Uint8Array
}

class MemoryExtent implements Extent {
	readonly bytes: number
	readonly content: Uint8Array
	readonly step: (what: string) => void
	pending: Write[] = []

	constructor(bytes: number, step: (what: string) => void) {
		this.bytes = bytes
		this.content = new Uint8Array(bytes).fill(0xee)
		this.step = step
	}

	write(p: Uint8Array, at: number): void {
		this.step(`write ${at}`)
		if (at + p.length > this.bytes) throw new Error('beyond the end')
		this.pending.push({ at, bytes: Uint8Array.from(p) })
	}

	read(p: Uint8Array, at: number): void {
		p.set(this.content.subarray(at, at + p.length))
	}

	sync(): void {
		this.step('sync')
		for (const { at, bytes } of this.pending) this.content.set(bytes, at)
		this.pending = []
	}

	/** Of what was not synced, each block may have got there. */
	lose(chance: () => number): void {
		for (const { at, bytes } of this.pending) {
			const n = Math.floor(chance() * (bytes.length + 1))
			if (chance() < 0.7) this.content.set(bytes.subarray(0, n), at)
		}
		this.pending = []
	}

	forget(): void {}

	close(): void {}
}

export class MemoryDevice implements Place {
	readonly board = 'rpi-4'
	readonly publicKey = KEYS.publicKey
	readonly running = RUNNING
	readonly log: string[] = []
	cutAt = Infinity
	state: SlotState = { sequence: 5, slot: 'a', tries: { a: 3, b: 0 } }
	readonly boot: MemoryExtent
	readonly root: MemoryExtent
	disk = new MemoryDisk()

	constructor(bytes = 400_000) {
		const step = (what: string): void => this.#step(what)
		this.boot = new MemoryExtent(bytes, step)
		this.root = new MemoryExtent(bytes, step)
		this.disk.makeFolder('/data', 0o755)
		this.disk.sync('/')
		this.disk.log.length = 0
	}

	openPart(name: 'boot' | 'root'): Extent {
		return this[name]
	}

	forbidOther(): void {
		this.#step('forbid')
		this.state = forbid(this.state, 'b')
	}

	tryOther(): void {
		this.#step('try')
		this.state = tryOther(this.state, 'a')
	}

	putApp(bundle: Uint8Array, manifest: { readonly built: number }): void {
		putApp('/data/app', bundle, manifest, this.disk)
	}

	/** What the boot loader starts, when the power is back. */
	get starts(): 'a' | 'b' {
		return choose(this.state).start
	}

	#step(what: string): void {
		if (this.log.push(what) > this.cutAt) throw new PowerCut('power cut')
	}
}

export function makeUpdate(parts: Parts, subject = SUBJECT): Uint8Array {
	return Uint8Array.from(packUpdate(subject, parts, KEYS.secretKey))
}
