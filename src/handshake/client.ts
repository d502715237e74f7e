// The client's side of the handshake under one C': Hellos to whomever, the first good Cookie, the
// vouch, Initiates. One C' has one cookie and one C'S'; a new try is a new object. spec: 2.3-2.6

import { copy, fill, type Bytes } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import { BOX_OVERHEAD, KEY_BYTES, type Box } from '../crypto/box.ts'
import {
	CLIENT_HELLO, COOKIE, NonceCounter, VOUCH, freshLong, makeNonce, takeLong,
} from '../crypto/nonce.ts'
import type { Drop } from '../wire/drop.ts'
import {
	CLIENT_MAGIC, CLIENT_MESSAGE_BOX, CLIENT_SHORT_TERM_KEY, COOKIE_BOX, COOKIE_BOX_BYTES,
	COOKIE_COOKIE, COOKIE_NONCE, COOKIE_SHORT_TERM_KEY, HELLO_BOX, HELLO_BOX_BYTES, HELLO_BYTES,
	HELLO_NONCE, HELLO_ZEROS, INITIATE_BOX, INITIATE_COOKIE, INITIATE_LONG_TERM_KEY, INITIATE_MESSAGE,
	INITIATE_SERVER_NAME, INITIATE_VOUCH, INITIATE_VOUCH_NONCE, INNER_COOKIE_BYTES,
	KIND_HELLO, KIND_INITIATE, KIND_MESSAGE, PACKET_KIND, SERVER_MESSAGE_BOX, SERVER_NAME_BYTES,
} from '../wire/packets.ts'
import { writeHead } from '../wire/write.ts'
import { Session, clientMessageNonce, initiateNonce, serverMessageNonce } from './session.ts'

const VOUCH_BYTES = 32
/** Nonce, tag and vouch as they stand in every Initiate. */
const VOUCH_TOTAL = 16 + BOX_OVERHEAD + VOUCH_BYTES

/** Long-term facts that outlive one try. */
export interface ClientIdentity {
	longTermPublic: Bytes
	longTermSecret: Bytes
	serverLongTermPublic: Bytes
	/** 256 bytes, wire/server-name.ts */
	serverName: Bytes
}

export class ClientHandshake {
	/** Set by the first good Cookie. */
	session: Session | undefined
	/** True from the first server Message on: what we send are Message packets. */
	established = false
	readonly shortTermPublic = new Uint8Array(KEY_BYTES)
	readonly #box: Box
	readonly #random: Random
	readonly #identity: ClientIdentity
	readonly #shortTermSecret = new Uint8Array(KEY_BYTES)
	readonly #clientShortServerLong = new Uint8Array(KEY_BYTES)
	readonly #counter: NonceCounter
	readonly #cookie = new Uint8Array(INNER_COOKIE_BYTES)
	/** Made once, repeated in every Initiate; room in front for the library's padding. */
	readonly #vouch = new Uint8Array(32 + VOUCH_TOTAL)
	/** What every Initiate and Message starts with, but for the kind. */
	readonly #head = new Uint8Array(CLIENT_SHORT_TERM_KEY + KEY_BYTES)
	readonly #helloNonce = makeNonce(CLIENT_HELLO)
	readonly #cookieNonce = makeNonce(COOKIE)

