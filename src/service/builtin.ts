// The services that need no program: echo and discard; and one for what is not there.

import type { Nanos } from '../base/time.ts'
import type { Service, ServiceContext } from './service.ts'
import type { ByteStream } from './stream.ts'

/** Sends back what comes, as fast as it is taken. */
export class EchoService implements Service {
	readonly #stream: ByteStream
	#ended = false

	constructor(stream: ByteStream) {
		this.#stream = stream
	}

	advance(now: Nanos): void {
		const stream = this.#stream
		while (stream.readable > 0) {
			const n = stream.write(stream.peekBytes, stream.peekAt, stream.peekLength, now)
			if (n === 0) return
			stream.consume(n, now)
		}
		if (stream.incomingEnd === 'open' || this.#ended) return
		this.#ended = true
		if (stream.incomingEnd === 'success') stream.end(now)
		else stream.fail(now)
	}

	over(): void {}
}

/** Reads and forgets. */
export class DiscardService implements Service {
	readonly #stream: ByteStream
	#ended = false

	constructor(stream: ByteStream) {
		this.#stream = stream
	}

	advance(now: Nanos): void {
		const stream = this.#stream
		while (stream.readable > 0) stream.consume(stream.peekLength, now)
		if (stream.incomingEnd === 'open' || this.#ended) return
		this.#ended = true
		stream.end(now)
	}

	over(): void {}
}

/** Ends its connection as a failure. */
export class AbsentService implements Service {
	readonly #stream: ByteStream

	constructor({ stream }: Pick<ServiceContext, 'stream'>) {
		this.#stream = stream
	}

	advance(now: Nanos): void {
		this.#stream.fail(now)
		this.#stream.discardIncoming(now)
	}

	over(): void {}
}
