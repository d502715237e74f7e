// Many short visits, one after the other and some hundred at once: each by a client of its own, to
// a server of its own, from an address and port of its own.

import type { Slot } from '../../src/base/slots.ts'
import { MILLISECOND, NEVER, type Nanos } from '../../src/base/time.ts'
import type { Endpoint, Host } from './network.ts'
import type { ClientNode } from './peers.ts'
import type { Node } from './world.ts'

/** How long a client stays after its streams are done: the server's last words. */
const STAY: Nanos = 500 * MILLISECOND
const FIRST_PORT = 1024

export interface CrowdOptions {
	readonly visits: number
	/** Between one start and the next. */
	readonly interval: Nanos
	readonly start: Nanos
	/** Visitors at once; later ones wait. */
	readonly places: number
	makeVisitor(visit: number, now: Nanos): ClientNode
}

interface Visitor {
	readonly node: ClientNode
	readonly visit: number
	doneAt: Nanos
}

export class CrowdNode implements Node {
	/** Visits whose streams were whole, and the numbers of the others. */
	whole = 0
	readonly failed: number[] = []
	readonly #options: CrowdOptions
	readonly #places: Endpoint[]
	readonly #host: Host
	/** By place. */
	readonly #visitors: (Visitor | undefined)[]
	readonly #free: number[] = []
	readonly #ready = new Set<number>()
	readonly #wakes: Float64Array
	#begun = 0
	#next: Nanos

	/** address: of the first place; one each. */
	constructor(host: Host, address: number, options: CrowdOptions) {
		this.#options = options
		this.#host = host
		this.#visitors = new Array<Visitor | undefined>(options.places).fill(undefined)
		this.#wakes = new Float64Array(options.places).fill(NEVER)
		this.#places = Array.from({ length: options.places }, (_, place) => {
			this.#free.push(place)
			return host.bind(address + place, FIRST_PORT, place)
		})
		this.#next = options.start
	}

	get done(): boolean {
		return this.whole + this.failed.length === this.#options.visits
	}

	receive(packet: Slot, now: Nanos): string | undefined {
		const visitor = this.#visitors[packet.local]
		if (visitor === undefined) return 'gone'
		this.#ready.add(packet.local)
		return visitor.node.receive(packet, now)
	}

	turn(now: Nanos): boolean {
		let busy = false
		for (const place of this.#ready) busy = this.#visitors[place]?.node.turn(now) === true || busy
		return busy
	}

	transmit(out: Slot, now: Nanos): boolean {
		for (const place of this.#ready) {
			const visitor = this.#visitors[place]
			if (visitor?.node.transmit(out, now) === true) {
				out.local = place
				return true
			}
			this.#ready.delete(place)
			if (visitor === undefined) continue
			const { node } = visitor
			if (node.program.done && visitor.doneAt === NEVER) visitor.doneAt = now + STAY
			this.#wakes[place] = Math.min(node.wakeAt(), visitor.doneAt)
			this.#next = Math.min(this.#next, this.#wakes[place]!)
		}
		return false
	}

	wakeAt(): Nanos {
		return this.#next
	}

	wake(now: Nanos): void {
		if (now < this.#next) return
		this.#begin(now)
		this.#next = this.#nextStart(now)
		this.#visitors.forEach((visitor, place) => {
			if (visitor === undefined) return
			if (this.#wakes[place]! > now) {
				this.#next = Math.min(this.#next, this.#wakes[place]!)
				return
			}
			visitor.node.wake(now)
			this.#ready.add(place)
			const { state } = visitor.node.endpoint
			if (now >= visitor.doneAt || state === 'closed') this.#end(place, visitor)
		})
	}

	#nextStart(now: Nanos): Nanos {
		const { visits, interval, start } = this.#options
		if (this.#begun === visits) return NEVER
		const at = start + this.#begun * interval
		return this.#free.length > 0 ? at : Math.max(at, now + interval)
	}

	#begin(now: Nanos): void {
		const { start, interval, visits } = this.#options
		while (this.#begun < visits && start + this.#begun * interval <= now) {
			const place = this.#free.shift()
			if (place === undefined) return
			const visit = this.#begun++
			const { address, port } = this.#places[place]!
			this.#host.rebind(this.#places[place]!, address, port + 1)
			this.#visitors[place] = {
				node: this.#options.makeVisitor(visit, now), visit, doneAt: NEVER,
			}
			this.#wakes[place] = now
		}
	}

	#end(place: number, { node, visit }: Visitor): void {
		if (node.program.done && node.program.wrong < 0) this.whole++
		else this.failed.push(visit)
		this.#visitors[place] = undefined
		this.#wakes[place] = NEVER
		this.#ready.delete(place)
		this.#free.push(place)
	}
}
