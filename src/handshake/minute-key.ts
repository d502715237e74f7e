// The keys that seal cookies: the present one and the one before. They live on the monotonic clock
// and turn over early when the memory of finished connections is full. spec: protocol.md 1.9, 9.1

import type { Bytes } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import type { Nanos } from '../base/time.ts'
import { type Box, KEY_BYTES } from '../crypto/box.ts'
import { MINUTE } from '../limits.ts'

export class MinuteKeys {
	current: Bytes
	last: Bytes
	/** Counts the turns: a cookie made in turn g opens in turns g and g + 1. */
	turn = 0
	#turnAt: Nanos
	/** C' of connections that ended while a cookie of theirs could still be opened, by turn. */
	#finished = new Set<string>()
	#finishedBefore = new Set<string>()
	/** So many for each key. */
	readonly #finishedMax: number
	readonly #box: Box
	readonly #random: Random

	constructor(box: Box, random: Random, now: Nanos, finishedMax: number) {
		this.#box = box
		this.#finishedMax = finishedMax
		this.#random = random
		this.current = new Uint8Array(KEY_BYTES)
		this.last = new Uint8Array(KEY_BYTES)
		random.fill(this.current, 0, KEY_BYTES)
		random.fill(this.last, 0, KEY_BYTES)
		this.#turnAt = now + MINUTE
	}

	wakeAt(): Nanos {
		return this.#turnAt
	}

	wake(now: Nanos): void {
		if (now >= this.#turnAt) this.#turnOver(now)
	}

	/** From now on an Initiate of this C' opens nothing, for as long as its cookie would open. */
	finish(clientKey: string, now: Nanos): void {
		if (this.#finished.size >= this.#finishedMax) this.#turnOver(now)
		this.#finished.add(clientKey)
	}

	isFinished(clientKey: string): boolean {
		return this.#finished.has(clientKey) || this.#finishedBefore.has(clientKey)
	}

	purge(): void {
		this.#box.purge(this.current)
		this.#box.purge(this.last)
	}

	#turnOver(now: Nanos): void {
		const oldest = this.last
		this.last = this.current
		this.current = oldest
		this.#random.fill(this.current, 0, KEY_BYTES)
		const forgotten = this.#finishedBefore
		forgotten.clear()
		this.#finishedBefore = this.#finished
		this.#finished = forgotten
		this.turn++
		this.#turnAt = now + MINUTE
	}
}
