// How much of a flood is looked at. A Hello that finds no room costs little, but a hundred thousand
// a second cost a processor, and the room in the socket that established traffic needs. So once
// more come than looking may cost, the kernel is asked to drop what is no packet of ours, and of
// Hellos all but a part of the sources'. That part moves on and comes round: inside it a client
// that asks again is seen again, which is how the queue of Hellos tells it from a flood.

import { readU32, type Bytes } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import { MILLISECOND, NEVER, SECOND, type Nanos } from '../base/time.ts'

/** Which Hellos may pass: those whose source stands in the window [from, from + width). */
export interface Sieve {
	/** Places of sources: 0 to PLACES - 1, in a circle. */
	readonly from: number
	readonly width: number
	/** Odd secrets of this process that give a source its place. */
	readonly ofAddress: number
	readonly ofPort: number
}

export const PLACES = 65_536

/** Where a source stands. */
export function placeOf({ ofAddress, ofPort }: Sieve, address: number, port: number): number {
	return (Math.imul(address, ofAddress) + Math.imul(port, ofPort)) >>> 16
}

/** What linux/sieve-program.ts has the kernel say of Hellos. */
export function lets(sieve: Sieve, address: number, port: number): boolean {
	return ((placeOf(sieve, address, port) - sieve.from) & (PLACES - 1)) < sieve.width
}

/** How many Hellos are looked at in the time of one answer. */
const LOOKS_PER_ANSWER = 16
/** The share of the processor that looking may take: beside traffic, and with nobody to disturb. */
const SHARE = 0.1
const SHARE_ALONE = 0.4
/** How often load is judged and the window moved. */
const PERIOD: Nanos = 100 * MILLISECOND
/** A source stays in the window for so long, longer than a client waits to ask again. */
const OPEN: Nanos = SECOND
/** After a flood of what is no packet the sieve stays for so long, and then looks again. */
const HOLD: Nanos = 2 * SECOND
/** A window never closes, and widens by so much in a period. */
const WIDTH_MIN = PLACES / 64
const WIDENING = 1.25
/** Batches without a rest after which we cannot keep up: fewer are a moment without a processor. */
const BATCHES_DROWNED = 16

export class Sieving {
	/** What the kernel shall drop; undefined: nothing. A new value whenever it has changed. */
	sieve: Sieve | undefined
	readonly #looksPerNano: number
	readonly #ofAddress: number
	readonly #ofPort: number
	#from = 0
	#width = PLACES
	#periodEnd: Nanos = 0
	#holdUntil: Nanos = 0
	/** In this period: Hellos, what was no packet, the rest; batches, and those with none behind. */
	#hellos = 0
	#garbage = 0
	#others = 0
	#batches = 0
	#rests = 0

	constructor(answerCost: Nanos, random: Random) {
		this.#looksPerNano = LOOKS_PER_ANSWER / answerCost
		const secrets: Bytes = new Uint8Array(8)
		random.fill(secrets, 0, 8)
		this.#ofAddress = readU32(secrets, 0) | 1
		this.#ofPort = readU32(secrets, 4) | 1
	}

	/** One packet was received. */
	saw(what: 'hello' | 'garbage' | 'other'): void {
		if (what === 'hello') this.#hellos++
		else if (what === 'garbage') this.#garbage++
		else this.#others++
	}

	/** A batch was received; more: others wait. alone: there is no traffic to disturb. */
	took(more: boolean, alone: boolean, now: Nanos): void {
		this.#batches++
		if (!more) this.#rests++
		if (now < this.#periodEnd) return
		if (this.#rests > 0 || this.#batches >= BATCHES_DROWNED) this.#turn(alone, now)
	}

	/** While Hellos are dropped unseen, nothing else may wake us. */
	wakeAt(): Nanos {
		return this.sieve === undefined ? NEVER : this.#periodEnd
	}

	#turn(alone: boolean, now: Nanos): void {
		const elapsed = now - this.#periodEnd + PERIOD
		const most = (alone ? SHARE_ALONE : SHARE) * this.#looksPerNano * Math.min(elapsed, 2 * PERIOD)
		this.#judge(most, now)
		this.#periodEnd = now + PERIOD
		this.#hellos = 0
		this.#garbage = 0
		this.#others = 0
		this.#batches = 0
		this.#rests = 0
	}

	#judge(most: number, now: Nanos): void {
		const load = this.#hellos + this.#garbage
		// Who never rests does not see all that comes: what it sees is no measure.
		const drowned = this.#rests === 0 && load > this.#others / 8
		if (load > most || drowned) this.#holdUntil = now + HOLD
		const room = this.#hellos === 0 ? WIDENING : Math.min(WIDENING, most / this.#hellos)
		const factor = drowned ? Math.min(room, 1 / 2) : room
		this.#width = Math.min(PLACES, Math.max(WIDTH_MIN, Math.round(this.#width * factor)))
		if (this.#width === PLACES && now >= this.#holdUntil) {
			this.sieve = undefined
			return
		}
		if (this.sieve?.width === PLACES && this.#width === PLACES) return
		// A source is inside for as long as the window takes to move by its own width.
		this.#from = (this.#from + Math.round((this.#width * PERIOD) / OPEN)) & (PLACES - 1)
		this.sieve = {
			from: this.#from, width: this.#width, ofAddress: this.#ofAddress, ofPort: this.#ofPort,
		}
	}
}
