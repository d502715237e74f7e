// The sender's blocks, from their first transmission until they are acknowledged: flat records in
// stream order on borrowed memory, and two lists through them. It decides nothing.

import { NONE, type PiecePool } from '../base/pieces.ts'
import { Shelf } from '../base/shelf.ts'
import type { Nanos } from '../base/time.ts'
import { FAILURE, SUCCESS } from './format.ts'

// A record is 32 bytes; its name is the index of its first word in the pool.
//   double 0  stream position
//   double 1  when its latest transmission left
//   word 4    message ID of that transmission
//   word 5    next in its list; of an acknowledged one: how many records to skip from it
//   word 6    previous in its list
//   word 7    D + SUCCESS + FAILURE, as on the wire, and the bits below
const RECORD_WORDS = 8
const RECORD_SHIFT = 3
const ID = 4
const NEXT = 5
const SKIP = 5
const PREVIOUS = 6
const FIELDS = 7
const D_MASK = SUCCESS - 1
const END_MASK = SUCCESS | FAILURE
const WIRE_MASK = D_MASK | END_MASK
const LOST = 1 << 16
const ACKED = 1 << 17
const REPEATED = 1 << 18
const PROBED = 1 << 19

/** Its pool's pieces: 32 records each. */
export const RECORD_PIECE_BYTES = 1024
const PIECE_RECORDS = RECORD_PIECE_BYTES / (RECORD_WORDS * 4)

export class Blocks {
	/** Records from first up to end are held; numbers only grow. */
	first = 0
	end = 0
	/** Outstanding blocks in the order of their latest transmission, so of ID and time. */
	sentHead = NONE
	sentTail = NONE
	sentCount = 0
	/** Blocks that are given up and wait to be transmitted again. */
	lostHead = NONE
	#lostTail = NONE
	readonly #shelf: Shelf
	readonly #words: Int32Array
	readonly #doubles: Float64Array

	constructor(pool: PiecePool) {
		this.#shelf = new Shelf(pool)
		this.#words = pool.words
		this.#doubles = pool.doubles
	}

	get count(): number {
		return this.end - this.first
	}

	/** The record of a number from first up to end. */
	record(number: number): number {
		const index = Math.floor(number / PIECE_RECORDS)
		return (this.#shelf.at(index) * PIECE_RECORDS + number - index * PIECE_RECORDS) << RECORD_SHIFT
	}

	position(r: number): number {
		return this.#doubles[r >> 1]!
	}

	sentAt(r: number): Nanos {
		return this.#doubles[(r >> 1) + 1]!
	}

	id(r: number): number {
		return this.#words[r + ID]! >>> 0
	}

	/** D, as many bytes of data. */
	bytes(r: number): number {
		return this.#words[r + FIELDS]! & D_MASK
	}

	/** D and the end flags, as on the wire. */
	wire(r: number): number {
		return this.#words[r + FIELDS]! & WIRE_MASK
	}

	/** One beyond what it occupies in the stream; an end marker occupies one position. */
	stop(r: number): number {
		const fields = this.#words[r + FIELDS]!
		return this.#doubles[r >> 1]! + (fields & D_MASK) + ((fields & END_MASK) !== 0 ? 1 : 0)
	}

	isLost(r: number): boolean {
		return (this.#words[r + FIELDS]! & LOST) !== 0
	}

	isAcked(r: number): boolean {
		return (this.#words[r + FIELDS]! & ACKED) !== 0
	}

	/** Transmitted more than once. */
	isRepeated(r: number): boolean {
		return (this.#words[r + FIELDS]! & REPEATED) !== 0
	}

	/** Transmitted again without having been taken for lost. */
	isProbed(r: number): boolean {
		return (this.#words[r + FIELDS]! & PROBED) !== 0
	}

	next(r: number): number {
		return this.#words[r + NEXT]!
	}

	/** True when there is memory for one more record. */
	get canAppend(): boolean {
		return this.#shelf.borrow(Math.floor(this.end / PIECE_RECORDS)) !== NONE
	}

	/** A new block at its first transmission; canAppend was true. */
	append(position: number, wire: number, id: number, now: Nanos): number {
		const r = this.record(this.end)
		this.end++
		this.#doubles[r >> 1] = position
		this.#words[r + FIELDS] = wire
		this.#stamp(r, id, now)
		return r
	}

	/** It was transmitted again; lost or still outstanding before. */
	repeat(r: number, id: number, now: Nanos): void {
		this.#unlink(r)
		const probed = this.isLost(r) ? 0 : PROBED
		this.#words[r + FIELDS] = (this.#words[r + FIELDS]! & ~(LOST | PROBED)) | REPEATED | probed
		this.#stamp(r, id, now)
	}

	/** From the list of outstanding ones to the end of the list of lost ones. */
	lose(r: number): void {
		this.#unlink(r)
		this.#words[r + FIELDS] = this.#words[r + FIELDS]! | LOST
		this.#words[r + NEXT] = NONE
		this.#words[r + PREVIOUS] = this.#lostTail
		if (this.#lostTail === NONE) this.lostHead = r
		else this.#words[this.#lostTail + NEXT] = r
		this.#lostTail = r
	}

	/** Takes it from its list; it stays until all before it are acknowledged too. */
	acknowledge(r: number): void {
		this.#unlink(r)
		this.#words[r + FIELDS] = (this.#words[r + FIELDS]! & ~LOST) | ACKED
		this.#words[r + SKIP] = 1
	}

	/** The first number at or after it whose record is not acknowledged, at most end. */
	skipAcked(number: number): number {
		let at = number
		while (at < this.end) {
			const r = this.record(at)
			if (!this.isAcked(r)) break
			at += this.#words[r + SKIP]!
		}
		// What was walked now is one step the next time.
		if (at - number > 1) this.#words[this.record(number) + SKIP] = at - number
		return at
	}

	/** The first number whose record does not begin before position, at most end. */
	firstFrom(position: number): number {
		let low = this.first
		let high = this.end
		while (low < high) {
			const middle = Math.floor((low + high) / 2)
			if (this.position(this.record(middle)) < position) low = middle + 1
			else high = middle
		}
		return low
	}

	/** Forgets the acknowledged records at the front. */
	shift(): void {
		while (this.first < this.end && this.isAcked(this.record(this.first))) this.first++
		this.#shelf.advance(Math.floor(this.first / PIECE_RECORDS))
		if (this.first === this.end) this.#shelf.clear()
	}

	release(): void {
		this.#shelf.release()
	}

	#stamp(r: number, id: number, now: Nanos): void {
		this.#doubles[(r >> 1) + 1] = now
		this.#words[r + ID] = id
		this.#words[r + NEXT] = NONE
		this.#words[r + PREVIOUS] = this.sentTail
		if (this.sentTail === NONE) this.sentHead = r
		else this.#words[this.sentTail + NEXT] = r
		this.sentTail = r
		this.sentCount++
	}

	#unlink(r: number): void {
		const next = this.#words[r + NEXT]!
		const previous = this.#words[r + PREVIOUS]!
		if (next !== NONE) this.#words[next + PREVIOUS] = previous
		if (previous !== NONE) this.#words[previous + NEXT] = next
		if (this.isLost(r)) {
			if (this.lostHead === r) this.lostHead = next
			if (this.#lostTail === r) this.#lostTail = previous
			return
		}
		if (this.sentHead === r) this.sentHead = next
		if (this.sentTail === r) this.sentTail = previous
		this.sentCount--
	}
}
