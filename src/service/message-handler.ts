// What curvecpmessage does: a program's two streams, made into messages on descriptors 8 and 9 and
// back. Neither keys nor packets are its business. spec: protocol.md 4.4, 4.9, 6

import { spawn, type ChildProcess } from 'node:child_process'
import { Readable, Writable } from 'node:stream'
import { assert } from '../base/assert.ts'
import { PiecePool } from '../base/pieces.ts'
import type { Slot } from '../base/slots.ts'
import { MILLISECOND, SECOND, type Nanos } from '../base/time.ts'
import { HANDLER_IDLE } from '../limits.ts'
import { Messenger } from '../message/messenger.ts'
import { now as clock } from '../platform/clock.ts'
import { passed } from '../platform/descriptors.ts'
import { makeEntropy } from '../platform/entropy.ts'
import { FramePipe } from '../platform/frame-pipe.ts'
import { Loop } from '../platform/loop.ts'
import { EXIT_TROUBLE, causeOf } from '../platform/trouble.ts'
import { INITIATE_MESSAGE_MAX, MESSAGE_MAX } from '../wire/packets.ts'
import { PIECE_BYTES, RECORD_BYTES, SLOT_BYTES } from './budget.ts'
import { control } from './congestion.ts'
import { feed } from './feed.ts'
import { Pump } from './stream.ts'

/** client: its server starts; clientStarts: it does itself. */
export type Role = 'server' | 'client' | 'clientStarts'

export interface HandlerOptions {
	readonly role: Role
	readonly words: readonly string[]
	/** Descriptors above 2 that the program gets beside its own. */
	readonly inherited: readonly number[]
	say(text: string): void
}

const STREAM_BYTES = 262_144
const PIECES = 2 * STREAM_BYTES / PIECE_BYTES + 2
const BATCH = 64
const SPIN: Nanos = MILLISECOND
/** A client that starts is waited for so long; then its server hears that it is there. */
const FIRST_WORD: Nanos = SECOND
/** After the last word it stays to repeat it: a server's is the one that gets lost unnoticed. */
const LINGER: Readonly<Record<Role, Nanos>> = {
	server: SECOND, client: 10 * MILLISECOND, clientStarts: 10 * MILLISECOND,
}
const LINGER_LOSS: Nanos = SECOND
/** How often a program that is gone is looked after. */
const LOOK: Nanos = SECOND

/** Resolves with the program's exit code; rejects with Trouble when its descriptors fail. */
export async function handleMessages(options: HandlerOptions): Promise<number> {
	const pipe = new FramePipe()
	const handler = new MessageHandler(options, pipe)
	await Promise.race([handler.over, pipe.broken])
	return handler.exited
}

class MessageHandler {
	/** Both streams are over, or nothing more can be done for them. */
	readonly over: Promise<void>
	readonly exited: Promise<number>
	readonly #o: HandlerOptions
	readonly #messenger: Messenger
	readonly #loop: Loop
	readonly #pump: Pump
	#heard = false
	#lingering: NodeJS.Timeout | undefined
	#resolve: () => void = () => {}

	constructor(options: HandlerOptions, pipe: FramePipe) {
		this.#o = options
		this.over = new Promise((resolve) => {
			this.#resolve = resolve
		})
		this.#messenger = new Messenger({
			pieces: new PiecePool(PIECE_BYTES, PIECES), records: new PiecePool(RECORD_BYTES, PIECES),
			random: makeEntropy(), control, sendBytes: STREAM_BYTES, receiveBytes: STREAM_BYTES,
		}, clock())
		this.#pump = new Pump({
			stream: this.#messenger, clock,
			touch: () => {
				this.#settle()
				this.#loop.poke()
			},
			// A pipe has one kind of end.
			peerFailed: () => this.#sink?.end(),
		})
		this.#loop = new Loop(this.#machine(), pipe, clock, {
			batch: BATCH, slotBytes: SLOT_BYTES, spinNanos: SPIN,
			drained: (now) => {
				this.#pump.advance(now)
				this.#settle()
			},
		})
		this.exited = this.#start()
		this.#speakFirst()
		this.#loop.start()
	}

	#sink: Writable | undefined

	#machine(): ConstructorParameters<typeof Loop>[0] {
		const { role } = this.#o
		const messenger = this.#messenger
		return {
			receive: (packet: Slot, now: Nanos) => {
				this.#heard = true
				messenger.receive(packet.bytes, 0, packet.length, now)
			},
			transmit: (out: Slot, now: Nanos) => {
				if (role === 'server' && !this.#heard) return false
				const room = role === 'server' || this.#heard ? MESSAGE_MAX : INITIATE_MESSAGE_MAX
				out.length = messenger.transmit(out.bytes, 0, room, now)
				return out.length > 0
			},
			wakeAt: () => messenger.wakeAt(),
			wake: (now: Nanos) => messenger.wake(now),
		}
	}

	#start(): Promise<number> {
		const { role, words, inherited, say } = this.#o
		const child = spawn(words[0]!, words.slice(1), {
			stdio: role === 'server' ? ['pipe', 'pipe', 'inherit', ...passed(inherited, 7)]
				: ['inherit', 'inherit', 'inherit', ...passed(inherited, 5), 'pipe', 'pipe'],
		})
		if (child.pid !== undefined) this.#join(child)
		return new Promise((resolve) => {
			child.once('error', (error) => {
				if (child.pid !== undefined) return
				say(`unable to run ${words[0]!}: ${causeOf(error)}`)
				this.#pump.finish('success')
				this.#abandon()
				resolve(EXIT_TROUBLE)
			})
			child.once('exit', (code) => {
				if (code === null) say('process killed by signal')
				this.#abandon()
				resolve(code ?? EXIT_TROUBLE)
			})
		})
	}

	#join(child: ChildProcess): void {
		const pipes: readonly (Readable | Writable | null | undefined)[] = child.stdio
		const [sink, source] = this.#o.role === 'server' ? [pipes[0], pipes[1]] : [pipes[6], pipes[7]]
		assert(sink instanceof Writable && source instanceof Readable, 'its pipes were asked for')
		this.#sink = sink
		this.#pump.open(source, sink)
		feed(source, this.#pump)
		sink.on('error', () => this.#pump.deaf())
	}

	#speakFirst(): void {
		const { role } = this.#o
		if (role === 'server') return
		const speak = (): void => {
			if (this.#pump.takenBytes > 0) return
			this.#messenger.ping(clock())
			this.#loop.poke()
		}
		if (role === 'client') speak()
		else setTimeout(speak, FIRST_WORD / MILLISECOND).unref()
	}

	/** The program is gone: what it wrote is still sent, as long as that gets on. */
	#abandon(): void {
		this.#pump.deaf()
		let moved = -1
		let idle = 0
		const timer = setInterval(() => {
			const { movedBytes } = this.#messenger
			idle = movedBytes === moved ? idle + LOOK : 0
			moved = movedBytes
			if (idle >= HANDLER_IDLE) this.#finish()
		}, LOOK / MILLISECOND)
		void this.over.then(() => clearInterval(timer))
	}

	#settle(): void {
		const { outgoingDone, incomingDone, rtt, retransmissions } = this.#messenger
		if (!outgoingDone || !incomingDone || this.#lingering !== undefined) return
		const least = LINGER[this.#o.role]
		const linger = Math.max(least, 2 * rtt, retransmissions > 0 ? LINGER_LOSS : 0)
		this.#lingering = setTimeout(() => this.#finish(), linger / MILLISECOND)
	}

	#finish(): void {
		this.#loop.stop()
		this.#pump.close()
		this.#resolve()
	}
}
