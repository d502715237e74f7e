// One pool of equal pieces of memory, borrowed while data is in flight and given back when it has
// drained. Every borrower is guaranteed one piece; beyond that the pool lends what nobody is
// promised.

import { assert } from './assert.ts'
import type { Bytes } from './bytes.ts'

/** Instead of a piece, a record or any other index that is not there. */
export const NONE = -1

/** So that every word index stays a small integer. */
const POOL_BYTES_MAX = 0x40000000

/** A whole block is copied through a kept view; smaller ones are not worth one. */
const VIEW_BYTES = 1024
const VIEW_SHIFT = 10

export class PiecePool {
	readonly pieceBytes: number
	readonly count: number
	/** The same memory three times; piece i starts at byte i × pieceBytes. */
	readonly bytes: Bytes
	readonly words: Int32Array
	readonly doubles: Float64Array
	/** The most pieces ever lent at once. */
	highWater = 0
	readonly #free: Int32Array
	#freeCount: number
	/** Borrowers whose guaranteed piece is not in use: so many free pieces are not for others. */
	#promised = 0
	/**
	 * Views of the aligned KiBs, made at their first use: a view per packet would be an allocation.
	 */
	readonly #views: (Bytes | undefined)[] = []

	/** The system gives the memory's pages at their first use. */
	constructor(pieceBytes: number, count: number) {
		assert(pieceBytes >= 64 && (pieceBytes & (pieceBytes - 1)) === 0, 'a piece is a power of two')
		assert(count > 0 && pieceBytes * count <= POOL_BYTES_MAX, 'a pool has at most 1 GiB')
		this.pieceBytes = pieceBytes
		this.count = count
		const memory = new ArrayBuffer(pieceBytes * count)
		this.bytes = new Uint8Array(memory)
		this.words = new Int32Array(memory)
		this.doubles = new Float64Array(memory)
		this.#free = new Int32Array(count)
		for (let i = 0; i < count; i++) this.#free[i] = count - 1 - i
		this.#freeCount = count
	}

	/** Pieces that anybody may have now. */
	get spare(): number {
		return Math.max(0, this.#freeCount - this.#promised)
	}

	get used(): number {
		return this.count - this.#freeCount
	}

	/** A new borrower; its guarantee holds while there are no more borrowers than pieces. */
	join(): void {
		this.#promised++
	}

	leave(): void {
		this.#promised--
		assert(this.#promised >= 0, 'a borrower leaves once, with its guaranteed piece given back')
	}

	/** A piece, or NONE; guaranteed: the borrower's own, which is not in use. */
	take(guaranteed: boolean): number {
		if (this.#freeCount === 0 || (!guaranteed && this.#freeCount <= this.#promised)) return NONE
		if (guaranteed) this.#promised--
		const piece = this.#free[--this.#freeCount]!
		if (this.used > this.highWater) this.highWater = this.used
		return piece
	}

	give(piece: number, guaranteed: boolean): void {
		assert(this.#freeCount < this.count, 'a piece is given back once')
		this.#free[this.#freeCount++] = piece
		if (guaranteed) this.#promised++
	}

	/** bytes[address, address + n) from p[at, at + n). */
	copyIn(address: number, p: Bytes, at: number, n: number): void {
		if (n === VIEW_BYTES) this.bytes.set(blockView(p, at), address)
		else copySome(this.bytes, address, p, at, n)
	}

	/** p[at, at + n) from bytes[address, address + n). */
	copyOut(address: number, p: Bytes, at: number, n: number): void {
		if (n !== VIEW_BYTES || (address & (VIEW_BYTES - 1)) !== 0) {
			copySome(p, at, this.bytes, address, n)
			return
		}
		const index = address >> VIEW_SHIFT
		const view = this.#views[index] ?? this.bytes.subarray(address, address + VIEW_BYTES)
		this.#views[index] = view
		p.set(view, at)
	}
}

/**
 * The last view of each packet slot: full blocks lie at the same place in message after message.
 */
const blockViews = new WeakMap<Bytes, Bytes>()

function blockView(p: Bytes, at: number): Bytes {
	const known = blockViews.get(p)
	if (known !== undefined && known.byteOffset === p.byteOffset + at) return known
	const view = p.subarray(at, at + VIEW_BYTES)
	blockViews.set(p, view)
	return view
}

function copySome(to: Bytes, toAt: number, from: Bytes, fromAt: number, n: number): void {
	// A view costs about as much as copying 100 bytes one by one, and is garbage afterwards: it pays
	// for the large pieces that services hand over, not for the short blocks of packets.
	if (n > VIEW_BYTES) to.set(from.subarray(fromAt, fromAt + n), toAt)
	else for (let i = 0; i < n; i++) to[toAt + i] = from[fromAt + i]!
}
