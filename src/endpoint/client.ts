// One connection as its client holds it: the race for a Cookie, the handshake, and then one session
// with one server. A try whose cookie has aged is followed by a new one under a new C'. A client in
// doubt, after silence or a change of its own place, asks the host that won besides the place where
// it last had the server. spec: 2.3-2.6

import { same, type Bytes } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import type { Slot } from '../base/slots.ts'
import { NEVER, type Nanos } from '../base/time.ts'
import type { Box } from '../crypto/box.ts'
import { ClientHandshake, type ClientIdentity } from '../handshake/client.ts'
import { Path } from '../handshake/path.ts'
import { ALERT, COOKIE_AGE, INITIATE_PATIENCE, TIME_WAIT } from '../limits.ts'
import type { MessageLayer } from '../message/layer.ts'
import { classifyToClient } from '../wire/classify.ts'
import { makeDropCounts, type Drop } from '../wire/drop.ts'
import {
	EXTENSION_BYTES, INITIATE_MESSAGE_MAX, MESSAGE_MAX, PACKET_RECEIVER_EXTENSION,
	PACKET_SENDER_EXTENSION, SERVER_MESSAGE_BOX,
} from '../wire/packets.ts'
import type { Ending } from './connection.ts'
import { Liveness, type LivenessLimits } from './liveness.ts'
import type { OwnExtension } from './own-extension.ts'
import { writeNext } from './outgoing.ts'
import { Race, type Host } from './race.ts'

export interface ClientOptions {
	box: Box
	random: Random
	identity: ClientIdentity
	/** In the order in which they are to be tried; at least one. */
	hosts: readonly Host[]
	ownExtension: OwnExtension
	layer: MessageLayer
	liveness: LivenessLimits
	connectTimeout: Nanos
	now: Nanos
}

type State =
	| { kind: 'racing', race: Race }
	| { kind: 'initiateSent', renewAt: Nanos }
	| { kind: 'established' }
	| { kind: 'timeWait', forgetAt: Nanos }
	| { kind: 'closed' }

export class ClientEndpoint {
	readonly drops = makeDropCounts()
	readonly layer: MessageLayer
	readonly hosts: readonly Host[]
	ending: Ending | undefined
	/** The host that answered; -1 while racing. */
	winner = -1
	/** How long the winner took from its first packet of this try to its Cookie. */
	handshakeNanos: Nanos = 0
	/** Tries so far, each under its own C'. */
	tries = 0
	readonly #o: ClientOptions
	readonly #giveUpAt: Nanos
	readonly #liveness: Liveness
	/** When each host had its first Hello of this try; NEVER: it had none. */
	readonly #helloAt: Nanos[]
	#handshake: ClientHandshake
	#state: State
	/** Where the server is: the winner, or where it has moved to since; undefined while racing. */
	#path: Path | undefined
	/** Nothing was heard since we asked: every other packet goes to the winner, the next one too. */
	#inDoubt = false
	#asksWinner = false
	#changed = false

	constructor(o: ClientOptions) {
		this.#o = o
		this.hosts = o.hosts
		this.layer = o.layer
		this.#giveUpAt = o.now + o.connectTimeout
		this.#liveness = new Liveness(o.liveness, ALERT, o.now)
		this.#helloAt = o.hosts.map(() => NEVER)
		this.#handshake = new ClientHandshake(o.box, o.random, o.identity)
		this.#state = this.#begin(-1, o.now)
	}

	/** The server's long-term public key. */
	get serverKey(): Bytes {
		return this.#o.identity.serverLongTermPublic
	}

	get state(): State['kind'] {
		return this.#state.kind
	}

	receive(slot: Slot, now: Nanos): Drop | undefined {
		const drop = this.#receive(slot, now)
		if (drop !== undefined) this.drops[drop]++
		return drop
	}

	/** Fills out with the next packet; out.local: which host it is for, from 1 on. */
	transmit(out: Slot, now: Nanos): boolean {
		switch (this.#state.kind) {
			case 'racing': return this.#writeHello(this.#state.race, out, now)
			case 'initiateSent':
			case 'established':
			case 'timeWait': return this.#writeMessage(out, now)
			case 'closed': return false
		}
	}

