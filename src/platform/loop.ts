// Joins one machine with one socket, the clock and a timer, by the drain rule: after any call that
// takes now, drain events and transmit until they say no, then ask wakeAt. Works in bounded turns
// with setImmediate between them, so that a flood never starves timers, files or signals.

import type { Bytes } from '../base/bytes.ts'
import { makeSlot, type Slot } from '../base/slots.ts'
import { MILLISECOND, NEVER, type Nanos } from '../base/time.ts'
import type { Clock } from './clock.ts'
import { PLAIN_MEMORY, type Memory } from './memory.ts'
import type { Udp } from './udp.ts'

/** What the loop needs of a server, client or messenger. */
export interface Machine {
	receive(packet: Slot, now: Nanos): unknown
	transmit(out: Slot, now: Nanos): boolean
	wakeAt(): Nanos
	wake(now: Nanos): void
}

export interface LoopOptions {
	/** Slots of one batch each way: one system call. */
	readonly batch: number
	readonly slotBytes: number
	/**
	 * Drains the machine's events; may write and read streams. Called after input, wake and output.
	 */
	drained(now: Nanos): void
	/** ICMP said that nobody answers there. */
	unreachable?(address: number, port: number, now: Nanos): void
	/**
	 * A wake that is nearer than this is awaited by spinning through setImmediate, while there is
	 * traffic: timers of the event loop are late by up to two milliseconds. 0: never. A Udp with a
	 * wakeAfter of its own spins for SPIN_EXACT at most.
	 */
	readonly spinNanos: Nanos
	/** For the slots. */
	readonly memory?: Memory
}

/**
 * How many batches one turn takes and sends at most: a turn, and the acknowledgment at its end,
 * cost as much as ten packets. No further batch is taken after RECEIVE_TIME.
 */
const RECEIVE_BATCHES = 4
const SEND_BATCHES = 4
const RECEIVE_TIME: Nanos = MILLISECOND / 2
/** Timers longer than this are cut: an early wake is harmless. */
const TIMER_MAX: Nanos = 60_000 * MILLISECOND
/** A wakeAfter costs as much as spinning for so long. */
const SPIN_EXACT: Nanos = 20_000
/** For waits longer than this a millisecond is exact enough. */
const TIMER_EXACT: Nanos = 10 * MILLISECOND

