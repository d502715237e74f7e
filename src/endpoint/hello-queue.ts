// Hellos wait here, as they came, until established connections have been served: answering one
// costs key agreements, and nothing about it is kept. Under a flood two things keep the door open:
// every source prefix has a small queue of its own, and a Hello that found no room and comes again,
// as a real client's does and a spoofed one's does not, goes before all that come for the first
// time.

import { copy, writeU32, type Bytes } from '../base/bytes.ts'
import { halfSipHash13 } from '../base/hash.ts'
import { randomBelow, type Random } from '../base/random.ts'
import { makeSlot, type Slot } from '../base/slots.ts'
import { SECOND, type Nanos } from '../base/time.ts'
import { HELLO_QUEUE_MAX } from '../limits.ts'
import { CLIENT_SHORT_TERM_KEY, HELLO_BYTES } from '../wire/packets.ts'

/** Hellos of one queue, and queues of one lane. */
const DEPTH = 4
const QUEUES = HELLO_QUEUE_MAX / DEPTH

export class HelloQueue {
	readonly #first = new Lane()
	readonly #again = new Lane()
	/** Who found no room lately; made by the first who did, so that peace costs no memory. */
	#missed: Missed | undefined
	readonly #random: Random
	readonly #seed = new Int32Array(2)
	readonly #prefix: Bytes = new Uint8Array(4)

	constructor(random: Random) {
		this.#random = random
		random.fill(new Uint8Array(this.#seed.buffer), 0, 8)
	}

	get size(): number {
		return this.#first.size + this.#again.size
	}

	/** False: there was no room, so that this Hello or one in its place is lost. */
	push(slot: Slot, now: Nanos): boolean {
		writeU32(this.#prefix, 0, slot.address >>> 8)
		const queue = (this.#hash(this.#prefix, 0, 1) >>> 0) % QUEUES
		if (this.#missed === undefined && this.#first.push(slot, queue)) return true
		this.#missed ??= new Missed(now)
		const mark = this.#hash(slot.bytes, CLIENT_SHORT_TERM_KEY, 8)
		if (this.#missed.has(mark, now) && this.#again.push(slot, queue)) return true
		if (this.#first.push(slot, queue)) return true
		this.#missed.add(mark)
		// A newcomer has an even chance against whoever waits.
		const victim = randomBelow(this.#random, 2 * DEPTH)
		if (victim < DEPTH) this.#first.replace(slot, queue, victim)
		return false
	}

	/** The next to be answered; its slot is valid until the next push. */
	shift(): Slot | undefined {
		return this.#again.shift() ?? this.#first.shift()
	}

	#hash(p: Bytes, at: number, words: number): number {
		return halfSipHash13(p, at, words, this.#seed[0]!, this.#seed[1]!)
	}
}

/** Short queues, one for each class of source prefixes, served in turn. */
class Lane {
	size = 0
	readonly #slots: Slot[] = []
	/** Per queue: where its oldest stands, and how many wait. */
	readonly #head = new Uint8Array(QUEUES)
	readonly #count = new Uint8Array(QUEUES)
	#turn = 0

	constructor() {
		const block = new Uint8Array(HELLO_QUEUE_MAX * HELLO_BYTES)
		for (let at = 0; at < block.length; at += HELLO_BYTES) {
			this.#slots.push(makeSlot(block.subarray(at, at + HELLO_BYTES)))
		}
	}

	push(slot: Slot, queue: number): boolean {
		if (this.#count[queue] === DEPTH) return false
		this.replace(slot, queue, this.#count[queue]!++)
		this.size++
		return true
	}

	/** Puts slot in the place of the nth that waits. */
	replace(slot: Slot, queue: number, nth: number): void {
		const place = this.#slots[queue * DEPTH + (this.#head[queue]! + nth) % DEPTH]!
		copy(place.bytes, 0, slot.bytes, 0, HELLO_BYTES)
		place.length = HELLO_BYTES
		place.address = slot.address
		place.port = slot.port
		place.local = slot.local
	}

	shift(): Slot | undefined {
		if (this.size === 0) return undefined
		do this.#turn = (this.#turn + 1) % QUEUES
		while (this.#count[this.#turn] === 0)
		const queue = this.#turn
		const slot = this.#slots[queue * DEPTH + this.#head[queue]!]
		this.#head[queue] = (this.#head[queue]! + 1) % DEPTH
		this.#count[queue]!--
		this.size--
		return slot
	}
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
