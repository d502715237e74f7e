// A queue of rows 0 … capacity - 1 in which each stands at most once: who has something to send,
// who has something to tell. First in, first out; nothing is allocated after construction.

export class RowQueue {
	readonly #rows: Int32Array
	readonly #waiting: Uint8Array
	#head = 0
	#size = 0

	constructor(capacity: number) {
		this.#rows = new Int32Array(capacity)
		this.#waiting = new Uint8Array(capacity)
	}

	/** Adds row at the end, unless it waits already. */
	push(row: number): void {
		if (this.#waiting[row] !== 0) return
		this.#waiting[row] = 1
		this.#rows[(this.#head + this.#size++) % this.#rows.length] = row
	}

	/** The first row, -1 when nobody waits. */
	first(): number {
		return this.#size === 0 ? -1 : this.#rows[this.#head]!
	}

	/** Takes the first row out, -1 when nobody waits. */
	shift(): number {
		if (this.#size === 0) return -1
		const row = this.#rows[this.#head]!
		this.#head = (this.#head + 1) % this.#rows.length
		this.#size--
		this.#waiting[row] = 0
		return row
	}
}
