// Where the peer is: its address, port and extension, and by which of ours it reaches us. A verified
// packet from elsewhere makes that place a candidate; only an acknowledgment of our probe, coming
// from there, moves the connection. Clients treat servers by the same rule as servers treat clients:
// who merely repeats packets faster leads nobody astray. spec: addressing page, Mobile clients;
// protocol.md 3.3

import { copy, same, type Bytes } from '../base/bytes.ts'
import type { Slot } from '../base/slots.ts'
import { MILLISECOND, NEVER, type Nanos } from '../base/time.ts'
import { CANDIDATE_AMPLIFICATION, CANDIDATE_LIFE } from '../limits.ts'
import {
	EXTENSION_BYTES, MESSAGE_MAX, MESSAGE_MIN, PACKET_RECEIVER_EXTENSION, PACKET_SENDER_EXTENSION,
	SERVER_MESSAGE_BOX,
} from '../wire/packets.ts'

/** The least time between two probes to one candidate. */
const PROBE_INTERVAL: Nanos = 25 * MILLISECOND
/** A probe must hold an acknowledgment and an empty block in any implementation's size. */
const PROBE_ROOM_MIN = 192
/** Probes whose acknowledgment still counts. */
const PROBES = 16

/** One place: every field of it must be the same for two packets to have come the same way. */
class Place {
	address = 0
	port = 0
	local = 0
	readonly theirExtension: Bytes = new Uint8Array(EXTENSION_BYTES)
	/** The extension by which the peer reaches us: a client expects it back. */
	readonly ourExtension: Bytes = new Uint8Array(EXTENSION_BYTES)

	take(slot: Slot): void {
		this.address = slot.address
		this.port = slot.port
		this.local = slot.local
		copy(this.theirExtension, 0, slot.bytes, PACKET_SENDER_EXTENSION, EXTENSION_BYTES)
		copy(this.ourExtension, 0, slot.bytes, PACKET_RECEIVER_EXTENSION, EXTENSION_BYTES)
	}

	is(slot: Slot): boolean {
		const p = slot.bytes
		return this.address === slot.address && this.port === slot.port && this.local === slot.local
			&& same(this.theirExtension, 0, p, PACKET_SENDER_EXTENSION, EXTENSION_BYTES)
			&& same(this.ourExtension, 0, p, PACKET_RECEIVER_EXTENSION, EXTENSION_BYTES)
	}
}

export class Path {
	active = new Place()
	candidate: Place | undefined
	/** How often the connection has moved. */
	moves = 0
	#spare = new Place()
	#expiresAt: Nanos = NEVER
	/** When a probe is due to the candidate; NEVER: none is owed. */
	#probeAt: Nanos = NEVER
	#receivedBytes = 0
	#sentBytes = 0
	readonly #probes = new Uint32Array(PROBES)
	#probeCount = 0

	constructor(slot: Slot) {
		this.active.take(slot)
	}

	/**
	 * Takes note of a verified packet that had the highest nonce so far. ackId: the message ID that
	 * it acknowledges, 0 for none. True: the connection has just moved to where it came from.
	 */
	observe(slot: Slot, ackId: number, now: Nanos): boolean {
		if (this.active.is(slot)) {
			this.#forget()
			return false
		}
		if (this.candidate === undefined || !this.candidate.is(slot)) this.#begin(slot)
		this.#receivedBytes += slot.length
		this.#expiresAt = now + CANDIDATE_LIFE
		if (ackId !== 0 && this.#probed(ackId)) {
			this.#spare = this.active
			this.active = this.candidate!
			this.#forget()
			this.moves++
			return true
		}
		if (this.#probeAt === NEVER) this.#probeAt = now
		return false
	}

	/** Whether the packet came by the extension of ours by which the connection is reached. */
	reachedBy(slot: Slot): boolean {
		const { ourExtension } = this.active
		return same(ourExtension, 0, slot.bytes, PACKET_RECEIVER_EXTENSION, EXTENSION_BYTES)
	}

	wakeAt(): Nanos {
		return Math.min(this.#probeAt, this.#expiresAt)
	}

	wake(now: Nanos): void {
		if (now >= this.#expiresAt) this.#forget()
	}

	/**
	 * The room for a message in the probe that is due to the candidate; 0: none is due or allowed.
	 */
	probeRoom(now: Nanos): number {
		if (now < this.#probeAt) return 0
		const allowed = CANDIDATE_AMPLIFICATION * this.#receivedBytes - this.#sentBytes
		const room = Math.min(MESSAGE_MAX, allowed - SERVER_MESSAGE_BOX)
		if (room >= PROBE_ROOM_MIN) return room - room % MESSAGE_MIN
		this.#probeAt = NEVER // until more is received from there
		return 0
	}

	/** A probe of so many bytes with this message ID went to the candidate. */
	probeSent(id: number, bytes: number, now: Nanos): void {
		this.#probes[this.#probeCount++ % PROBES] = id
		this.#sentBytes += bytes
		this.#probeAt = now + PROBE_INTERVAL * 2 ** Math.min(this.#probeCount, 6)
	}

	#begin(slot: Slot): void {
		this.candidate = this.#spare
		this.candidate.take(slot)
		this.#receivedBytes = 0
		this.#sentBytes = 0
		this.#probeCount = 0
		this.#probes.fill(0)
		this.#probeAt = NEVER
	}

	#probed(id: number): boolean {
		for (let i = 0; i < PROBES; i++) if (this.#probes[i] === id) return true
		return false
	}

	#forget(): void {
		if (this.candidate === undefined) return
		if (this.candidate !== this.active) this.#spare = this.candidate
		this.candidate = undefined
		this.#expiresAt = NEVER
		this.#probeAt = NEVER
	}
}
