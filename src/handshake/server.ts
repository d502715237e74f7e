// The server's side of the handshake for one long-term key. A Hello is answered by a pure function
// of packet and keys: nothing is kept until an Initiate proves everything. spec: protocol.md
// 1.1-1.4, 2.1

import { copy, fill, same, type Bytes } from '../base/bytes.ts'
import { toHex } from '../base/hex.ts'
import type { Random } from '../base/random.ts'
import type { Nanos } from '../base/time.ts'
import { KEY_BYTES, type Box } from '../crypto/box.ts'
import {
	CLIENT_HELLO, COOKIE, MINUTE, VOUCH, freshLong, makeNonce, takeCounter, takeLong,
} from '../crypto/nonce.ts'
import { FINISHED_MAX } from '../limits.ts'
import type { Drop } from '../wire/drop.ts'
import {
	CLIENT_SHORT_TERM_KEY, COOKIE_BOX, COOKIE_BOX_BYTES, COOKIE_COOKIE, COOKIE_NONCE,
	COOKIE_SHORT_TERM_KEY, HELLO_BOX, HELLO_BOX_BYTES, HELLO_NONCE,
	INITIATE_BOX, INITIATE_COOKIE, INITIATE_LONG_TERM_KEY, INITIATE_NONCE, INITIATE_VOUCH,
	INITIATE_VOUCH_NONCE, INNER_BOX, INNER_BOX_BYTES, INNER_CLIENT_KEY, INNER_NONCE,
	INNER_SERVER_SECRET, KIND_COOKIE, PACKET_RECEIVER_EXTENSION, PACKET_SENDER_EXTENSION,
	SERVER_MAGIC, EXTENSION_BYTES,
} from '../wire/packets.ts'
import { writeKind } from '../wire/write.ts'
import { MinuteKeys } from './minute-key.ts'
import { Session, initiateNonce } from './session.ts'

const VOUCH_BYTES = 32

/** What an Initiate has proved, apart from the name it asks for. */
export interface Proof {
	session: Session
	/** In hex. */
	clientLongTerm: string
}

export class ServerHandshake {
	readonly keys: MinuteKeys
	readonly #box: Box
	readonly #random: Random
	/** s, of which the caller keeps the one copy. */
	readonly #longTermSecret: Bytes
	readonly #helloNonce = makeNonce(CLIENT_HELLO)
	readonly #cookieNonce = makeNonce(COOKIE)
	readonly #minuteNonce = makeNonce(MINUTE)
	readonly #vouchNonce = makeNonce(VOUCH)
	/** Scratch secrets, purged after each use. */
	readonly #shared = new Uint8Array(KEY_BYTES)
	readonly #shortTermPublic = new Uint8Array(KEY_BYTES)
	readonly #shortTermSecret = new Uint8Array(KEY_BYTES)

	constructor(
		box: Box, random: Random, longTermSecret: Bytes, now: Nanos, finishedMax = FINISHED_MAX,
	) {
		this.#box = box
		this.#random = random
		this.#longTermSecret = longTermSecret
		this.keys = new MinuteKeys(box, random, now, finishedMax)
	}

