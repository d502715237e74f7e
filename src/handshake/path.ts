// Where the peer is: its address, port and extension, and by which of ours it reaches us. A
// verified packet from elsewhere makes that place a candidate; only an acknowledgment of our probe,
// coming from there, moves the connection. The place of a client's first packet is no better known:
// it too is sent little until it has answered. Clients treat servers by the same rule, so that
// whoever merely repeats packets faster leads nobody astray. spec: addressing page, Mobile clients;
// protocol.md 3.3

import { copy, readU32, same, type Bytes } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import type { Slot } from '../base/slots.ts'
import { MILLISECOND, NEVER, type Nanos } from '../base/time.ts'
import { CANDIDATE_AMPLIFICATION, CANDIDATE_LIFE } from '../limits.ts'
import {
	CLIENT_MESSAGE_BOX, EXTENSION_BYTES, INITIATE_MESSAGE_MAX, MESSAGE_MAX, MESSAGE_MIN,
	PACKET_RECEIVER_EXTENSION, PACKET_SENDER_EXTENSION,
} from '../wire/packets.ts'

/** The time between the first two probes to one place; it doubles from there. */
const PROBE_INTERVAL: Nanos = 50 * MILLISECOND
/** A first place is probably right: its answer is awaited for a long round trip. */
const FIRST_PROBE_INTERVAL: Nanos = 200 * MILLISECOND
const DOUBLINGS_MAX = 5
/** What stands around a message at most. */
const HEAD_MAX = CLIENT_MESSAGE_BOX
/** A probe must hold an acknowledgment and an empty block in any implementation's size. */
const PROBE_ROOM_MIN = 192
/** Probes whose acknowledgment still counts. */
const PROBES = 16
const scratch: Bytes = new Uint8Array(4)

/** One place: every field of it must be the same for two packets to have come the same way. */
class Place {
	address = 0
	port = 0
	local = 0
	/**
	 * As they stand in the peer's packets: the extension by which it reaches us, which a client
	 * expects back, and its own.
	 */
	readonly #extensions: Bytes = new Uint8Array(2 * EXTENSION_BYTES)

	get theirExtension(): Bytes {
		return this.#extensions.subarray(EXTENSION_BYTES)
	}

