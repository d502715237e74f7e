// One name of a server with its service: what the endpoint must know of it, and which message layer
// its connections get.

import { assert } from '../base/assert.ts'
import type { Bytes } from '../base/bytes.ts'
import type { PiecePool } from '../base/pieces.ts'
import type { Random } from '../base/random.ts'
import type { Nanos } from '../base/time.ts'
import type { ServedName } from '../endpoint/identity.ts'
import type { LivenessLimits } from '../endpoint/liveness.ts'
import { control } from './congestion.ts'
import type { MessageLayer } from '../message/layer.ts'
import { Messenger } from '../message/messenger.ts'
import { MessageQueue } from '../message/queue.ts'
import type { ServiceSpec } from './spec.ts'
import type { ByteStream } from './stream.ts'

/** What all connections of a process borrow from. */
export interface Pools {
	readonly pieces: PiecePool
	readonly records: PiecePool
	readonly random: Random
	readonly sendBytes: number
	readonly receiveBytes: number
}

export interface NameSpec {
	/** As typed: its bytes. */
	readonly name: Bytes
	readonly service: ServiceSpec
	/** Long-term keys of the clients that are served, in hex; absent: anybody. */
	readonly clients?: ReadonlySet<string> | undefined
	/** Absent: those of the server's limits. */
	readonly liveness?: LivenessLimits
}

export class ServiceName implements ServedName {
	readonly text: string
	readonly clients: ReadonlySet<string> | undefined
	readonly liveness: LivenessLimits
	readonly service: ServiceSpec
	readonly #pools: Pools

	constructor(spec: NameSpec, liveness: LivenessLimits, pools: Pools) {
		this.text = new TextDecoder().decode(spec.name)
		this.clients = spec.clients
		this.liveness = spec.liveness ?? liveness
		this.service = spec.service
		this.#pools = pools
	}

	makeLayer(now: Nanos): MessageLayer {
		const { pieces, records, random, sendBytes, receiveBytes } = this.#pools
		if (this.service.kind === 'handler') return new MessageQueue(pieces)
		return new Messenger({
			pieces, records, random, sendBytes, receiveBytes,
			control,
		}, now)
	}

	/** The layer that makeLayer made, as its service sees it. */
	streamOf(layer: MessageLayer): ByteStream {
		assert(layer instanceof Messenger || layer instanceof MessageQueue, 'makeLayer made it')
		return layer
	}
}
