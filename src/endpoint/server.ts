// All servers of one UDP port: their keys, extensions and names, and every connection of theirs.
// Finds the connection of a packet, admits new ones, and takes turns in sending. spec: protocol.md
// 2.1, 2.2

import { Quota } from '../base/quota.ts'
import { RowQueue } from '../base/row-queue.ts'
import type { Random } from '../base/random.ts'
import { TimerHeap } from '../base/heap.ts'
import type { Slot } from '../base/slots.ts'
import { toHex } from '../base/hex.ts'
import { NEVER, type Nanos } from '../base/time.ts'
import { HELLO_TURN, SEND_TURN } from '../limits.ts'
import { classifyToServer, type ToServer } from '../wire/classify.ts'
import { makeDropCounts, type Drop } from '../wire/drop.ts'
import {
	CLIENT_SHORT_TERM_KEY, COOKIE_PACKET_BYTES, INITIATE_SERVER_NAME,
} from '../wire/packets.ts'
import { Connection } from './connection.ts'
import { ANSWER_COST, HelloBudget } from './hello-budget.ts'
import { HelloQueue } from './hello-queue.ts'
import type { Identity } from './identity.ts'
import { ConnectionTable } from './table.ts'

export class ServerEndpoint {
	readonly drops = makeDropCounts()
	/**
	 * Since start: Cookies sent, connections opened, packets accepted from and sent to clients, and
	 * stream bytes of connections that are gone.
	 */
	readonly counts = {
		cookies: 0, opened: 0, received: 0, sent: 0, receivedBytes: 0, sentBytes: 0,
	}
	readonly #identities: Identity[] = []
	/** Taken away, but with connections that live on. */
	readonly #retired = new Set<Identity>()
	readonly #quota: Quota
	readonly #table: ConnectionTable
	readonly #rows: (Connection | undefined)[]
	readonly #free: number[] = []
	readonly #random: Random
	readonly #hellos: HelloQueue
	readonly #budget: HelloBudget
	/** Who may have something to send, who has changed, and when each wants to be woken. */
	readonly #ready: RowQueue
	readonly #changed: RowQueue
	readonly #timers: TimerHeap
	/** Who is in TIME-WAIT, in the order in which they came. */
	readonly #done: RowQueue
	/** Packets that the first of #ready has sent in its turn. */
	#turnCount = 0
	/** Packets of connections since the last Cookie. */
	#sinceHello = 0
	/** When the budget lets the next Hello be answered; counts while one waits. */
	#helloAt: Nanos = 0
	/** Told of by event, freed at the next call. */
	#leaving: Connection | undefined

	/**
	 * quota: connections that this and other ports have together, `connections` of them at most here.
	 * answerCost: the time that the answer to one Hello takes on this machine.
	 */
	constructor(
		connections: number, random: Random, quota = new Quota(connections),
		answerCost: Nanos = ANSWER_COST,
	) {
		this.#quota = quota
		this.#random = random
		this.#hellos = new HelloQueue(random)
		this.#budget = new HelloBudget(answerCost)
		this.#table = new ConnectionTable(connections, random)
		this.#rows = new Array<Connection | undefined>(connections).fill(undefined)
		for (let row = connections - 1; row >= 0; row--) this.#free.push(row)
		this.#ready = new RowQueue(connections)
		this.#changed = new RowQueue(connections)
		this.#timers = new TimerHeap(connections)
		this.#done = new RowQueue(connections)
	}

	/** Connections that are held, TIME-WAIT included. */
	get size(): number {
		return this.#table.size
	}

	/** False: another server of this port has its extension. */
	add(identity: Identity): boolean {
		for (const other of this.#identities) {
			if (other.extension === 'any' ? identity.extension === 'any'
				: identity.extension !== 'any'
					&& toHex(other.extension.current) === toHex(identity.extension.current)) return false
		}
		this.#identities.push(identity)
		// Whoever takes any extension comes last: a server that names its own goes first.
		this.#identities.sort((a, b) => Number(a.extension === 'any') - Number(b.extension === 'any'))
		return true
	}

	/** Nobody new finds it; its connections live on, and its keys until the last of them is gone. */
	retire(identity: Identity): void {
		const place = this.#identities.indexOf(identity)
		if (place < 0) return
		this.#identities.splice(place, 1)
		this.#retired.add(identity)
		this.#purgeRetired(identity)
	}

