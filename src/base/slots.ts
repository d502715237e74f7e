// Packet slots: a fixed pool of equal buffers, made once. Whoever acquires a slot releases it in
// the same function, or hands it over once and says so.

import { assert } from './assert.ts'
import type { Bytes } from './bytes.ts'

/** One datagram and where it came from or goes to. */
export interface Slot {
	readonly bytes: Bytes
	/** Bytes in use, from index 0. */
	length: number
	/** The other side's IPv4 address, first octet highest, and UDP port. */
	address: number
	port: number
	/** Our own side: which address or socket it came in at, or must leave from; 0: any. */
	local: number
}

export function makeSlot(bytes: Bytes): Slot {
	return { bytes, length: 0, address: 0, port: 0, local: 0 }
}

export class SlotPool {
	/** The most slots ever in use at once. */
	highWater = 0
	readonly #free: Slot[] = []
	readonly #all: Set<Slot> = new Set()

	/** slotBytes each, cut from one block so that the memory is one readable sum. */
	constructor(count: number, slotBytes: number) {
		const block = new Uint8Array(count * slotBytes)
		for (let i = 0; i < count; i++) {
			this.#free.push(makeSlot(block.subarray(i * slotBytes, (i + 1) * slotBytes)))
		}
	}

	acquire(): Slot | undefined {
		const slot = this.#free.pop()
		if (slot !== undefined) {
			this.#all.add(slot)
			if (this.#all.size > this.highWater) this.highWater = this.#all.size
		}
		return slot
	}

	release(slot: Slot): void {
		assert(this.#all.delete(slot), 'a slot is released once, by its owner')
		slot.length = 0
		this.#free.push(slot)
	}
}
