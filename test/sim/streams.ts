// Messengers on the network without keys: each message is a packet. For tests of congestion control
// and of what several flows do to each other.

import type { Slot } from '../../src/base/slots.ts'
import type { Nanos } from '../../src/base/time.ts'
import type { Messenger } from '../../src/message/messenger.ts'
import type { Node } from './world.ts'

const MESSAGE_MAX = 1088
const chunk = new Uint8Array(65536)

/** One end of a connection whose stream has so many bytes; what arrives is read and counted. */
export class StreamEnd implements Node {
	/** Bytes read so far. */
	read = 0
	readonly messenger: Messenger
	readonly #peer: { address: number, port: number }
	#left: number

	constructor(messenger: Messenger, peer: { address: number, port: number }, bytes: number) {
		this.messenger = messenger
		this.#peer = peer
		this.#left = bytes
	}

	receive(packet: Slot, now: Nanos): undefined {
		this.messenger.receive(packet.bytes, 0, packet.length, now)
	}

	transmit(out: Slot, now: Nanos): boolean {
		out.length = this.messenger.transmit(out.bytes, 0, MESSAGE_MAX, now)
		out.address = this.#peer.address
		out.port = this.#peer.port
		return out.length > 0
	}

	turn(now: Nanos): boolean {
		const read = this.messenger.read(chunk, 0, chunk.length, now)
		this.read += read
		const wanted = Math.min(this.#left, chunk.length)
		const written = wanted > 0 ? this.messenger.write(chunk, 0, wanted, now) : 0
		this.#left -= written
		return read > 0 || written > 0
	}

	wakeAt(): Nanos {
		return this.messenger.wakeAt()
	}

	wake(now: Nanos): void {
		this.messenger.wake(now)
	}
}
