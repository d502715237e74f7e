// What will happen when: a binary heap of (time, number) pairs on typed arrays. Equal times leave
// in the order in which they came, so that a run is a function of its seed alone.

import { NEVER, type Nanos } from '../../src/base/time.ts'

export class EventQueue {
	size = 0
	#times: Float64Array
	#orders: Float64Array
	#ids: Int32Array
	#order = 0

	constructor(capacity = 256) {
		this.#times = new Float64Array(capacity)
		this.#orders = new Float64Array(capacity)
		this.#ids = new Int32Array(capacity)
	}

	/** The earliest time, or NEVER. */
	next(): Nanos {
		return this.size === 0 ? NEVER : this.#times[0]!
	}

	push(time: Nanos, id: number): void {
		if (this.size === this.#ids.length) this.#grow()
		const order = this.#order++
		let at = this.size++
		while (at > 0) {
			const parent = (at - 1) >> 1
			// A new entry never passes one of equal time: its order is the highest.
			if (this.#times[parent]! <= time) break
			this.#move(parent, at)
			at = parent
		}
		this.#times[at] = time
		this.#orders[at] = order
		this.#ids[at] = id
	}

	/** Removes the earliest and returns its number; only when size > 0. */
	pop(): number {
		const first = this.#ids[0]!
		const last = --this.size
		let at = 0
		for (;;) {
			let child = 2 * at + 1
			if (child >= last) break
			if (child + 1 < last && this.#before(child + 1, child)) child++
			if (!this.#before(child, last)) break
			this.#move(child, at)
			at = child
		}
		this.#move(last, at)
		return first
	}

	#before(a: number, b: number): boolean {
		const difference = this.#times[a]! - this.#times[b]!
		return difference !== 0 ? difference < 0 : this.#orders[a]! < this.#orders[b]!
	}

	#move(from: number, to: number): void {
		this.#times[to] = this.#times[from]!
		this.#orders[to] = this.#orders[from]!
		this.#ids[to] = this.#ids[from]!
	}

	#grow(): void {
		const capacity = 2 * this.#ids.length
		const [times, orders, ids] = [this.#times, this.#orders, this.#ids]
		this.#times = new Float64Array(capacity)
		this.#orders = new Float64Array(capacity)
		this.#ids = new Int32Array(capacity)
		this.#times.set(times)
		this.#orders.set(orders)
		this.#ids.set(ids)
	}
}
