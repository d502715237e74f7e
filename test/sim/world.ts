// The world: machines on a network in virtual time. One step drains every machine that something
// has happened to, then jumps to the earliest arrival, wakeAt or appointment. Nothing sleeps, and a
// machine that keeps the world busy without letting time pass is reported as the bug that it is.

import type { Slot } from '../../src/base/slots.ts'
import { makeSlot } from '../../src/base/slots.ts'
import { NEVER, type Nanos } from '../../src/base/time.ts'
import { CELL_BYTES, type Host, type Network } from './network.ts'
import { EventQueue } from './queue.ts'

/** What the world needs of a machine: four of the six verbs, and the application beside it. */
export interface Node {
	/** A drop reason, or nothing. The bytes are borrowed for this call. */
	receive(packet: Slot, now: Nanos): string | undefined
	transmit(out: Slot, now: Nanos): boolean
	wakeAt(): Nanos
	wake(now: Nanos): void
	/** The application: takes events, reads and writes streams. True: it did something. */
	turn?(now: Nanos): boolean
}

export interface WorldOptions {
	start?: Nanos
	/** Calls into machines without time moving, after which the world refuses to go on. */
	callsMax?: number
}

interface Inhabitant {
	readonly host: Host
	readonly node: Node
	/** Its place among the inhabitants. */
	readonly index: number
	/** What it refused, by reason. */
	readonly drops: Map<string, number>
	dirty: boolean
}

export class World {
	now: Nanos
	readonly network: Network
	/** Steps so far: times at which something happened. */
	steps = 0
	readonly #callsMax: number
	readonly #inhabitants: Inhabitant[] = []
	readonly #byHost: (Inhabitant | undefined)[] = []
	#wakes = new Float64Array(16).fill(NEVER)
	readonly #dirty: Inhabitant[] = []
	readonly #appointments = new EventQueue(16)
	readonly #actions: (() => void)[] = []
	readonly #invariants: (() => void)[] = []
	readonly #slot: Slot = makeSlot(new Uint8Array(CELL_BYTES))
	/** Calls since time moved last. */
	#calls = 0

	constructor(network: Network, options: WorldOptions = {}) {
		this.network = network
		this.now = options.start ?? 0
		this.#callsMax = options.callsMax ?? 100_000
	}

	/** A host with a machine, at its first address. Bind more on the host that this returns. */
	add(name: string, node: Node, address: number, port: number, local = 0): Host {
		const host = this.network.addHost(name)
		host.bind(address, port, local)
		this.inhabit(host, node)
		return host
	}

