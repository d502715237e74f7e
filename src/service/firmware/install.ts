// Takes an update as it comes, in pieces of any size, and brings it where it will be tried: a whole
// slot into the partitions that do not run, an application beside the one that does. Nothing is
// written before the signature; nothing that was written is started before its hash, twice: of what
// came, and of what the medium gives back. spec: firmware.md 1.5

import { createHash, type Hash } from 'node:crypto'
import type { Bytes } from '../../base/bytes.ts'
import { Trouble } from '../../platform/trouble.ts'
import {
	isOlder, MANIFEST_BYTES_MAX, manifestBytes, readManifest, sumOf, versionText, type Manifest,
	type Part, type Version,
} from './manifest.ts'

/** A partition that does not run. */
export interface Extent {
	readonly bytes: number
	write(p: Bytes, at: number): void
	/** Fills p. */
	read(p: Bytes, at: number): void
	sync(): void
	/** What is read next comes from the medium. */
	forget(): void
	close(): void
}

/** What installing touches; the device's own, or a test's. */
export interface Place {
	readonly board: string
	readonly publicKey: Bytes
	/** What runs: the newer of slot and application. */
	readonly running: Version
	openPart(name: 'boot' | 'root'): Extent
	/** The other slot is not started from now on. */
	forbidOther(): void
	/** It is, once, at the next start. */
	tryOther(): void
	/** The gzipped bundle, proven; started once at the next start of the service. */
	putApp(bundle: Bytes, manifest: Manifest): void
}

export interface InstallOptions {
	/** Also what is older than what runs. */
	readonly older: boolean
	/** Everything is checked, and nothing written. */
	readonly dryRun: boolean
	/** The manifest is right and installing begins. */
	began?(manifest: Manifest): void
}

/** Where a part's bytes go. */
interface Sink {
	take(p: Bytes, at: number): void
	/** All have come, and their hash is right. */
	whole(): void
	close(): void
}

/** Held back, and written when all the rest is there: without it, nothing mounts or boots. */
const HEAD_BYTES = 65_536
const PIECE_BYTES = 1 << 20

export class Installer {
	readonly #place: Place
	readonly #o: InstallOptions
	#head = new Uint8Array(0)
	#manifest: Manifest | undefined
	/** Bytes of parts taken so far. */
	#at = 0
	#sink: Sink | undefined
	#hash: Hash | undefined
	#part = 0
	#partAt = 0
	readonly #extents: PartSink[] = []

	constructor(place: Place, options: InstallOptions) {
		this.#place = place
		this.#o = options
	}

	get manifest(): Manifest | undefined {
		return this.#manifest
	}

	get at(): number {
		return this.#at
	}

	get isWhole(): boolean {
		return this.#manifest !== undefined && this.#at === sumOf(this.#manifest)
	}

	/** Throws Trouble; then close is all that is left to do. */
	take(p: Bytes): void {
		const rest = this.#manifest === undefined ? this.#takeHead(p) : p
		for (let n = 0; n < rest.length;) n += this.#takePart(rest.subarray(n))
	}

