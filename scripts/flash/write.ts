// Brings an image to a medium so that an interrupted run leaves nothing that half boots: the first
// MiB, which holds the partition table, is emptied first and written last. Then everything is read
// back. Knows no device: tests bring media that lose power, lie about their size or flip bits.

import { createHash } from 'node:crypto'
import { Refusal } from './exit.ts'

export interface Medium {
	readonly name: string
	/** 0: it grows. */
	readonly bytes: number
	write(p: Uint8Array, at: number): void
	/** Fills p, or returns how much there was. */
	read(p: Uint8Array, at: number): number
	/** Everything that was written is on the medium. */
	sync(): void
	/** What is read next comes from the medium; false: cannot be promised here. */
	dropCaches(): boolean
}

export interface Source {
	readonly bytes: number
	read(at: number, block: Uint8Array): Uint8Array
}

export type Report = (phase: 'write' | 'compare', bytes: number) => void

export interface Written {
	/** Of what was written. */
	readonly sha256: string
	/** False: what was compared may have come from this machine's memory. */
	readonly fromMedium: boolean
}

const HEAD_BYTES = 1 << 20
const BLOCK_BYTES = 4 << 20
/** Between two of them, progress may show what is only in memory. */
const SYNC_BYTES = 64 << 20
const MARK_BYTES = 4096

/** Throws Refusal with the cause and the place. sha256: what the source must come to. */
export function writeImage(
	source: Source, medium: Medium, sha256: string | undefined, report: Report,
): Written {
	const written = tryIt(medium, 'write', () => {
		const mark = placeMark(source, medium)
		medium.write(new Uint8Array(Math.min(HEAD_BYTES, source.bytes)), 0)
		medium.sync()
		const head = source.read(0, new Uint8Array(HEAD_BYTES)).slice()
		const hash = writeBody(source, medium, head, report)
		if (sha256 !== undefined && hash !== sha256) {
			throw new Refusal('image', 'the image changed while it was written; nothing of it boots')
		}
		medium.write(head, 0)
		medium.sync()
		report('write', source.bytes)
		return { hash, mark }
	})
	const fromMedium = medium.dropCaches()
	tryIt(medium, 'compare', () => {
		compareAll(source, medium, report)
		checkMark(medium, written.mark)
	})
	return { sha256: written.hash, fromMedium }
}

function tryIt<T>(medium: Medium, cause: 'write' | 'compare', work: () => T): T {
	try {
		return work()
	} catch (error) {
		if (error instanceof Refusal) throw error
		const what = cause === 'write' ? 'writing to' : 'reading back from'
		const why = error instanceof Error ? error.message : String(error)
		throw new Refusal(cause, `${what} ${medium.name} failed: ${why}`)
	}
}

/** Everything but the head; the hash of all. */
function writeBody(source: Source, medium: Medium, head: Uint8Array, report: Report): string {
	const hash = createHash('sha256').update(head)
	const block = new Uint8Array(BLOCK_BYTES)
	let synced = 0
	for (let at = head.length; at < source.bytes;) {
		// Later blocks begin at multiples of their size, as cards like it.
		const piece = source.read(at, block.subarray(0, BLOCK_BYTES - at % BLOCK_BYTES))
		hash.update(piece)
		medium.write(piece, at)
		at += piece.length
		if (at - synced >= SYNC_BYTES) {
			medium.sync()
			synced = at
		}
		report('write', at - head.length)
	}
	medium.sync()
	return hash.digest('hex')
}

function compareAll(source: Source, medium: Medium, report: Report): void {
	const wanted = new Uint8Array(BLOCK_BYTES)
	const found = new Uint8Array(BLOCK_BYTES)
	for (let at = 0; at < source.bytes; at += BLOCK_BYTES) {
		const piece = source.read(at, wanted)
		const n = medium.read(found.subarray(0, piece.length), at)
		const difference = Buffer.compare(piece, found.subarray(0, n)) === 0 ? undefined
			: at + firstDifference(piece, found, n)
		if (difference !== undefined) {
			throw new Refusal('compare', `${medium.name}: what was read back differs from byte `
				+ `${difference} on; the medium is not to be trusted`)
		}
		report('compare', at + piece.length)
	}
}

function firstDifference(a: Uint8Array, b: Uint8Array, n: number): number {
	let i = 0
	while (i < n && a[i] === b[i]) i++
	return i
}

interface Mark {
	readonly at: number
	readonly bytes: Uint8Array
}

/** At the very end, which a card that lies about its size does not have. */
function placeMark(source: Source, medium: Medium): Mark | undefined {
	const at = medium.bytes - MARK_BYTES
	if (at < source.bytes) return undefined
	const word = createHash('sha512').update(medium.name).digest()
	const bytes = new Uint8Array(MARK_BYTES).map((_, i) => word[i % word.length]!)
	medium.write(bytes, at)
	return { at, bytes }
}

function checkMark(medium: Medium, mark: Mark | undefined): void {
	if (mark === undefined) return
	const found = new Uint8Array(MARK_BYTES)
	const n = medium.read(found, mark.at)
	if (n !== MARK_BYTES || Buffer.compare(found, mark.bytes) !== 0) {
		throw new Refusal('compare', `${medium.name} does not keep its last bytes: it is smaller than `
			+ 'it says')
	}
	medium.write(new Uint8Array(MARK_BYTES), mark.at)
	medium.sync()
}
