// Two messengers and what lies between them, in virtual time: delay, jitter, loss, repetition, a
// rate and a queue for each direction, all from one seed.

import type { Bytes } from '../../../src/base/bytes.ts'
import { PiecePool } from '../../../src/base/pieces.ts'
import type { Random } from '../../../src/base/random.ts'
import { MILLISECOND, SECOND, type Nanos } from '../../../src/base/time.ts'
import { RECORD_PIECE_BYTES } from '../../../src/message/blocks.ts'
import type { ControllerFactory } from '../../../src/message/congestion/controller.ts'
import { Cubic } from '../../../src/message/congestion/cubic.ts'
import { Messenger } from '../../../src/message/messenger.ts'
import { makeGenerator, type Generator } from '../../support/generator.ts'

export interface LinkOptions {
	delay?: Nanos
	jitter?: Nanos
	loss?: number
	repeat?: number
	/** Bytes a second; the queue holds so many bytes. */
	rate?: number
	queue?: number
	/** Nothing passes in [from, to). */
	blackout?: readonly [Nanos, Nanos]
}

interface Flying {
	at: Nanos
	order: number
	bytes: Bytes
}

export class Link {
	readonly flying: Flying[] = []
	options: LinkOptions
	lost = 0
	carried = 0
	/** The longest that a message waited in the queue. */
	waited: Nanos = 0
	#order = 0
	/** When the line is free again; links may share it. */
	line: { freeAt: Nanos } = { freeAt: 0 }
	readonly #random: Generator
	/** Sees every message; false: it is lost. */
	filter: (p: Bytes, now: Nanos) => boolean = () => true

	constructor(options: LinkOptions, random: Generator) {
		this.options = options
		this.#random = random
	}

	send(p: Bytes, n: number, now: Nanos): void {
		const { delay = 0, jitter = 0, loss = 0, repeat = 0, rate = 0, queue = Infinity } = this.options
		const dark = this.options.blackout
		const copies = this.#chance(repeat) ? 2 : 1
		for (let i = 0; i < copies; i++) {
			const silent = dark !== undefined && now >= dark[0] && now < dark[1]
			let leave = now
			if (rate > 0) {
				const start = Math.max(now, this.line.freeAt)
				if ((start - now) * rate / SECOND > queue) {
					this.lost++
					continue
				}
				if (start - now > this.waited) this.waited = start - now
				leave = start + (n + 80) / rate * SECOND
				this.line.freeAt = leave
			}
			if (!this.filter(p, now) || silent || this.#chance(loss)) {
				this.lost++
				continue
			}
			this.carried++
			const at = leave + delay + this.#random.below(1 + jitter)
			this.#insert({ at, order: this.#order++, bytes: p.slice(0, n) })
		}
	}

	#chance(of: number): boolean {
		return of > 0 && this.#random.below(1e9) < of * 1e9
	}

	#insert(f: Flying): void {
		let i = this.flying.length
		while (i > 0 && this.flying[i - 1]!.at > f.at) i--
		if (i === this.flying.length) this.flying.push(f)
		else this.flying.splice(i, 0, f)
	}
}

export interface SideOptions {
	control?: ControllerFactory
	sendBytes?: number
	receiveBytes?: number
	pieces?: PiecePool
	records?: PiecePool
	granularity?: Nanos
}

export const PIECE = 16384

export function makeMessenger(
	o: SideOptions = {}, random: Random = makeGenerator(1), now = 0,
): Messenger {
	return new Messenger({
		pieces: o.pieces ?? new PiecePool(PIECE, 256),
		records: o.records ?? new PiecePool(RECORD_PIECE_BYTES, 512),
		random,
		control: o.control ?? (() => new Cubic()),
		sendBytes: o.sendBytes ?? 1 << 20,
		receiveBytes: o.receiveBytes ?? 1 << 20,
	}, now)
}

export class Pair {
	now: Nanos = 0
	readonly a: Messenger
	readonly b: Messenger
	readonly toA: Link
	readonly toB: Link
	readonly random: Generator
	/** Timers are this coarse. */
	readonly granularity: Nanos
	/** Something happens at least so often. */
	tick: Nanos = Infinity
	/** What the programs do whenever something may have changed. */
	onStep: () => void = () => {}
	readonly #slot = new Uint8Array(1200)