	take(slot: Slot): void {
		this.address = slot.address
		this.port = slot.port
		this.local = slot.local
		copy(this.#extensions, 0, slot.bytes, PACKET_RECEIVER_EXTENSION, 2 * EXTENSION_BYTES)
	}

	/** Addresses a packet to it. */
	give(slot: Slot): void {
		slot.address = this.address
		slot.port = this.port
		slot.local = this.local
		const p = slot.bytes
		copy(p, PACKET_RECEIVER_EXTENSION, this.#extensions, EXTENSION_BYTES, EXTENSION_BYTES)
		copy(p, PACKET_SENDER_EXTENSION, this.#extensions, 0, EXTENSION_BYTES)
	}

	is(slot: Slot): boolean {
		return this.address === slot.address && this.port === slot.port && this.local === slot.local
			&& same(this.#extensions, 0, slot.bytes, PACKET_RECEIVER_EXTENSION, 2 * EXTENSION_BYTES)
	}

	/** Whether the packet came by the extension of ours by which we are reached from here. */
	reachedBy(slot: Slot): boolean {
		return same(this.#extensions, 0, slot.bytes, PACKET_RECEIVER_EXTENSION, EXTENSION_BYTES)
	}
}

export class Path {
	active = new Place()
	candidate: Place | undefined
	/** How often the connection has moved. */
	moves = 0
	/** Where the message goes that was reported last. */
	target = this.active
	/** Whether active has ever answered. */
	#confirmed: boolean
	/** For the next candidate; made when there is one, since few connections ever move. */
	#spare: Place | undefined
	#expiresAt: Nanos = NEVER
	/** When a probe is due to the place on trial; NEVER: none is owed. */
	#probeAt: Nanos = NEVER
	/** From and to the place on trial. */
	#receivedBytes = 0
	#sentBytes = 0
	/** Message IDs of the latest probes; there while a place is on trial. */
	#probes: Uint32Array | undefined
	#probeCount = 0

	readonly #random: Random

	/** confirmed: the first place has answered us before. */
	constructor(slot: Slot, confirmed: boolean, random: Random, now: Nanos) {
		this.#random = random
		this.#confirmed = confirmed
		this.active.take(slot)
		if (!confirmed) this.#try(slot, now)
	}

	/**
	 * Takes note of a verified packet that had the highest nonce so far. ackId: the message ID that
	 * it acknowledges, 0 for none. True: the connection has just moved to where it came from.
	 */
	observe(slot: Slot, ackId: number, now: Nanos): boolean {
		if (!this.#confirmed) {
			this.#observeFirst(slot, ackId, now)
			return false
		}
		if (this.active.is(slot)) {
			this.#forget()
			return false
		}
		if (this.candidate === undefined || !this.candidate.is(slot)) {
			this.candidate = this.#spare ?? new Place()
			this.candidate.take(slot)
			this.#try(slot, now)
		} else {
			this.#received(slot, now)
		}
		this.#expiresAt = now + CANDIDATE_LIFE
		if (ackId !== 0 && this.#probed(ackId)) {
			this.#spare = this.active
			this.active = this.candidate!
			this.#forget()
			this.moves++
			return true
		}
		return false
	}

	/** Whether the packet came by the extension of ours by which the connection is reached. */
	reachedBy(slot: Slot): boolean {
		return this.active.reachedBy(slot)
	}

	wakeAt(): Nanos {
		return Math.min(this.#probeAt, this.#expiresAt)
	}

	wake(now: Nanos): void {
		if (now >= this.#expiresAt) this.#forget()
	}

	/** The room for a message that is no probe: that of a whole packet, of an Initiate's, or none. */
	get room(): number {
		if (this.#confirmed || this.#allowed >= MESSAGE_MAX) return MESSAGE_MAX
		return this.#allowed >= INITIATE_MESSAGE_MAX ? INITIATE_MESSAGE_MAX : 0
	}

	/** A packet of so many bytes with such a message is about to be sent. */
	sent(bytes: number): void {
		this.target = this.active
		if (!this.#confirmed) this.#sentBytes += bytes
	}

	/**
	 * The room for a message in the probe that is due to the place on trial; 0: none is due or
	 * allowed.
	 */
	probeRoom(now: Nanos): number {
		if (now < this.#probeAt) return 0
		const room = Math.min(MESSAGE_MAX, this.#allowed)
		if (room >= PROBE_ROOM_MIN) return room - room % MESSAGE_MIN
		this.#probeAt = NEVER // until more is received from there
		return 0
	}

	/** A message ID for a probe that nobody can guess who does not receive it. */
	probeId(): number {
		do this.#random.fill(scratch, 0, 4)
		while (readU32(scratch, 0) === 0)
		return readU32(scratch, 0)
	}

	/** A packet of so many bytes with a probe of this message ID is about to be sent. */
	probeSent(id: number, bytes: number, now: Nanos): void {
		this.target = this.candidate ?? this.active
		const interval = this.#confirmed ? PROBE_INTERVAL : FIRST_PROBE_INTERVAL
		this.#probeAt = now + interval * 2 ** Math.min(this.#probeCount, DOUBLINGS_MAX)
		this.#probes ??= new Uint32Array(PROBES)
		this.#probes[this.#probeCount++ % PROBES] = id
		this.#sentBytes += bytes
	}

	get #allowed(): number {
		return CANDIDATE_AMPLIFICATION * this.#receivedBytes - this.#sentBytes - HEAD_MAX
	}

	/** Nobody has answered yet: the newest packet says best where the client is. */
	#observeFirst(slot: Slot, ackId: number, now: Nanos): void {
		if (!this.active.is(slot)) {
			this.active.take(slot)
			this.#try(slot, now)
			return
		}
		this.#received(slot, now)
		if (ackId === 0 || !this.#probed(ackId)) return
		this.#confirmed = true
		this.#probes = undefined
		this.#probeAt = NEVER
	}

	/** A new place is on trial. */
	#try(slot: Slot, now: Nanos): void {
		this.#receivedBytes = 0
		this.#sentBytes = 0
		this.#probeCount = 0
		this.#probes?.fill(0)
		this.#probeAt = NEVER
		this.#received(slot, now)
	}

	#received(slot: Slot, now: Nanos): void {
		this.#receivedBytes += slot.length
		if (this.#probeAt === NEVER) this.#probeAt = now
	}

	#probed(id: number): boolean {
		return this.#probes?.includes(id) === true
	}

	#forget(): void {
		if (this.candidate === undefined) return
		if (this.candidate !== this.active) this.#spare = this.candidate
		this.candidate = undefined
		this.#expiresAt = NEVER
		this.#probeAt = NEVER
	}
}