	/** Everything has come: it is proven once more and will be tried. */
	finish(): Manifest {
		const manifest = this.#manifest
		if (manifest === undefined) throw refused('ends before its manifest does')
		const missing = sumOf(manifest) - this.#at
		if (missing > 0) throw refused(`is cut off: ${missing} bytes are missing`)
		if (this.#o.dryRun || this.#extents.length === 0) return manifest
		for (const extent of this.#extents) extent.complete()
		this.close()
		this.#place.tryOther()
		return manifest
	}

	close(): void {
		for (const extent of this.#extents) extent.close()
	}

	/** Returns what stands behind the manifest. */
	#takeHead(p: Bytes): Bytes {
		const held = this.#head.length
		const head = new Uint8Array(Math.min(held + p.length, MANIFEST_BYTES_MAX))
		head.set(this.#head)
		head.set(p.subarray(0, head.length - held), held)
		this.#head = head
		const n = manifestBytes(head, head.length)
		if (n === undefined) throw refused('is no update of curvegate')
		if (n === 0) return p.subarray(p.length)
		const text = new TextDecoder('latin1').decode(head.subarray(0, n))
		this.#manifest = checkManifest(text, this.#place, this.#o.older)
		this.#begin(this.#manifest)
		return p.subarray(n - held)
	}

	#begin(manifest: Manifest): void {
		for (const part of manifest.parts) {
			if (part.name === 'app') continue
			this.#extents.push(new PartSink(part, this.#place.openPart(part.name)))
		}
		this.#o.began?.(manifest)
		if (!this.#o.dryRun && this.#extents.length > 0) {
			this.#place.forbidOther()
			for (const extent of this.#extents) extent.empty()
		}
		this.#beginPart(manifest)
	}

	#beginPart(manifest: Manifest): void {
		const part = manifest.parts[this.#part]!
		this.#partAt = 0
		this.#hash = createHash('sha256')
		if (part.name === 'app') {
			this.#sink = new AppSink(part, (bundle) => this.#place.putApp(bundle, manifest))
		} else this.#sink = this.#extents[this.#part]!
	}

	/** Returns how many bytes were of this part. */
	#takePart(p: Bytes): number {
		const manifest = this.#manifest!
		const part = manifest.parts[this.#part]
		if (part === undefined) throw refused('is longer than its manifest says')
		const n = Math.min(p.length, part.bytes - this.#partAt)
		const piece = p.subarray(0, n)
		this.#hash!.update(piece)
		if (!this.#o.dryRun || part.name === 'app') this.#sink!.take(piece, this.#partAt)
		this.#partAt += n
		this.#at += n
		if (this.#partAt < part.bytes) return n
		if (this.#hash!.digest('hex') !== part.sha256) {
			throw refused(`is damaged: the part ${part.name} has another SHA-256 than was signed`)
		}
		if (!this.#o.dryRun) this.#sink!.whole()
		this.#part++
		if (this.#part < manifest.parts.length) this.#beginPart(manifest)
		return n
	}
}

/** Signature, board, age: all that can be said before a byte of the parts is there. */
export function checkManifest(
	text: string, place: Pick<Place, 'board' | 'publicKey' | 'running'>, older: boolean,
): Manifest {
	const manifest = readManifest(text, place.publicKey)
	if (typeof manifest === 'string') throw refused(manifest)
	if (manifest.board !== place.board) {
		throw refused(`is for the board ${manifest.board}, this is ${place.board}`)
	}
	if (isOlder(manifest, place.running) && !older) {
		throw refused(`(${versionText(manifest)}) is older than what runs here `
			+ `(${versionText(place.running)}); when it is meant: --older`)
	}
	return manifest
}

function refused(why: string): Trouble {
	return new Trouble('install', 'the update', `it ${why}`)
}

class PartSink implements Sink {
	readonly #part: Part
	readonly #extent: Extent
	readonly #head: Bytes
	#isOpen = true

	constructor(part: Part, extent: Extent) {
		this.#part = part
		this.#extent = extent
		this.#head = new Uint8Array(Math.min(HEAD_BYTES, part.bytes))
		if (part.bytes <= extent.bytes) return
		this.close()
		throw refused(`does not fit: the part ${part.name} has ${part.bytes} bytes, its partition `
			+ `${extent.bytes}`)
	}

	empty(): void {
		this.#extent.write(new Uint8Array(this.#head.length), 0)
		this.#extent.sync()
	}

	take(p: Bytes, at: number): void {
		const inHead = Math.max(0, Math.min(p.length, this.#head.length - at))
		if (inHead > 0) this.#head.set(p.subarray(0, inHead), at)
		if (inHead < p.length) this.#extent.write(p.subarray(inHead), at + inHead)
	}

	whole(): void {
		this.#extent.sync()
	}

	/** The head, and everything read back. */
	complete(): void {
		const extent = this.#extent
		extent.write(this.#head, 0)
		extent.sync()
		extent.forget()
		const hash = createHash('sha256')
		const piece = new Uint8Array(PIECE_BYTES)
		for (let at = 0; at < this.#part.bytes; at += PIECE_BYTES) {
			const p = piece.subarray(0, Math.min(PIECE_BYTES, this.#part.bytes - at))
			extent.read(p, at)
			hash.update(p)
		}
		if (hash.digest('hex') === this.#part.sha256) return
		throw new Trouble('install', 'the update', `the partition of ${this.#part.name} gives back `
			+ 'something else than was written: the medium is failing')
	}

	close(): void {
		if (this.#isOpen) this.#extent.close()
		this.#isOpen = false
	}
}

/** Small enough to be held whole. */
class AppSink implements Sink {
	readonly #bytes: Bytes
	readonly #put: (bundle: Bytes) => void

	constructor(part: Part, put: (bundle: Bytes) => void) {
		this.#bytes = new Uint8Array(part.bytes)
		this.#put = put
	}

	take(p: Bytes, at: number): void {
		this.#bytes.set(p, at)
	}

	whole(): void {
		this.#put(this.#bytes)
	}

	close(): void {}
}