	constructor(seed: number, link: LinkOptions = {}, a: SideOptions = {}, b: SideOptions = {}) {
		this.random = makeGenerator(seed)
		this.a = makeMessenger(a, this.random)
		this.b = makeMessenger(b, this.random)
		this.toA = new Link({ ...link }, this.random)
		this.toB = new Link({ ...link }, this.random)
		this.granularity = a.granularity ?? 0
	}

	/** When something happens next; what can be sent now was sent. */
	next(): Nanos {
		const arrival = Math.min(this.toA.flying[0]?.at ?? Infinity, this.toB.flying[0]?.at ?? Infinity)
		let wake = Math.min(this.a.wakeAt(), this.b.wakeAt())
		if (wake > this.now) wake = Math.max(wake, this.now + this.granularity)
		return Math.max(this.now, Math.min(arrival, wake, this.now + this.tick))
	}

	/**
	 * Everything that can be sent now is; then time goes on to the next event. False: nothing left.
	 */
	step(until: Nanos): boolean {
		this.onStep()
		this.drain()
		const next = this.next()
		if (next > until || next === Infinity) {
			if (until !== Infinity) this.now = until
			return false
		}
		this.goTo(next)
		return true
	}

	/** Time is next now: what arrives by then is received. */
	goTo(next: Nanos): void {
		this.now = next
		this.#arrive(this.toA, this.a)
		this.#arrive(this.toB, this.b)
		this.a.wake(this.now)
		this.b.wake(this.now)
	}

	/** Runs until done says so; false when time or steps run out first. */
	run(done: () => boolean, until: Nanos = 600 * SECOND, steps = 5e6): boolean {
		for (let i = 0; i < steps; i++) {
			if (done()) return true
			if (!this.step(until)) return done()
		}
		return false
	}

	drain(): void {
		this.#drain(this.a, this.toB)
		this.#drain(this.b, this.toA)
	}

	#arrive(link: Link, side: Messenger): void {
		while (link.flying.length > 0 && link.flying[0]!.at <= this.now) {
			const { bytes } = link.flying.shift()!
			side.receive(bytes, 0, bytes.length, this.now)
		}
	}

	#drain(side: Messenger, link: Link): void {
		for (let i = 0; i < 1e5; i++) {
			const n = side.transmit(this.#slot, 0, 1088, this.now)
			if (n === 0) return
			link.send(this.#slot, n, this.now)
		}
		throw new Error('transmit never ends')
	}
}

/** The byte of a test stream at a position: no shift of it looks like another. */
export function streamByte(position: number, salt = 0): number {
	const x = Math.imul(position + salt, 0x9e3779b1)
	return (x ^ (x >>> 15)) & 255
}

/** Writes and reads a test stream of some length through a messenger, at any pace. */
export class Stream {
	written = 0
	read = 0
	readonly length: number
	readonly salt: number
	/** The first position whose byte came wrong. */
	wrong = -1
	readonly #chunk = new Uint8Array(65536)

	constructor(length: number, salt = 0) {
		this.length = length
		this.salt = salt
	}

	write(to: Messenger, now: Nanos, most = 65536): void {
		for (;;) {
			const n = Math.min(to.writable, this.length - this.written, most, this.#chunk.length)
			if (n <= 0) return
			for (let i = 0; i < n; i++) this.#chunk[i] = streamByte(this.written + i, this.salt)
			const count = to.write(this.#chunk, 0, n, now)
			this.written += count
			if (count < n || most < 65536) return
		}
	}

	readFrom(from: Messenger, now: Nanos, most = Infinity): void {
		let left = most
		while (left > 0) {
			const n = from.read(this.#chunk, 0, Math.min(this.#chunk.length, left), now)
			if (n === 0) return
			for (let i = 0; i < n; i++) {
				if (this.#chunk[i] !== streamByte(this.read + i, this.salt) && this.wrong < 0) {
					this.wrong = this.read + i
				}
			}
			this.read += n
			left -= n
		}
	}
}

export { MILLISECOND, SECOND }
