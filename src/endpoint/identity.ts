// Who a server is: one long-term key, one extension, and the names under which it serves.

import type { Bytes } from '../base/bytes.ts'
import { toHex } from '../base/hex.ts'
import type { Nanos } from '../base/time.ts'
import type { ServerHandshake } from '../handshake/server.ts'
import type { MessageLayer } from '../message/layer.ts'
import { PACKET_RECEIVER_EXTENSION, SERVER_NAME_BYTES } from '../wire/packets.ts'
import type { LivenessLimits } from './liveness.ts'
import type { OwnExtension } from './own-extension.ts'

/** One name with its service. Nothing of it is shared with another name. */
export interface ServedName {
	readonly text: string
	/** Long-term keys of the clients that are served, in hex; undefined: anybody. */
	readonly clients: ReadonlySet<string> | undefined
	readonly liveness: LivenessLimits
	/** A new connection's message layer. */
	makeLayer(now: Nanos): MessageLayer
}

export class Identity {
	readonly publicKey: Bytes
	readonly handshake: ServerHandshake
	/** any: it stands behind a gateway with sealed extensions, each of which leads to it. */
	readonly extension: OwnExtension | 'any'
	#names = new Map<string, ServedName>()

	constructor(publicKey: Bytes, handshake: ServerHandshake, extension: OwnExtension | 'any') {
		this.publicKey = publicKey
		this.handshake = handshake
		this.extension = extension
	}

	/** The names by their 256-byte wire form; connections of names that are gone live on. */
	serve(names: Iterable<[wire: Bytes, name: ServedName]>): void {
		this.#names = new Map()
		for (const [wire, name] of names) this.#names.set(toHex(wire, 0, SERVER_NAME_BYTES), name)
	}

	/** The name whose wire form stands at p[at]. */
	nameAt(p: Bytes, at: number): ServedName | undefined {
		return this.#names.get(toHex(p, at, SERVER_NAME_BYTES))
	}

	get names(): Iterable<ServedName> {
		return this.#names.values()
	}

	/** Whether the packet p is for this server. */
	owns(p: Bytes, now: Nanos): boolean {
		return this.extension === 'any'
			|| this.extension.accepts(p, PACKET_RECEIVER_EXTENSION, now)
	}
}

