// Which packet nonces of one direction were seen: the highest, and a bitmap of the NONCE_WINDOW
// before it. Late packets are welcome, replays and the too old are not. spec: protocol.md 2.7

import type { Bytes } from '../base/bytes.ts'
import { readU32 } from '../base/bytes.ts'
import type { Drop } from '../wire/drop.ts'
import { NONCE_WINDOW } from '../limits.ts'

const WORDS = NONCE_WINDOW / 32

export class NonceWindow {
	/** The highest nonce accepted, as two halves; meaningless before the first. */
	#low = 0
	#high = 0
	#any = false
	/** Bit n & 31 of word (n / 32) mod WORDS: nonce n was accepted. Only the window's bits count. */
	readonly #seen = new Uint32Array(WORDS)

	/**
	 * What is wrong with the nonce at p[at]; undefined: it may be accepted once its box has opened.
	 */
	check(p: Bytes, at: number): Drop | undefined {
		if (!this.#any) return undefined
		const ahead = this.#ahead(p, at)
		if (ahead > 0) return undefined
		if (ahead <= -NONCE_WINDOW) return 'nonce'
		const low = readU32(p, at)
		return (this.#seen[(low >>> 5) % WORDS]! >>> (low & 31)) & 1 ? 'replay' : undefined
	}

	/** Remembers the nonce at p[at], which check has let pass. True: it is the highest so far. */
	accept(p: Bytes, at: number): boolean {
		const low = readU32(p, at)
		const ahead = this.#any ? this.#ahead(p, at) : NONCE_WINDOW
		if (ahead > 0) {
			this.#forget(low, ahead)
			this.#low = low
			this.#high = readU32(p, at + 4)
			this.#any = true
		}
		this.#seen[(low >>> 5) % WORDS]! |= 1 << (low & 31)
		return ahead > 0
	}

	/** How far the nonce at p[at] is ahead of the highest: exact wherever the window cares. */
	#ahead(p: Bytes, at: number): number {
		return (readU32(p, at + 4) - this.#high) * 0x100000000 + (readU32(p, at) - this.#low)
	}

	/** Clears the bits of all nonces up to the new highest, whose low half is low. */
	#forget(low: number, ahead: number): void {
		if (ahead >= NONCE_WINDOW) {
			this.#seen.fill(0)
			return
		}
		for (let i = ahead - 1; i >= 0; i--) {
			const nonce = (low - i) >>> 0
			if ((nonce & 31) === 0 && i >= 31) {
				this.#seen[(nonce >>> 5) % WORDS] = 0
				i -= 31
			} else {
				this.#seen[(nonce >>> 5) % WORDS]! &= ~(1 << (nonce & 31))
			}
		}
	}
}