	*connections(): Generator<Connection> {
		for (const connection of this.#rows) if (connection !== undefined) yield connection
	}

	/** C' of one of them, as text. */
	clientKeyOf({ row }: Connection): string {
		return this.#table.keyOf(row)
	}

	receive(slot: Slot, now: Nanos): Drop | undefined {
		const kind = classifyToServer(slot.bytes, slot.length)
		const drop = kind === 'hello' || kind === 'initiate' || kind === 'clientMessage'
			? this.#receive(slot, kind, now)
			: kind
		if (drop !== undefined) this.drops[drop]++
		else this.counts.received++
		return drop
	}

	transmit(out: Slot, now: Nanos): boolean {
		// Connections that never pause must not shut the door to new ones.
		if (this.#sinceHello >= HELLO_TURN && this.#answerHello(out, now)) return this.#sent()
		for (let row = this.#ready.first(); row >= 0; row = this.#ready.first()) {
			const connection = this.#rows[row]
			const sent = connection !== undefined && connection.state !== 'closed'
				&& connection.transmit(out, now)
			if (!sent || ++this.#turnCount >= SEND_TURN) this.#nextTurn(row, sent)
			if (!sent) continue
			this.#sinceHello++
			this.#budget.traffic(now)
			return this.#sent()
		}
		return this.#answerHello(out, now) && this.#sent()
	}

	wakeAt(): Nanos {
		let at = this.#timers.nextAt()
		if (this.#hellos.size > 0) at = Math.min(at, this.#helloAt)
		for (const { handshake } of this.#identities) at = Math.min(at, handshake.keys.wakeAt())
		return at
	}

	wake(now: Nanos): void {
		for (const { handshake } of this.#identities) handshake.keys.wake(now)
		while (this.#timers.nextAt() <= now) {
			const row = this.#timers.next()
			this.#timers.set(row, NEVER)
			const connection = this.#rows[row]!
			connection.wake(now)
			this.#note(connection)
		}
	}

	/** The next connection that has changed: opened, readable, writable, over. */
	event(now: Nanos): Connection | undefined {
		this.#release(now)
		for (let row = this.#changed.shift(); row >= 0; row = this.#changed.shift()) {
			const connection = this.#rows[row]
			if (connection === undefined) continue
			if (connection.state === 'closed') this.#leaving = connection
			if (connection.state === 'timeWait') this.#done.push(row)
			return connection
		}
		return undefined
	}

	/** The service of this connection has read, written, ended or closed. */
	touch(connection: Connection, now: Nanos): void {
		if (this.#rows[connection.row] !== connection) return
		const { state } = connection
		connection.settle(now)
		this.#ready.push(connection.row)
		if (connection.state !== state) this.#changed.push(connection.row)
	}

	/** Forgets everything and wipes every key. */
	close(now: Nanos): void {
		this.#release(now)
		for (const connection of this.connections()) {
			connection.close('aborted')
			this.#remove(connection, now)
		}
		for (const { handshake } of this.#identities) handshake.purge()
		for (const { handshake } of this.#retired) handshake.purge()
	}

	#receive(slot: Slot, kind: ToServer, now: Nanos): Drop | undefined {
		if (kind !== 'hello') {
			const row = this.#table.find(slot.bytes, CLIENT_SHORT_TERM_KEY)
			if (row >= 0) return this.#deliver(this.#rows[row]!, slot, kind, now)
		}
		const identity = this.#identityOf(slot, now)
		if (identity === undefined) return 'extension'
		switch (kind) {
			case 'hello': return this.#hellos.push(slot, now) ? undefined : 'full'
			case 'initiate': return this.#open(slot, identity, now)
			case 'clientMessage': return 'connection'
		}
	}

	/**
	 * A connection keeps the extension by which it is reached: clients of the reference's kind never
	 * learn of another.
	 */
	#deliver(
		connection: Connection, slot: Slot, kind: 'initiate' | 'clientMessage', now: Nanos,
	): Drop | undefined {
		const { path, identity } = connection
		if (!path.reachedBy(slot) && !identity.owns(slot.bytes, now)) return 'extension'
		const drop = connection.receive(slot, kind, now)
		if (drop === undefined) this.#note(connection)
		return drop
	}

	#identityOf(slot: Slot, now: Nanos): Identity | undefined {
		for (const identity of this.#identities) if (identity.owns(slot.bytes, now)) return identity
		return undefined
	}

	#open(slot: Slot, identity: Identity, now: Nanos): Drop | undefined {
		const isFull = this.#free.length === 0 || this.#quota.isFull
		const replaced = isFull ? this.#longestDone() : undefined
		if (isFull && replaced === undefined) return 'full'
		const proof = identity.handshake.acceptInitiate(slot.bytes, slot.length, now)
		if (typeof proof === 'string') return proof
		const name = identity.nameAt(slot.bytes, INITIATE_SERVER_NAME)
		const refusal = name === undefined ? 'name'
			: name.clients?.has(proof.clientLongTerm) === false ? 'policy' : undefined
		if (name === undefined || refusal !== undefined) {
			proof.session.purge()
			return refusal
		}
		// Only now, so that no packet that proves less can take a row from anybody.
		if (replaced !== undefined) this.#remove(replaced, now)
		const row = this.#free.pop()!
		const connection = new Connection({
			row, identity, name, proof, slot, random: this.#random, now,
		})
		this.#rows[row] = connection
		this.#quota.used++
		this.#table.insert(row, slot.bytes, CLIENT_SHORT_TERM_KEY)
		this.counts.opened++
		this.#note(connection)
		return undefined
	}

	/** Ends a row's turn: at the end of the queue again, or out of it until it is woken. */
	#nextTurn(row: number, sent: boolean): void {
		this.#turnCount = 0
		this.#ready.shift()
		if (sent) this.#ready.push(row)
		else this.#timers.set(row, this.#rows[row]?.wakeAt() ?? NEVER)
	}

	#answerHello(out: Slot, now: Nanos): boolean {
		while (this.#hellos.size > 0) {
			const { isCrowded } = this.#hellos
			if (!this.#budget.take(now, isCrowded)) {
				this.#helloAt = this.#budget.nextAt(now, isCrowded)
				return false
			}
			const hello = this.#hellos.shift()!
			const identity = this.#identityOf(hello, now)
			const drop = identity === undefined ? 'extension'
				: identity.handshake.answerHello(hello.bytes, out.bytes)
			if (drop !== undefined) {
				this.drops[drop]++
				continue
			}
			out.length = COOKIE_PACKET_BYTES
			out.address = hello.address
			out.port = hello.port
			out.local = hello.local
			this.counts.cookies++
			this.#sinceHello = 0
			return true
		}
		return false
	}

	/** Who has been in TIME-WAIT for longest: it has only courtesies left to do. */
	#longestDone(): Connection | undefined {
		for (let row = this.#done.first(); row >= 0; row = this.#done.first()) {
			if (this.#rows[row]?.state === 'timeWait') return this.#rows[row]
			this.#done.shift() // has left it
		}
		return undefined
	}

	#note(connection: Connection): void {
		this.#ready.push(connection.row)
		this.#changed.push(connection.row)
	}

	#sent(): true {
		this.counts.sent++
		return true
	}

	#release(now: Nanos): void {
		if (this.#leaving !== undefined) this.#remove(this.#leaving, now)
		this.#leaving = undefined
	}

	#remove(connection: Connection, now: Nanos): void {
		const { row } = connection
		if (this.#rows[row] !== connection) return
		connection.close('done')
		this.#rows[row] = undefined
		connection.finish(this.#table.keyOf(row), now)
		this.#table.remove(row)
		this.#timers.set(row, NEVER)
		this.#free.push(row)
		this.#longestDone() // the first of #done is never one that has left
		this.#quota.used--
		this.counts.receivedBytes += connection.layer.receivedBytes
		this.counts.sentBytes += connection.layer.sentBytes
		connection.release()
		if (this.#retired.has(connection.identity)) this.#purgeRetired(connection.identity)
	}

	#purgeRetired(identity: Identity): void {
		for (const connection of this.connections()) if (connection.identity === identity) return
		identity.handshake.purge()
		this.#retired.delete(identity)
	}
}