	inhabit(host: Host, node: Node): void {
		const index = this.#inhabitants.length
		const inhabitant: Inhabitant = { host, node, index, drops: new Map(), dirty: false }
		this.#inhabitants.push(inhabitant)
		this.#byHost[host.index] = inhabitant
		if (index === this.#wakes.length) {
			const wakes = new Float64Array(2 * index).fill(NEVER)
			wakes.set(this.#wakes)
			this.#wakes = wakes
		}
		this.#touch(inhabitant)
	}

	/** From now on another machine answers there: a restart. */
	replace(host: Host, node: Node): void {
		const index = this.#byHost[host.index]?.index
		if (index === undefined) throw new Error(`${host.name} has no machine`)
		const inhabitant: Inhabitant = { host, node, index, drops: new Map(), dirty: false }
		this.#inhabitants[index] = inhabitant
		this.#byHost[host.index] = inhabitant
		this.#touch(inhabitant)
	}

	/** What a machine refused so far, by reason. */
	drops(host: Host): ReadonlyMap<string, number> {
		const inhabitant = this.#byHost[host.index]
		if (inhabitant === undefined) throw new Error(`${host.name} has no machine`)
		return inhabitant.drops
	}

	/** Does this at that time; conditions, addresses and machines may be changed in it. */
	at(time: Nanos, action: () => void): void {
		if (time < this.now) throw new Error('an appointment in the past')
		this.#appointments.push(time, this.#actions.push(action) - 1)
	}

	after(delay: Nanos, action: () => void): void {
		this.at(this.now + delay, action)
	}

	/** Checked after every step; throws when it does not hold. */
	invariant(check: () => void): void {
		this.#invariants.push(check)
	}

	/** Every machine is asked again: for whoever used one outside its turn. runUntil does it too. */
	touchAll(): void {
		for (const inhabitant of this.#inhabitants) this.#touch(inhabitant)
	}

	/** False when nothing will ever happen again, or nothing until then; time has not moved then. */
	step(until: Nanos = NEVER): boolean {
		this.#drain()
		let next = Math.min(this.network.nextArrival(), this.#appointments.next())
		const wakes = this.#wakes
		const count = this.#inhabitants.length
		for (let i = 0; i < count; i++) if (wakes[i]! < next) next = wakes[i]!
		if (next === NEVER || next > until) return false
		if (next > this.now) {
			this.now = next
			this.#calls = 0
		}
		this.steps++
		this.#happen()
		this.#drain()
		for (const check of this.#invariants) check()
		return true
	}

	/** Goes on until the condition holds (true) or that much time has passed (false). */
	runUntil(condition: () => boolean, patience: Nanos): boolean {
		const end = this.now + patience
		this.touchAll()
		this.#drain()
		while (!condition()) {
			if (this.step(end)) continue
			if (this.now < end && end !== NEVER) this.now = end
			return condition()
		}
		return true
	}

	runFor(duration: Nanos): void {
		this.runUntil(() => false, duration)
	}

	/** Arrivals, wake-ups and appointments that are due now, in this order. */
	#happen(): void {
		const { now, network } = this
		const slot = this.#slot
		let host: Host | undefined
		while ((host = network.arrive(slot, now)) !== undefined) {
			const inhabitant = this.#byHost[host.index]
			if (inhabitant === undefined) continue
			this.#count(inhabitant)
			const drop = inhabitant.node.receive(slot, now)
			if (drop !== undefined) {
				inhabitant.drops.set(drop, (inhabitant.drops.get(drop) ?? 0) + 1)
			}
			// Its answer leaves before it sees another packet: the drain rule.
			this.#settle(inhabitant)
		}
		for (let i = 0; i < this.#inhabitants.length; i++) {
			if (this.#wakes[i]! > now) continue
			const inhabitant = this.#inhabitants[i]!
			this.#count(inhabitant)
			inhabitant.node.wake(now)
			this.#settle(inhabitant)
		}
		while (this.#appointments.next() <= now) {
			this.#calls++
			this.#actions[this.#appointments.pop()]!()
			this.touchAll()
		}
	}

	#touch(inhabitant: Inhabitant): void {
		if (inhabitant.dirty) return
		inhabitant.dirty = true
		this.#dirty.push(inhabitant)
	}

	#drain(): void {
		let inhabitant: Inhabitant | undefined
		while ((inhabitant = this.#dirty.pop()) !== undefined) this.#settle(inhabitant)
	}

	/** Application and transmit in turn until both say no; then the machine's next time to wake. */
	#settle(inhabitant: Inhabitant): void {
		const { host, node } = inhabitant
		const slot = this.#slot
		inhabitant.dirty = false
		let busy = true
		while (busy) {
			busy = node.turn?.(this.now) ?? false
			if (busy) this.#count(inhabitant)
			for (;;) {
				slot.length = 0
				slot.local = 0
				this.#count(inhabitant)
				if (!node.transmit(slot, this.now)) break
				this.network.send(host, slot, this.now)
				busy = true
			}
		}
		const wake = node.wakeAt()
		if (Number.isNaN(wake)) throw new Error(`${host.name} does not know when to wake`)
		this.#wakes[inhabitant.index] = wake
	}

	#count(inhabitant: Inhabitant): void {
		if (++this.#calls <= this.#callsMax) return
		throw new Error(
			`${inhabitant.host.name} is busy at ${this.now} ns without end (seed ${this.network.seed})`,
		)
	}
}
