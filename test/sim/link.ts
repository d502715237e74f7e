// One direction of a cable, a radio path or a router's port: what becomes of a packet that enters.
// In this order: burst loss, loss, queue and rate, duplication; then each copy: latency and jitter,
// reordering, corruption. Packets keep their order but for those that reordering holds back.

import { SECOND, type Nanos } from '../../src/base/time.ts'
import type { Rng } from './rng.ts'

export interface Conditions {
	/** Time from the last bit in to the last bit out. */
	latency: Nanos
	/** Up to so much more, uniformly; never past the packet before. */
	jitter: Nanos
	/** Share of packets lost, each for itself. */
	loss: number
	/** Probability, at each packet, that a burst begins, in which all are lost; and that it ends. */
	burstStart: number
	burstStop: number
	/** Share of packets that arrive twice. */
	duplication: number
	/** Share of packets that are held back by up to reorderDelay, so that later ones pass them. */
	reordering: number
	reorderDelay: Nanos
	/** Share of packets in which one bit is flipped: the damage that is hardest to notice. */
	corruption: number
	/** Infinity: no rate limit, and no queue. */
	bytesPerSecond: number
	/** Counted for each packet besides its payload. */
	overheadBytes: number
	/** Drop-tail bounds of what waits for the rate limit, the packet on the wire included. */
	queueBytes: number
	queuePackets: number
	/** Larger payloads vanish, as where fragments are filtered. */
	packetBytes: number
}

export const PERFECT: Readonly<Conditions> = {
	latency: 0,
	jitter: 0,
	loss: 0,
	burstStart: 0,
	burstStop: 0.5,
	duplication: 0,
	reordering: 0,
	reorderDelay: 20e6,
	corruption: 0,
	bytesPerSecond: Infinity,
	overheadBytes: 28,
	queueBytes: Infinity,
	queuePackets: Infinity,
	packetBytes: 1500,
}

export interface LinkCounts {
	entered: number
	/** Lost by chance, one by one or in bursts. */
	lost: number
	queueDropped: number
	tooLong: number
	duplicated: number
	reordered: number
	corrupted: number
	left: number
	leftBytes: number
	queueHighWaterBytes: number
	queueHighWaterPackets: number
}

export class Link {
	readonly name: string
	readonly conditions: Conditions
	readonly counts: LinkCounts = {
		entered: 0, lost: 0, queueDropped: 0, tooLong: 0, duplicated: 0, reordered: 0, corrupted: 0,
		left: 0, leftBytes: 0, queueHighWaterBytes: 0, queueHighWaterPackets: 0,
	}
	/** Of the packet that entered last: when its copies arrive, which bit is flipped (-1: none). */
	readonly arrivals: [Nanos, Nanos] = [0, 0]
	readonly flips: [number, number] = [-1, -1]
	readonly #rng: Rng
	#inBurst = false
	/** The last arrival in order. */
	#lastArrival: Nanos = 0
	readonly #waiting = new Departures()

	constructor(name: string, conditions: Partial<Conditions>, rng: Rng) {
		this.name = name
		this.conditions = { ...PERFECT, ...conditions }
		this.#rng = rng
	}

	/** Changes what is named, from the next packet on. */
	set(conditions: Partial<Conditions>): void {
		Object.assign(this.conditions, conditions)
	}

	/** A payload of n bytes enters: how many copies of it arrive, 0 to 2; see arrivals and flips. */
	enter(n: number, now: Nanos): number {
		const { conditions, counts } = this
		const rng = this.#rng
		counts.entered++
		if (n > conditions.packetBytes) {
			counts.tooLong++
			return 0
		}
		if (this.#inBurst) this.#inBurst = !rng.chance(conditions.burstStop)
		else this.#inBurst = rng.chance(conditions.burstStart)
		if (this.#inBurst || rng.chance(conditions.loss)) {
			counts.lost++
			return 0
		}
		const departure = this.#depart(n + conditions.overheadBytes, now)
		if (departure === undefined) {
			counts.queueDropped++
			return 0
		}
		const copies = rng.chance(conditions.duplication) ? 2 : 1
		counts.duplicated += copies - 1
		for (let copy = 0; copy < copies; copy++) this.#travel(copy, n, departure)
		counts.left += copies
		counts.leftBytes += copies * n
		return copies
	}

	/** When the last bit is on the wire; undefined when the queue is full. */
	#depart(bytes: number, now: Nanos): Nanos | undefined {
		const { bytesPerSecond, queueBytes, queuePackets } = this.conditions
		if (bytesPerSecond === Infinity) return now
		const waiting = this.#waiting
		waiting.forgetUntil(now)
		if (waiting.bytes + bytes > queueBytes || waiting.count >= queuePackets) return undefined
		const departure = Math.max(now, waiting.last) + Math.ceil((bytes * SECOND) / bytesPerSecond)
		waiting.add(departure, bytes)
		const { counts } = this
		counts.queueHighWaterBytes = Math.max(counts.queueHighWaterBytes, waiting.bytes)
		counts.queueHighWaterPackets = Math.max(counts.queueHighWaterPackets, waiting.count)
		return departure
	}

	#travel(copy: number, n: number, departure: Nanos): void {
		const { conditions, counts } = this
		const rng = this.#rng
		let arrival = departure + conditions.latency
		if (conditions.jitter > 0) arrival += Math.floor(rng.unit() * conditions.jitter)
		if (rng.chance(conditions.reordering)) {
			counts.reordered++
			arrival += Math.floor(rng.unit() * conditions.reorderDelay)
		} else {
			arrival = Math.max(arrival, this.#lastArrival)
			this.#lastArrival = arrival
		}
		const flip = n > 0 && rng.chance(conditions.corruption)
		if (flip) counts.corrupted++
		this.arrivals[copy] = arrival
		this.flips[copy] = flip ? rng.below(8 * n) : -1
	}
}

/** Departure times of what waits for the rate limit, in order: a growing ring. */
class Departures {
	/** Waiting now. */
	count = 0
	bytes = 0
	/** The latest departure ever. */
	last: Nanos = 0
	#times = new Float64Array(64)
	#sizes = new Int32Array(64)
	#first = 0

	add(time: Nanos, bytes: number): void {
		if (this.count === this.#sizes.length) this.#grow()
		const at = (this.#first + this.count) & (this.#sizes.length - 1)
		this.#times[at] = time
		this.#sizes[at] = bytes
		this.count++
		this.bytes += bytes
		this.last = time
	}

	forgetUntil(now: Nanos): void {
		while (this.count > 0 && this.#times[this.#first]! <= now) {
			this.bytes -= this.#sizes[this.#first]!
			this.#first = (this.#first + 1) & (this.#sizes.length - 1)
			this.count--
		}
	}

	#grow(): void {
		const size = this.#sizes.length
		const times = new Float64Array(2 * size)
		const sizes = new Int32Array(2 * size)
		for (let i = 0; i < this.count; i++) {
			times[i] = this.#times[(this.#first + i) & (size - 1)]!
			sizes[i] = this.#sizes[(this.#first + i) & (size - 1)]!
		}
		this.#times = times
		this.#sizes = sizes
		this.#first = 0
	}
}
