// One side of an established pair of short-term keys: seals what goes out under strictly increasing
// nonces, opens what comes in once. It knows no addresses and no message fields. spec: 1.6, 1.7

import type { Bytes } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import { BOX_OVERHEAD, type Box } from '../crypto/box.ts'
import {
	CLIENT_INITIATE, CLIENT_MESSAGE, NonceCounter, SERVER_MESSAGE, makeNonce, takeCounter,
} from '../crypto/nonce.ts'
import type { Drop } from '../wire/drop.ts'
import { NonceWindow } from './nonce-window.ts'

/** An 8-byte nonce always stands right before its box's tag. */
const NONCE_BEFORE_BOX = BOX_OVERHEAD + 8

export class Session {
	/** True after open: the packet just opened had the highest nonce so far. */
	newest = false
	/** The client counts Hello, Initiate and Message packets with one counter. */
	readonly counter: NonceCounter
	readonly #box: Box
	/** C'S', purged with the session. */
	readonly #key: Bytes
	readonly #window = new NonceWindow()

	constructor(box: Box, key: Bytes, random: Random, counter = new NonceCounter(random)) {
		this.#box = box
		this.#key = key
		this.counter = counter
	}

	/** Seals p[at, at + n), the end of the packet, and writes the nonce before it. */
	seal(p: Bytes, at: number, n: number, nonce: Bytes): void {
		this.counter.next(nonce, p, at - NONCE_BEFORE_BOX)
		this.#box.seal(p, at, n, nonce, this.#key)
	}

	/** Opens p[at, at + n) in place; only then its nonce counts as seen. */
	open(p: Bytes, at: number, n: number, nonce: Bytes): Drop | undefined {
		const nonceAt = at - NONCE_BEFORE_BOX
		const stale = this.#window.check(p, nonceAt)
		if (stale !== undefined) return stale
		takeCounter(nonce, p, nonceAt)
		if (!this.#box.open(p, at, n, nonce, this.#key)) return 'box'
		this.newest = this.#window.accept(p, nonceAt)
		return undefined
	}

	/** Counts as seen the nonce of a packet that was opened before there was a session. */
	seen(p: Bytes, boxAt: number): void {
		this.newest = this.#window.accept(p, boxAt - NONCE_BEFORE_BOX)
	}

	purge(): void {
		this.#box.purge(this.#key)
	}
}

/** The nonce texts of the three packets that carry messages: shared scratch, never secret. */
export const initiateNonce = makeNonce(CLIENT_INITIATE)
export const clientMessageNonce = makeNonce(CLIENT_MESSAGE)
export const serverMessageNonce = makeNonce(SERVER_MESSAGE)