export class Loop {
	/** Turns run so far, and how many of them spun: what an idle process must not do. */
	turns = 0
	spins = 0
	readonly #machine: Machine
	readonly #udp: Udp
	readonly #clock: Clock
	readonly #options: LoopOptions
	readonly #memory: Memory
	readonly #block: Bytes
	readonly #in: Slot[] = []
	readonly #out: Slot[] = []
	/** out[#outFrom, #outTo) is filled but the socket was full. */
	#outFrom = 0
	#outTo = 0
	/** The last batch was full: more of them may wait. */
	#mayWait = false
	#scheduled = false
	#stopped = false
	#timer: NodeJS.Timeout | undefined
	/** When #timer fires; NEVER: none runs. It may fire early, never late. */
	#timerAt: Nanos = NEVER
	/** When a datagram last went in or out: spinning is for traffic, not for idle connections. */
	#trafficAt: Nanos = -NEVER
	/** The socket's wakeAfter works. */
	#exact = false
	readonly #immediate = (): void => {
		this.#scheduled = false
		this.#turn()
	}
	readonly #fired = (): void => {
		this.#timerAt = NEVER
		this.#turn()
	}

	constructor(machine: Machine, udp: Udp, clock: Clock, options: LoopOptions) {
		this.#machine = machine
		this.#udp = udp
		this.#clock = clock
		this.#options = options
		this.#memory = options.memory ?? PLAIN_MEMORY
		const block = this.#memory.allocate(2 * options.batch * options.slotBytes)
		this.#block = block
		for (let i = 0; i < 2 * options.batch; i++) {
			const bytes = block.subarray(i * options.slotBytes, (i + 1) * options.slotBytes)
			;(i < options.batch ? this.#in : this.#out).push(makeSlot(bytes))
		}
	}

	start(): void {
		this.#udp.listen({
			readable: () => this.#turn(),
			unreachable: (address, port) => {
				this.#options.unreachable?.(address, port, this.#clock())
				this.poke()
			},
		})
		this.#exact = this.#udp.wakeAfter(MILLISECOND)
		this.poke()
	}

	/**
	 * The machine was touched from outside (a stream was written, a limit changed): drain it soon.
	 */
	poke(): void {
		if (this.#scheduled || this.#stopped) return
		this.#scheduled = true
		setImmediate(this.#immediate)
	}

	/** Sends what the machine still has to say, as far as the socket takes it, and ends. */
	stop(): void {
		if (this.#stopped) return
		this.#flush(this.#clock())
		this.#stopped = true
		clearTimeout(this.#timer)
		this.#udp.close()
		// Whoever stops us from inside drained still has this turn's packets: after that.
		setImmediate(() => this.#memory.release(this.#block))
	}

	#turn(): void {
		if (this.#stopped) return
		this.turns++
		const now = this.#clock()
		if (this.#timerAt <= now) this.#timerAt = NEVER
		const received = this.#receive(now)
		if (this.#machine.wakeAt() <= now) this.#machine.wake(now)
		this.#options.drained(now)
		if (this.#stopped) return
		const sent = this.#flush(now)
		if (sent > 0) this.#options.drained(now)
		if (received + sent > 0) this.#trafficAt = now
		if (this.#mayWait || sent >= SEND_BATCHES * this.#options.batch) this.poke()
		else this.#await()
	}

	/** Returns how many datagrams came. */
	#receive(now: Nanos): number {
		const { batch } = this.#options
		let received = 0
		for (let batches = 0; batches < RECEIVE_BATCHES; batches++) {
			const n = this.#udp.receiveBatch(this.#in, batch)
			for (let i = 0; i < n; i++) this.#machine.receive(this.#in[i]!, now)
			received += n
			this.#mayWait = n === batch
			if (!this.#mayWait || this.#clock() - now >= RECEIVE_TIME) break
		}
		return received
	}

	/** Returns how many datagrams left. */
	#flush(now: Nanos): number {
		let sent = 0
		for (let batches = 0; batches < SEND_BATCHES; batches++) {
			if (this.#outFrom === this.#outTo) {
				this.#outFrom = 0
				this.#outTo = 0
				while (this.#outTo < this.#out.length) {
					if (!this.#machine.transmit(this.#out[this.#outTo]!, now)) break
					this.#outTo++
				}
				if (this.#outTo === 0) break
			}
			const n = this.#outTo - this.#outFrom
			const done = this.#udp.sendBatch(this.#out, this.#outFrom, n)
			this.#outFrom += done
			sent += done
			if (done < n) break
		}
		return sent
	}

	#await(): void {
		if (this.#stopped || this.#scheduled) return
		// A turn may have taken longer than what is waited for.
		const now = this.#clock()
		const blocked = this.#outFrom < this.#outTo
		const wakeAt = blocked ? now + MILLISECOND : this.#machine.wakeAt()
		const delay = wakeAt - now
		const { spinNanos } = this.#options
		const spin = this.#exact ? Math.min(spinNanos, SPIN_EXACT) : spinNanos
		if (delay <= 0 || (delay < spin && now - this.#trafficAt < MILLISECOND)) {
			this.spins++
			this.poke()
			return
		}
		// A timer that fires too early only asks again; moving it at every packet would cost more.
		if (wakeAt >= this.#timerAt) return
		const wait = Math.min(delay, TIMER_MAX)
		this.#timerAt = now + wait
		if (wait < TIMER_EXACT && this.#udp.wakeAfter(wait)) return
		clearTimeout(this.#timer)
		this.#timer = setTimeout(this.#fired, Math.max(1, Math.round(wait / MILLISECOND)))
	}
}