	constructor(box: Box, random: Random, identity: ClientIdentity) {
		this.#box = box
		this.#random = random
		this.#identity = identity
		this.#counter = new NonceCounter(random)
		box.keypair(this.shortTermPublic, this.#shortTermSecret, random)
	}

	/** False when the server's key allows no agreement. */
	prepare(): boolean {
		return this.#box.beforenm(
			this.#clientShortServerLong, this.#identity.serverLongTermPublic, 0, this.#shortTermSecret)
	}

	writeHello(p: Bytes, serverExtension: Bytes, clientExtension: Bytes): number {
		writeHead(p, CLIENT_MAGIC, KIND_HELLO, serverExtension, clientExtension)
		copy(p, CLIENT_SHORT_TERM_KEY, this.shortTermPublic, 0, KEY_BYTES)
		fill(p, HELLO_ZEROS, HELLO_NONCE - HELLO_ZEROS, 0)
		fill(p, HELLO_BOX, HELLO_BOX_BYTES, 0)
		this.#counter.next(this.#helloNonce, p, HELLO_NONCE)
		this.#box.seal(p, HELLO_BOX, HELLO_BOX_BYTES, this.#helloNonce, this.#clientShortServerLong)
		return HELLO_BYTES
	}

	/** Opens a Cookie in place; on success there is a session and Initiates may be written. */
	readCookie(p: Bytes): Drop | undefined {
		if (this.session !== undefined) return 'cookie'
		takeLong(this.#cookieNonce, p, COOKIE_NONCE)
		const shared = this.#clientShortServerLong
		if (!this.#box.open(p, COOKIE_BOX, COOKIE_BOX_BYTES, this.#cookieNonce, shared)) return 'box'
		const key = new Uint8Array(KEY_BYTES)
		if (!this.#box.beforenm(key, p, COOKIE_SHORT_TERM_KEY, this.#shortTermSecret)) return 'box'
		if (!this.#makeVouch()) return 'box'
		copy(this.#cookie, 0, p, COOKIE_COOKIE, INNER_COOKIE_BYTES)
		this.session = new Session(this.#box, key, this.#random, this.#counter)
		this.#box.purge(this.#shortTermSecret)
		this.#box.purge(shared)
		return undefined
	}

	/** Where the next packet's message must be written. */
	get messageAt(): number {
		return this.established ? CLIENT_MESSAGE_BOX : INITIATE_MESSAGE
	}

	/** The extensions of what write makes from now on. */
	address(serverExtension: Bytes, clientExtension: Bytes): void {
		writeHead(this.#head, CLIENT_MAGIC, KIND_MESSAGE, serverExtension, clientExtension)
		copy(this.#head, CLIENT_SHORT_TERM_KEY, this.shortTermPublic, 0, KEY_BYTES)
	}

	/** Wraps the message p[messageAt, messageAt + n) into an Initiate or a Message; its length. */
	write(p: Bytes, n: number): number {
		p.set(this.#head)
		p[PACKET_KIND] = this.established ? KIND_MESSAGE : KIND_INITIATE
		const length = this.messageAt + n
		if (this.established) {
			this.session!.seal(p, CLIENT_MESSAGE_BOX, n, clientMessageNonce)
		} else {
			copy(p, INITIATE_COOKIE, this.#cookie, 0, INNER_COOKIE_BYTES)
			copy(p, INITIATE_LONG_TERM_KEY, this.#identity.longTermPublic, 0, KEY_BYTES)
			copy(p, INITIATE_VOUCH_NONCE, this.#vouch, 32, VOUCH_TOTAL)
			copy(p, INITIATE_SERVER_NAME, this.#identity.serverName, 0, SERVER_NAME_BYTES)
			this.session!.seal(p, INITIATE_BOX, length - INITIATE_BOX, initiateNonce)
		}
		return length
	}

	/** Opens a server Message of n bytes in place; the first one ends the handshake. */
	openMessage(p: Bytes, n: number): Drop | undefined {
		if (this.session === undefined) return 'connection'
		const drop = this.session.open(
			p, SERVER_MESSAGE_BOX, n - SERVER_MESSAGE_BOX, serverMessageNonce)
		if (drop === undefined) this.established = true
		return drop
	}

	purge(): void {
		this.#box.purge(this.#shortTermSecret)
		this.#box.purge(this.#clientShortServerLong)
		this.session?.purge()
	}

	#makeVouch(): boolean {
		const identity = this.#identity
		const clientLongServerLong = new Uint8Array(KEY_BYTES)
		if (!this.#box.beforenm(clientLongServerLong, identity.serverLongTermPublic, 0,
			identity.longTermSecret)) return false
		const nonce = makeNonce(VOUCH)
		const at = 32 + INITIATE_VOUCH - INITIATE_VOUCH_NONCE
		freshLong(nonce, this.#vouch, 32, this.#random)
		copy(this.#vouch, at, this.shortTermPublic, 0, VOUCH_BYTES)
		this.#box.seal(this.#vouch, at, VOUCH_BYTES, nonce, clientLongServerLong)
		this.#box.purge(clientLongServerLong)
		return true
	}
}
