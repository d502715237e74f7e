// Hellos wait here, as they came, until established connections have been served: answering one costs
// key agreements, and nothing about it is kept. Bounded; what finds no room is dropped.

import { copy } from '../base/bytes.ts'
import { makeSlot, type Slot } from '../base/slots.ts'
import { HELLO_BYTES } from '../wire/packets.ts'

export class HelloQueue {
	readonly #slots: Slot[] = []
	#head = 0
	#size = 0

	constructor(capacity: number) {
		const block = new Uint8Array(capacity * HELLO_BYTES)
		for (let i = 0; i < capacity; i++) {
			this.#slots.push(makeSlot(block.subarray(i * HELLO_BYTES, (i + 1) * HELLO_BYTES)))
		}
	}

	get size(): number {
		return this.#size
	}

	/** False: no room. */
	push(slot: Slot): boolean {
		if (this.#size === this.#slots.length) return false
		const place = this.#slots[(this.#head + this.#size++) % this.#slots.length]!
		copy(place.bytes, 0, slot.bytes, 0, HELLO_BYTES)
		place.length = HELLO_BYTES
		place.address = slot.address
		place.port = slot.port
		place.local = slot.local
		return true
	}

	/** The oldest Hello; its slot is valid until the next push. */
	shift(): Slot | undefined {
		if (this.#size === 0) return undefined
		const slot = this.#slots[this.#head]
		this.#head = (this.#head + 1) % this.#slots.length
		this.#size--
		return slot
	}
}
