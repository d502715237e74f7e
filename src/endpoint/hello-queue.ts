// Hellos wait here, as they came, until established connections have been served: answering one
// costs key agreements, and nothing about it is kept. Under a flood two things keep the door open:
// every source prefix has a small queue of its own, and a Hello that found no room and comes again
// from where it came, as a real client's does and a spoofed one's does not, goes before those that
// come for the first time.

import { copy, writeU32, type Bytes } from '../base/bytes.ts'
import { halfSipHash13 } from '../base/hash.ts'
import { randomBelow, type Random } from '../base/random.ts'
import { makeSlot, type Slot } from '../base/slots.ts'
import { SECOND, type Nanos } from '../base/time.ts'
import { KEY_BYTES } from '../crypto/box.ts'
import { HELLO_QUEUE_MAX } from '../limits.ts'
import { CLIENT_SHORT_TERM_KEY, HELLO_BYTES } from '../wire/packets.ts'

/** Classes of source prefixes. */
const QUEUES = 64
/** Of so many answers one goes to who comes for the first time, even if others come again. */
const FIRST_TURN = 4
/** So many wait only when more come than are answered: a flood, or it will soon be one. */
const CROWD = HELLO_QUEUE_MAX / 4
/** Address, port and C' in words: who it is. */
const MARK_WORDS = 2 + KEY_BYTES / 4
const NONE = -1

export class HelloQueue {
	readonly #first = new Lane()
	readonly #again = new Lane()
	/** Who found no room lately; made by the first who did, so that peace costs no memory. */
	#missed: Missed | undefined
	readonly #random: Random
	readonly #seed = new Int32Array(2)
	readonly #scratch: Bytes = new Uint8Array(4 * MARK_WORDS)
	#turn = 0

