// The pump between one connection and one program: what each writes the other reads, no faster than
// it does. Bytes go to the program straight from the connection's ring, and stay there until the
// kernel has them, so that a program that does not read slows its own peer and nobody else.

import type { Writable } from 'node:stream'
import { assert } from '../base/assert.ts'
import type { Bytes } from '../base/bytes.ts'
import type { Nanos } from '../base/time.ts'
import { SERVICE_READ_BYTES } from '../limits.ts'

/** What a service sees of a connection; the messenger and the handlers' queue are such. */
export interface ByteStream {
	/** How the peer ended its stream; all that came before may still wait in readable. */
	readonly incomingEnd: 'open' | 'success' | 'failure'
	/** Bytes that wait; peekBytes[peekAt, peekAt + peekLength) are the first of them. */
	readonly readable: number
	readonly peekBytes: Bytes
	readonly peekAt: number
	readonly peekLength: number
	consume(n: number, now: Nanos): void
	/** Takes from p[at, at + n) what finds room now; returns how many bytes. */
	write(p: Bytes, at: number, n: number, now: Nanos): number
	end(now: Nanos): void
	fail(now: Nanos): void
	/** Whatever else the peer sends is acknowledged and forgotten. */
	discardIncoming(now: Nanos): void
}

/** Where a program's bytes come from. */
export interface Source {
	pause(): unknown
	resume(): unknown
}

export interface PumpOptions {
	readonly stream: ByteStream
	readonly clock: () => Nanos
	/** The stream was used outside of advance: it may have something to send. */
	touch(now: Nanos): void
	/** The peer's stream ended as a failure, and the program has all that came before. */
	peerFailed(): void
}

/** Buffers for what did not fit, kept so that a busy program makes no garbage. */
const spares: Bytes[] = []
const SPARES_MAX = 16

export class Pump {
	/** Program bytes taken so far. */
	takenBytes = 0
	readonly #stream: ByteStream
	readonly #options: PumpOptions
	#source: Source | undefined
	#sink: Writable | undefined
	/** Bytes of the ring that the sink has and the kernel has not. */
	#writing = 0
	/** What the program wrote and the stream had no room for; its source is paused meanwhile. */
	#rest: Bytes | undefined
	#restAt = 0
	#restEnd = 0
	/** #rest is a spare buffer, not the program's own chunk. */
	#restIsSpare = false
	/** The program ended its output while #rest waited. */
	#endAs: 'success' | 'failure' | undefined
	#outgoingOver = false
	#incomingOver = false

	constructor(options: PumpOptions) {
		this.#stream = options.stream
		this.#options = options
	}

	/** The program's output is not read, since its peer is slow. */
	get paused(): boolean {
		return this.#rest !== undefined
	}

	/** The program is ready: bytes may go both ways. Call advance or touch next. */
	open(source: Source, sink: Writable): void {
		this.#source = source
		this.#sink = sink
	}

	/**
	 * Takes what the program wrote. False: its source is to pause until it is resumed. Borrowed: p is
	 * used again as soon as this returns.
	 */
	take(p: Bytes, n: number, borrowed: boolean): boolean {
		if (this.#outgoingOver) return true
		assert(this.#rest === undefined, 'a paused source brings nothing')
		const now = this.#options.clock()
		this.takenBytes += n
		const done = this.#stream.write(p, 0, n, now)
		if (done < n) this.#keepRest(p, done, n, borrowed)
		this.#options.touch(now)
		return done === n
	}

	/** The program's output is over. */
	finish(as: 'success' | 'failure'): void {
		if (this.#outgoingOver || this.#endAs !== undefined) return
		this.#endAs = as
		const now = this.#options.clock()
		this.#finish(now)
		this.#options.touch(now)
	}

	/** The program reads no more: what the peer sends is for nobody. */
	deaf(): void {
		if (this.#incomingOver) return
		this.#incomingOver = true
		// A pending write still points into the ring, which the stream is about to give back.
		this.#sink?.destroy()
		const now = this.#options.clock()
		this.#stream.discardIncoming(now)
		this.#options.touch(now)
	}

	/** Something came, or room did. */
	advance(now: Nanos): void {
		this.#deliver(now)
		if (this.#rest !== undefined) this.#writeRest(this.#rest, now)
	}

	/** The connection is over: nothing of it may be used any more. */
	close(): void {
		this.#outgoingOver = true
		this.#incomingOver = true
		this.#dropRest()
		this.#sink?.destroy()
	}

	#deliver(now: Nanos): void {
		const stream = this.#stream
		const sink = this.#sink
		if (sink === undefined || this.#incomingOver) return
		while (this.#writing === 0 && stream.readable > 0) {
			const n = stream.peekLength
			sink.write(stream.peekBytes.subarray(stream.peekAt, stream.peekAt + n), this.#written)
			if (this.#incomingOver) return
			if (sink.writableLength === 0) stream.consume(n, now)
			else this.#writing = n
		}
		if (this.#writing > 0 || stream.incomingEnd === 'open') return
		this.#incomingOver = true
		if (stream.incomingEnd === 'success') sink.end()
		else this.#options.peerFailed()
	}

	/** Made once: the kernel has what we wrote, or the sink is dead and says so in its own way. */
	readonly #written = (error?: Error | null): void => {
		if (this.#writing === 0 || this.#incomingOver) return
		if (error || this.#sink?.writableLength !== 0) return
		const now = this.#options.clock()
		this.#stream.consume(this.#writing, now)
		this.#writing = 0
		this.#deliver(now)
		this.#options.touch(now)
	}

	#keepRest(p: Bytes, at: number, end: number, borrowed: boolean): void {
		this.#restIsSpare = borrowed && end <= SERVICE_READ_BYTES
		if (this.#restIsSpare) {
			this.#rest = spares.pop() ?? new Uint8Array(SERVICE_READ_BYTES)
			this.#rest.set(p.subarray(at, end))
		} else {
			this.#rest = borrowed ? p.slice(at, end) : p.subarray(at, end)
		}
		this.#restAt = 0
		this.#restEnd = end - at
	}

	#dropRest(): void {
		if (this.#restIsSpare && this.#rest !== undefined && spares.length < SPARES_MAX) {
			spares.push(this.#rest)
		}
		this.#rest = undefined
	}

	#writeRest(rest: Bytes, now: Nanos): void {
		if (this.#outgoingOver) return
		this.#restAt += this.#stream.write(rest, this.#restAt, this.#restEnd - this.#restAt, now)
		if (this.#restAt < this.#restEnd) return
		this.#dropRest()
		if (this.#endAs !== undefined) this.#finish(now)
		else this.#source?.resume()
	}

	#finish(now: Nanos): void {
		if (this.#rest !== undefined) return
		this.#outgoingOver = true
		if (this.#endAs === 'failure') this.#stream.fail(now)
		else this.#stream.end(now)
	}
}