	/** Opens the Hello p in place and writes its Cookie, both extensions swapped, to out. */
	answerHello(p: Bytes, out: Bytes): Drop | undefined {
		takeCounter(this.#helloNonce, p, HELLO_NONCE)
		const shared = this.#shared
		if (!this.#box.beforenm(shared, p, CLIENT_SHORT_TERM_KEY, this.#longTermSecret)) return 'box'
		const opened = this.#box.open(p, HELLO_BOX, HELLO_BOX_BYTES, this.#helloNonce, shared)
		if (opened) this.#writeCookie(p, out, shared)
		this.#box.purge(shared)
		return opened ? undefined : 'box'
	}

	/** Opens the Initiate p of n bytes in place; its message is then plain at INITIATE_MESSAGE. */
	acceptInitiate(p: Bytes, n: number, now: Nanos): Proof | Drop {
		this.keys.wake(now)
		if (this.keys.isFinished(clientKeyOf(p))) return 'replay'
		if (!this.#openCookie(p)) return 'cookie'
		const key = new Uint8Array(KEY_BYTES)
		const agreed = this.#box.beforenm(key, p, CLIENT_SHORT_TERM_KEY, this.#shortTermSecret)
		this.#box.purge(this.#shortTermSecret)
		if (!agreed) return 'box'
		takeCounter(initiateNonce, p, INITIATE_NONCE)
		const opened = this.#box.open(p, INITIATE_BOX, n - INITIATE_BOX, initiateNonce, key)
		if (!opened || !this.#vouched(p)) {
			this.#box.purge(key)
			return opened ? 'vouch' : 'box'
		}
		const session = new Session(this.#box, key, this.#random)
		session.seen(p, INITIATE_BOX)
		return { session, clientLongTerm: toHex(p, INITIATE_LONG_TERM_KEY, KEY_BYTES) }
	}

	/** The connection of this C' has ended: a recording of its Initiate must not open another. */
	finish(clientKey: string, now: Nanos): void {
		this.keys.finish(clientKey, now)
	}

	purge(): void {
		this.keys.purge()
		this.#box.purge(this.#longTermSecret)
	}

	#writeCookie(p: Bytes, out: Bytes, shared: Bytes): void {
		writeKind(out, SERVER_MAGIC, KIND_COOKIE)
		copy(out, PACKET_RECEIVER_EXTENSION, p, PACKET_SENDER_EXTENSION, EXTENSION_BYTES)
		copy(out, PACKET_SENDER_EXTENSION, p, PACKET_RECEIVER_EXTENSION, EXTENSION_BYTES)
		this.#box.keypair(this.#shortTermPublic, this.#shortTermSecret, this.#random)
		copy(out, COOKIE_SHORT_TERM_KEY, this.#shortTermPublic, 0, KEY_BYTES)
		const innerBox = COOKIE_COOKIE + INNER_BOX
		copy(out, COOKIE_COOKIE + INNER_CLIENT_KEY, p, CLIENT_SHORT_TERM_KEY, KEY_BYTES)
		copy(out, COOKIE_COOKIE + INNER_SERVER_SECRET, this.#shortTermSecret, 0, KEY_BYTES)
		this.#box.purge(this.#shortTermSecret)
		freshLong(this.#minuteNonce, out, COOKIE_COOKIE + INNER_NONCE, this.#random)
		this.#box.seal(out, innerBox, INNER_BOX_BYTES, this.#minuteNonce, this.keys.current)
		freshLong(this.#cookieNonce, out, COOKIE_NONCE, this.#random)
		this.#box.seal(out, COOKIE_BOX, COOKIE_BOX_BYTES, this.#cookieNonce, shared)
	}

	/** Leaves s' in its scratch and no secret in the packet. */
	#openCookie(p: Bytes): boolean {
		const box = INITIATE_COOKIE + INNER_BOX
		const nonce = this.#minuteNonce
		takeLong(nonce, p, INITIATE_COOKIE + INNER_NONCE)
		if (!this.#box.open(p, box, INNER_BOX_BYTES, nonce, this.keys.current)
			&& !this.#box.open(p, box, INNER_BOX_BYTES, nonce, this.keys.last)) return false
		copy(this.#shortTermSecret, 0, p, INITIATE_COOKIE + INNER_SERVER_SECRET, KEY_BYTES)
		fill(p, INITIATE_COOKIE + INNER_SERVER_SECRET, KEY_BYTES, 0)
		const inner = INITIATE_COOKIE + INNER_CLIENT_KEY
		const right = same(p, inner, p, CLIENT_SHORT_TERM_KEY, KEY_BYTES)
		if (!right) this.#box.purge(this.#shortTermSecret)
		return right
	}

	#vouched(p: Bytes): boolean {
		const shared = this.#shared
		if (!this.#box.beforenm(shared, p, INITIATE_LONG_TERM_KEY, this.#longTermSecret)) return false
		takeLong(this.#vouchNonce, p, INITIATE_VOUCH_NONCE)
		const right = this.#box.open(p, INITIATE_VOUCH, VOUCH_BYTES, this.#vouchNonce, shared)
			&& same(p, INITIATE_VOUCH, p, CLIENT_SHORT_TERM_KEY, KEY_BYTES)
		this.#box.purge(shared)
		return right
	}
}

/** C' of a client packet as text, for tables that are not on the data path. */
function clientKeyOf(p: Bytes): string {
	return toHex(p, CLIENT_SHORT_TERM_KEY, KEY_BYTES)
}