	constructor(random: Random) {
		this.#random = random
		random.fill(new Uint8Array(this.#seed.buffer), 0, 8)
	}

	get size(): number {
		return this.#first.size + this.#again.size
	}

	/** More come than are answered. */
	get isCrowded(): boolean {
		return this.size > CROWD
	}

	/** False: there was no room, so that this Hello or one in its place is lost. */
	push(slot: Slot, now: Nanos): boolean {
		writeU32(this.#scratch, 0, slot.address >>> 8)
		const queue = (this.#hash(1) >>> 0) % QUEUES
		if (!this.#first.full && this.#missed === undefined) return this.#first.push(slot, queue)
		this.#missed ??= new Missed(now)
		const mark = this.#markOf(slot)
		if (this.#missed.has(mark, now) && this.#again.push(slot, queue)) return true
		// Whether it gets in or not: in this crowd it may be lost before it is answered.
		this.#missed.add(mark)
		if (this.#first.push(slot, queue)) return true
		// A newcomer has an even chance against whoever waits.
		if (randomBelow(this.#random, 2) === 0) this.#first.replace(slot, queue)
		return false
	}

	/** The next to be answered; its slot is valid until the next push. */
	shift(): Slot | undefined {
		if (++this.#turn % FIRST_TURN === 0) return this.#first.shift() ?? this.#again.shift()
		return this.#again.shift() ?? this.#first.shift()
	}

	/** With its source: one C' that comes from everywhere is many who come for the first time. */
	#markOf({ address, port, bytes }: Slot): number {
		writeU32(this.#scratch, 0, address)
		writeU32(this.#scratch, 4, port)
		copy(this.#scratch, 8, bytes, CLIENT_SHORT_TERM_KEY, KEY_BYTES)
		return this.#hash(MARK_WORDS)
	}

	#hash(words: number): number {
		return halfSipHash13(this.#scratch, 0, words, this.#seed[0]!, this.#seed[1]!)
	}
}

/** One queue for each class of source prefixes, all in one memory, served in turn. */
class Lane {
	size = 0
	readonly #slots: Slot[] = []
	/** The slot behind each in its queue, or in the list of free ones; NONE ends it. */
	readonly #next = new Int16Array(HELLO_QUEUE_MAX)
	readonly #first = new Int16Array(QUEUES).fill(NONE)
	readonly #last = new Int16Array(QUEUES).fill(NONE)
	readonly #count = new Int16Array(QUEUES)
	#free = 0
	#turn = 0

	constructor() {
		const block = new Uint8Array(HELLO_QUEUE_MAX * HELLO_BYTES)
		for (let i = 0; i < HELLO_QUEUE_MAX; i++) {
			this.#slots.push(makeSlot(block.subarray(i * HELLO_BYTES, (i + 1) * HELLO_BYTES)))
			this.#next[i] = i + 1 < HELLO_QUEUE_MAX ? i + 1 : NONE
		}
	}

	get full(): boolean {
		return this.#free === NONE
	}

	/** False: no room, and this queue is among the longest. Else the longest one pays. */
	push(slot: Slot, queue: number): boolean {
		if (this.#free === NONE) {
			let longest = queue
			for (let i = 0; i < QUEUES; i++) if (this.#count[i]! > this.#count[longest]!) longest = i
			if (longest === queue) return false
			this.#take(longest)
		}
		const i = this.#free
		this.#free = this.#next[i]!
		this.#next[i] = NONE
		if (this.#last[queue] === NONE) this.#first[queue] = i
		else this.#next[this.#last[queue]!] = i
		this.#last[queue] = i
		this.#count[queue]!++
		this.size++
		copySlot(this.#slots[i]!, slot)
		return true
	}

	/** Puts slot in the place of the oldest that waits in its queue, if one does. */
	replace(slot: Slot, queue: number): void {
		const i = this.#first[queue]!
		if (i !== NONE) copySlot(this.#slots[i]!, slot)
	}

	shift(): Slot | undefined {
		if (this.size === 0) return undefined
		do this.#turn = (this.#turn + 1) % QUEUES
		while (this.#count[this.#turn] === 0)
		return this.#take(this.#turn)
	}

	/** The oldest of a queue; its slot is free, and as it was until the next push. */
	#take(queue: number): Slot {
		const i = this.#first[queue]!
		this.#first[queue] = this.#next[i]!
		if (this.#first[queue] === NONE) this.#last[queue] = NONE
		this.#count[queue]!--
		this.size--
		this.#next[i] = this.#free
		this.#free = i
		return this.#slots[i]!
	}
}

function copySlot(to: Slot, from: Slot): void {
	copy(to.bytes, 0, from.bytes, 0, HELLO_BYTES)
	to.length = HELLO_BYTES
	to.address = from.address
	to.port = from.port
	to.local = from.local
}

/** A Bloom filter in two generations: false alarms cost little, memory and work are fixed. */
const FILTER_BITS = 2 ** 21
const GENERATION: Nanos = 2 * SECOND

class Missed {
	#present = new Uint32Array(FILTER_BITS / 32)
	#before = new Uint32Array(FILTER_BITS / 32)
	#turnAt: Nanos

	constructor(now: Nanos) {
		this.#turnAt = now + GENERATION
	}

	has(mark: number, now: Nanos): boolean {
		if (now >= this.#turnAt) {
			const oldest = this.#before
			this.#before = this.#present
			this.#present = oldest.fill(0)
			this.#turnAt = now + GENERATION
		}
		return isIn(this.#present, mark) || isIn(this.#before, mark)
	}

	add(mark: number): void {
		for (let i = 0; i < 3; i++) {
			const bit = bitOf(mark, i)
			this.#present[bit >>> 5]! |= 1 << (bit & 31)
		}
	}
}

function isIn(filter: Uint32Array, mark: number): boolean {
	for (let i = 0; i < 3; i++) {
		const bit = bitOf(mark, i)
		if (((filter[bit >>> 5]! >>> (bit & 31)) & 1) === 0) return false
	}
	return true
}

/** Three bits of one hash; the multiplier is odd, so that different marks stay different. */
function bitOf(mark: number, i: number): number {
	return (Math.imul(mark, 0x9e3779b1 + 2 * i * 0x3c6ef372) >>> 11) % FILTER_BITS
}
