// Flows: a bounded table of who talks to whom, with expiry. When it is full, a new flow gets in
// only over one that has been idle for its whole life: a flood of new ones displaces nobody.

import type { Bytes } from '../base/bytes.ts'
import { NEVER, type Nanos } from '../base/time.ts'
import { KeyIndex } from './key-index.ts'

const NONE = -1

export class FlowTable {
	readonly #index: KeyIndex
	readonly #life: Nanos
	/** When each row was last used. */
	readonly #usedAt: Float64Array
	/** Rows in order of use; the head was used last. NONE ends the list. */
	readonly #newer: Int32Array
	readonly #older: Int32Array
	#head = NONE
	#tail = NONE

	/** life: idle time after which a flow may go. */
	constructor(capacity: number, keyBytes: number, life: Nanos, k0: number, k1: number) {
		this.#index = new KeyIndex(capacity, keyBytes, k0, k1)
		this.#life = life
		this.#usedAt = new Float64Array(capacity)
		this.#newer = new Int32Array(capacity)
		this.#older = new Int32Array(capacity)
	}

	get count(): number {
		return this.#index.count
	}

	/** The row of a live flow, which counts as used; -1 when there is none. */
	find(key: Bytes, at: number, now: Nanos): number {
		const row = this.#index.find(key, at)
		if (row < 0 || now - this.#usedAt[row]! >= this.#life) return -1
		this.touch(row, now)
		return row
	}

	/** A new flow's row; -1 when the table is full. Call it only after find and expire said no. */
	insert(key: Bytes, at: number, now: Nanos): number {
		const before = this.#index.count
		const row = this.#index.insert(key, at)
		if (row < 0) return -1
		if (this.#index.count === before) this.#unlink(row)
		this.#link(row, now)
		return row
	}

	/** Marks a flow as used. */
	touch(row: number, now: Nanos): void {
		this.#unlink(row)
		this.#link(row, now)
	}

	/**
	 * Removes the flow that has been idle longest if its life is over, and says which row; else -1.
	 */
	expire(now: Nanos): number {
		const row = this.#tail
		if (row === NONE || now - this.#usedAt[row]! < this.#life) return -1
		this.#unlink(row)
		this.#index.remove(this.#index.keys, row * this.#index.rowBytes)
		return row
	}

	/** When expire has something to do. */
	wakeAt(): Nanos {
		return this.#tail === NONE ? NEVER : this.#usedAt[this.#tail]! + this.#life
	}

	#link(row: number, now: Nanos): void {
		this.#usedAt[row] = now
		this.#newer[row] = NONE
		this.#older[row] = this.#head
		if (this.#head === NONE) this.#tail = row
		else this.#newer[this.#head] = row
		this.#head = row
	}

	#unlink(row: number): void {
		const newer = this.#newer[row]!
		const older = this.#older[row]!
		if (newer === NONE) this.#head = older
		else this.#older[newer] = older
		if (older === NONE) this.#tail = newer
		else this.#newer[older] = newer
	}
}
