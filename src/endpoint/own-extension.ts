// This machine's own 16 bytes. They may change at any moment: what we send carries the new value,
// what arrives may carry either for a while.

import { copy, fill, same, type Bytes } from '../base/bytes.ts'
import type { Nanos } from '../base/time.ts'
import { EXTENSION_OVERLAP } from '../limits.ts'
import { EXTENSION_BYTES } from '../wire/packets.ts'

/** Values that may overlap at once: a file may change faster than the overlap ends. */
const FORMER = 8

export class OwnExtension {
	readonly current: Bytes = new Uint8Array(EXTENSION_BYTES)
	/** Former values, FORMER of 16 bytes, and until when each is accepted. */
	readonly #former: Bytes = new Uint8Array(FORMER * EXTENSION_BYTES)
	readonly #until = new Float64Array(FORMER)

	constructor(value: Bytes) {
		copy(this.current, 0, value, 0, EXTENSION_BYTES)
	}

	/** Takes a new value; the one before is accepted for EXTENSION_OVERLAP more. */
	change(value: Bytes, now: Nanos): boolean {
		if (same(this.current, 0, value, 0, EXTENSION_BYTES)) return false
		let place = 0
		for (let i = 1; i < FORMER; i++) if (this.#until[i]! < this.#until[place]!) place = i
		copy(this.#former, place * EXTENSION_BYTES, this.current, 0, EXTENSION_BYTES)
		this.#until[place] = now + EXTENSION_OVERLAP
		copy(this.current, 0, value, 0, EXTENSION_BYTES)
		return true
	}

	/** Whether the receiver extension at p[at] is ours. */
	accepts(p: Bytes, at: number, now: Nanos): boolean {
		if (same(this.current, 0, p, at, EXTENSION_BYTES)) return true
		for (let i = 0; i < FORMER; i++) {
			if (now < this.#until[i]!
				&& same(this.#former, i * EXTENSION_BYTES, p, at, EXTENSION_BYTES)) return true
		}
		return false
	}

	purge(): void {
		fill(this.#former, 0, this.#former.length, 0)
		this.#until.fill(0)
	}
}