	wakeAt(): Nanos {
		const state = this.#state
		switch (state.kind) {
			case 'racing': return Math.min(state.race.wakeAt(), this.#giveUpAt)
			case 'initiateSent': return Math.min(this.layer.wakeAt(), state.renewAt, this.#giveUpAt)
			case 'established': {
				const path = this.#path!.wakeAt()
				const liveness = this.#liveness.wakeAt(this.layer.mayHaveLeft)
				return Math.min(this.layer.wakeAt(), path, liveness)
			}
			case 'timeWait': return Math.min(this.layer.wakeAt(), state.forgetAt)
			case 'closed': return NEVER
		}
	}

	wake(now: Nanos): void {
		const state = this.#state
		switch (state.kind) {
			case 'racing':
				if (now >= this.#giveUpAt) this.#end('timeout')
				return
			case 'initiateSent':
				this.layer.wake(now)
				if (now >= this.#giveUpAt) this.#end('timeout')
				else if (now >= state.renewAt) this.#renew(now)
				return
			case 'established':
				this.layer.wake(now)
				this.#path!.wake(now)
				this.#live(now)
				return
			case 'timeWait':
				this.layer.wake(now)
				if (now >= state.forgetAt) this.#end('done')
				return
			case 'closed': return
		}
	}

	/** True once after each change: established, readable, writable, over. */
	event(): boolean {
		const changed = this.#changed
		this.#changed = false
		return changed
	}

	/** The program has read, written, ended or closed. */
	touch(now: Nanos): void {
		this.#settle(now)
	}

	/** The network says that a host cannot be reached; it is a hint, and cancels nothing. */
	unreachable(host: number, now: Nanos): void {
		if (this.#state.kind === 'racing') this.#state.race.unreachable(host, now)
	}

	/** Our own address has changed, or may have, or our extension: the server must hear of it. */
	moved(extension: Bytes, now: Nanos): void {
		if (this.#o.ownExtension.change(extension, now) && this.winner >= 0) this.#address()
		if (this.#state.kind === 'racing') this.#state.race.moved(now)
		else if (this.#state.kind !== 'closed') this.#ask(now)
	}

	/** How long ago a host had its first Hello of this try; -Infinity: it had none. */
	waited(host: number, now: Nanos): Nanos {
		return now - this.#helloAt[host]!
	}

	close(_now: Nanos): void {
		this.#end('aborted')
	}

	#receive(slot: Slot, now: Nanos): Drop | undefined {
		const p = slot.bytes
		const kind = classifyToClient(p, slot.length)
		if (kind !== 'cookie' && kind !== 'serverMessage') return kind
		// What the server uses stays good: those of the reference's kind never learn of another.
		if (this.#path?.reachedBy(slot) !== true
			&& !this.#o.ownExtension.accepts(p, PACKET_RECEIVER_EXTENSION, now)) return 'extension'
		return kind === 'cookie' ? this.#readCookie(slot, now) : this.#readMessage(slot, now)
	}

	#readCookie(slot: Slot, now: Nanos): Drop | undefined {
		if (this.#state.kind !== 'racing') return 'cookie'
		const host = this.#hostOf(slot)
		if (host < 0) return 'connection'
		const drop = this.#handshake.readCookie(slot.bytes)
		if (drop !== undefined) return drop
		this.winner = host
		this.#address()
		this.#path = new Path(slot, true, this.#o.random, now)
		this.handshakeNanos = now - this.#helloAt[host]!
		const patience = this.hosts.length > 1 ? INITIATE_PATIENCE : COOKIE_AGE
		this.#state = { kind: 'initiateSent', renewAt: now + patience }
		this.layer.seedRtt(this.handshakeNanos, now)
		// The server may speak only when it was spoken to; data that waits says as much.
		this.layer.ping(now)
		this.#changed = true
		return undefined
	}

	#readMessage(slot: Slot, now: Nanos): Drop | undefined {
		const path = this.#path
		if (path === undefined || this.#state.kind === 'closed') return 'connection'
		if (!this.#isFrom(slot, this.hosts[this.winner]!.extension)) return 'extension'
		const { address, port } = path.active
		if (this.#state.kind === 'initiateSent'
			&& (slot.address !== address || slot.port !== port)) return 'connection'
		const drop = this.#handshake.openMessage(slot.bytes, slot.length)
		if (drop !== undefined) return drop
		if (this.#state.kind === 'initiateSent') this.#state = { kind: 'established' }
		const { layer } = this
		layer.receive(slot.bytes, SERVER_MESSAGE_BOX, slot.length - SERVER_MESSAGE_BOX, now)
		if (this.#handshake.session!.newest && path.observe(slot, layer.lastAckId, now)) {
			layer.newPath(now)
		}
		this.#believe()
		this.#liveness.heard(this.layer.movedBytes, now)
		this.#settle(now)
		this.#changed = true
		return undefined
	}

	#address(): void {
		this.#handshake.address(this.hosts[this.winner]!.extension, this.#o.ownExtension.current)
	}

	#hostOf(slot: Slot): number {
		return this.hosts.findIndex((host, i) => this.#helloAt[i] !== NEVER
			&& host.address === slot.address && host.port === slot.port
			&& this.#isFrom(slot, host.extension))
	}

	#isFrom(slot: Slot, extension: Bytes): boolean {
		return same(slot.bytes, PACKET_SENDER_EXTENSION, extension, 0, EXTENSION_BYTES)
	}

	#writeHello(race: Race, out: Slot, now: Nanos): boolean {
		const turn = race.next(now)
		if (turn < 0) return false
		const host = this.hosts[turn]!
		const own = this.#o.ownExtension.current
		out.length = this.#handshake.writeHello(out.bytes, host.extension, own)
		out.address = host.address
		out.port = host.port
		out.local = turn + 1
		if (this.#helloAt[turn] === NEVER) this.#helloAt[turn] = now
		return true
	}

	#writeMessage(out: Slot, now: Nanos): boolean {
		const handshake = this.#handshake
		const path = this.#path!
		const p = out.bytes
		const at = handshake.messageAt
		const most = handshake.established ? MESSAGE_MAX : INITIATE_MESSAGE_MAX
		const n = writeNext(this.layer, path, p, at, most, now)
		if (n === 0) return false
		const winner = this.hosts[this.winner]!
		let to: { readonly address: number, readonly port: number } = path.target
		if (this.#inDoubt && to === path.active) {
			if (this.#asksWinner) to = winner
			this.#asksWinner = !this.#asksWinner
		}
		out.length = handshake.write(p, n)
		out.address = to.address
		out.port = to.port
		out.local = this.winner + 1
		return true
	}

	/** The server must answer, from wherever it is. */
	#ask(now: Nanos): void {
		this.#inDoubt = true
		this.layer.ping(now)
	}

	#believe(): void {
		this.#inDoubt = false
		this.#asksWinner = false
	}

	/** A first try, or another: new C', new cookie, all hosts again. */
	#begin(last: number, now: Nanos): State {
		this.tries++
		this.winner = -1
		this.#path = undefined
		this.#believe()
		this.#helloAt.fill(NEVER)
		if (!this.#handshake.prepare()) {
			this.ending = 'refused'
			this.#changed = true
			return { kind: 'closed' }
		}
		return { kind: 'racing', race: new Race(this.hosts.length, last, this.#o.random, now) }
	}

	/** The winner left our Initiates without an answer: the others go first now. */
	#renew(now: Nanos): void {
		const { box, random, identity } = this.#o
		this.#handshake.purge()
		this.#handshake = new ClientHandshake(box, random, identity)
		this.#state = this.#begin(this.winner, now)
		this.#changed = true
	}

	#live(now: Nanos): void {
		const verdict = this.#liveness.wake(this.layer.mayHaveLeft, now)
		if (verdict === 'ping') this.#ask(now)
		else if (verdict !== undefined) this.#end(verdict)
		else this.#settle(now)
	}

	#settle(now: Nanos): void {
		if (this.#state.kind !== 'established') return
		if (!this.layer.outgoingDone || !this.layer.incomingDone) return
		this.ending = 'done'
		this.#state = { kind: 'timeWait', forgetAt: now + TIME_WAIT }
		this.#changed = true
	}

	#end(ending: Ending): void {
		if (this.#state.kind === 'closed') return
		this.ending ??= ending
		this.#state = { kind: 'closed' }
		this.#handshake.purge()
		this.#changed = true
	}
}
