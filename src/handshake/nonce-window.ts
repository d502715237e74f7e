// Which packet nonces of one direction were seen: the highest, and which of the NONCE_WINDOW before
// it: so many without a gap, as long as nothing was lost or late, and a bitmap from then on. Late
// packets are welcome, replays and the too old are not. spec: protocol.md 2.7

import type { Bytes } from '../base/bytes.ts'
import { readU32 } from '../base/bytes.ts'
import type { Drop } from '../wire/drop.ts'
import { NONCE_WINDOW } from '../limits.ts'

const WORDS = NONCE_WINDOW / 32

export class NonceWindow {
	/** The highest nonce accepted, as two halves; meaningless before the first. */
	#low = 0
	#high = 0
	/** Without a bitmap: the highest and so many in all, without a gap, were. 0: none was yet. */
	#run = 0
	/**
	 * Bit n & 31 of word (n / 32) mod WORDS: nonce n was accepted. Only the window's bits count. Made
	 * at the first gap, which most connections never see.
	 */
	#seen: Uint32Array | undefined

	/**
	 * What is wrong with the nonce at p[at]; undefined: it may be accepted once its box has opened.
	 */
	check(p: Bytes, at: number): Drop | undefined {
		if (this.#run === 0) return undefined
		const ahead = this.#ahead(p, at)
		if (ahead > 0) return undefined
		if (ahead <= -NONCE_WINDOW) return 'nonce'
		return this.#wasSeen(readU32(p, at), -ahead) ? 'replay' : undefined
	}

	/** Remembers the nonce at p[at], which check has let pass. True: it is the highest so far. */
	accept(p: Bytes, at: number): boolean {
		const ahead = this.#run === 0 ? 1 : this.#ahead(p, at)
		const low = readU32(p, at)
		if (ahead !== 1) this.#seen ??= this.#bitmapOfRun()
		if (this.#seen === undefined) {
			this.#run = Math.min(this.#run + 1, NONCE_WINDOW)
		} else {
			if (ahead > 0) forget(this.#seen, low, ahead)
			mark(this.#seen, low)
		}
		if (ahead <= 0) return false
		this.#low = low
		this.#high = readU32(p, at + 4)
		return true
	}

	#wasSeen(low: number, behind: number): boolean {
		if (this.#seen === undefined) return behind < this.#run
		return (this.#seen[(low >>> 5) % WORDS]! >>> (low & 31) & 1) !== 0
	}

	#bitmapOfRun(): Uint32Array {
		const seen = new Uint32Array(WORDS)
		for (let behind = 0; behind < this.#run; behind++) mark(seen, (this.#low - behind) >>> 0)
		return seen
	}

	/** How far the nonce at p[at] is ahead of the highest: exact wherever the window cares. */
	#ahead(p: Bytes, at: number): number {
		return (readU32(p, at + 4) - this.#high) * 0x100000000 + (readU32(p, at) - this.#low)
	}
}

function mark(seen: Uint32Array, low: number): void {
	seen[(low >>> 5) % WORDS]! |= 1 << (low & 31)
}

/** Clears the bits of all nonces up to the new highest, whose low half is low. */
function forget(seen: Uint32Array, low: number, ahead: number): void {
	if (ahead >= NONCE_WINDOW) {
		seen.fill(0)
		return
	}
	for (let i = ahead - 1; i >= 0; i--) {
		const nonce = (low - i) >>> 0
		if ((nonce & 31) === 0 && i >= 31) {
			seen[(nonce >>> 5) % WORDS] = 0
			i -= 31
		} else {
			seen[(nonce >>> 5) % WORDS]! &= ~(1 << (nonce & 31))
		}
	}
}
