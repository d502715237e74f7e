// A connection as its server holds it: session, path and message layer of one client, and when each
// of them wants to be woken. It knows keys only through its session. spec: protocol.md 2.1, 3.3,
// 4.9

import type { Random } from '../base/random.ts'
import type { Slot } from '../base/slots.ts'
import { NEVER, type Nanos } from '../base/time.ts'
import { Path } from '../handshake/path.ts'
import type { Proof } from '../handshake/server.ts'
import { clientMessageNonce, initiateNonce, serverMessageNonce } from '../handshake/session.ts'
import { TIME_WAIT } from '../limits.ts'
import type { MessageLayer } from '../message/layer.ts'
import type { Drop } from '../wire/drop.ts'
import {
	CLIENT_MESSAGE_BOX, INITIATE_BOX, INITIATE_MESSAGE, KIND_MESSAGE, MESSAGE_MAX, SERVER_MAGIC,
	SERVER_MESSAGE_BOX,
} from '../wire/packets.ts'
import { writeKind } from '../wire/write.ts'
import { Liveness } from './liveness.ts'
import type { Identity, ServedName } from './identity.ts'
import { writeNext } from './outgoing.ts'

/** Why a connection is over; done: both streams ended and were acknowledged. */
export type Ending = 'done' | 'lost' | 'idle' | 'timeout' | 'refused' | 'aborted'

export class Connection {
	/** timeWait: both ends are over, and repeated ones are still acknowledged. */
	state: 'open' | 'timeWait' | 'closed' = 'open'
	ending: Ending | undefined
	readonly row: number
	readonly identity: Identity
	readonly name: ServedName
	readonly layer: MessageLayer
	readonly path: Path
	/** In hex. */
	readonly clientLongTerm: string
	/** The turn of the minute keys in which its Initiate came. */
	readonly #turn: number
	readonly openedAt: Nanos
	readonly #session: Proof['session']
	readonly #liveness: Liveness
	/** When TIME-WAIT ends. */
	#forgetAt: Nanos = NEVER

	constructor(o: {
		row: number, identity: Identity, name: ServedName, proof: Proof, slot: Slot, random: Random,
		now: Nanos,
	}) {
		this.row = o.row
		this.identity = o.identity
		this.name = o.name
		this.layer = o.name.makeLayer(o.now)
		this.path = new Path(o.slot, false, o.random, o.now)
		this.clientLongTerm = o.proof.clientLongTerm
		this.openedAt = o.now
		this.#turn = o.identity.handshake.keys.turn
		this.#session = o.proof.session
		this.#liveness = new Liveness(o.name.liveness, NEVER, o.now)
		this.layer.receive(o.slot.bytes, INITIATE_MESSAGE, o.slot.length - INITIATE_MESSAGE, o.now)
	}

	/** Takes a Message or a repeated Initiate of this connection's client. */
	receive(slot: Slot, kind: 'initiate' | 'clientMessage', now: Nanos): Drop | undefined {
		const initiate = kind === 'initiate'
		const box = initiate ? INITIATE_BOX : CLIENT_MESSAGE_BOX
		const nonce = initiate ? initiateNonce : clientMessageNonce
		const session = this.#session
		const drop = session.open(slot.bytes, box, slot.length - box, nonce)
		if (drop !== undefined) return drop
		const message = initiate ? INITIATE_MESSAGE : CLIENT_MESSAGE_BOX
		const { layer } = this
		layer.receive(slot.bytes, message, slot.length - message, now)
		if (session.newest && this.path.observe(slot, layer.lastAckId, now)) layer.newPath(now)
		this.#liveness.heard(layer.movedBytes, now)
		this.settle(now)
		return undefined
	}

	transmit(out: Slot, now: Nanos): boolean {
		const p = out.bytes
		const n = writeNext(this.layer, this.path, p, SERVER_MESSAGE_BOX, MESSAGE_MAX, now)
		if (n === 0) return false
		writeKind(p, SERVER_MAGIC, KIND_MESSAGE)
		this.path.target.give(out)
		this.#session.seal(p, SERVER_MESSAGE_BOX, n, serverMessageNonce)
		out.length = SERVER_MESSAGE_BOX + n
		return true
	}

	wakeAt(): Nanos {
		if (this.state === 'closed') return NEVER
		// A layer that may not send is not asked: only a packet from its client changes anything.
		const layer = this.path.room > 0 ? this.layer.wakeAt() : NEVER
		if (this.state === 'timeWait') return Math.min(this.#forgetAt, layer)
		const liveness = this.#liveness.wakeAt(this.layer.mayHaveLeft)
		return Math.min(layer, this.path.wakeAt(), liveness)
	}

	wake(now: Nanos): void {
		this.layer.wake(now)
		this.path.wake(now)
		if (this.state === 'timeWait') {
			if (now >= this.#forgetAt) this.close('done')
			return
		}
		const verdict = this.#liveness.wake(this.layer.mayHaveLeft, now)
		if (verdict === 'ping') this.layer.ping(now)
		else if (verdict !== undefined) this.close(verdict)
		else this.settle(now)
	}

	/** Begins TIME-WAIT once both ends are over. */
	settle(now: Nanos): void {
		if (this.state !== 'open' || !this.layer.outgoingDone || !this.layer.incomingDone) return
		this.state = 'timeWait'
		this.ending = 'done'
		this.#forgetAt = now + TIME_WAIT
	}

	/** Ends it at once. The endpoint frees the row at its next look. */
	close(ending: Ending): void {
		if (this.state === 'closed') return
		this.state = 'closed'
		this.ending ??= ending
	}

	/**
	 * The Initiate of its C' must open nothing any more, as long as a minute key still opens its
	 * cookie.
	 */
	finish(clientKey: string, now: Nanos): void {
		const { handshake } = this.identity
		if (handshake.keys.turn <= this.#turn + 1) handshake.finish(clientKey, now)
	}

	/** Wipes the keys and gives all memory back. */
	release(): void {
		this.#session.purge()
		this.layer.release()
	}
}
