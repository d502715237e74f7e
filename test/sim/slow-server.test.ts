// A server whose processor takes its time: looking at a Hello costs it something, answering one
// fifty times as much, and what it does not fetch in time the kernel drops. Under a flood beyond
// its answers a client that asks again must get in.

import test from 'ava'
import { MILLISECOND, SECOND, type Nanos } from '../../src/base/time.ts'
import { makeSlot, type Slot } from '../../src/base/slots.ts'
import { ANSWER_COST } from '../../src/endpoint/hello-budget.ts'
import { CLIENT_SHORT_TERM_KEY, KIND_COOKIE, PACKET_KIND } from '../../src/wire/packets.ts'
import { Puppet, slotOf } from '../support/puppet.ts'
import { ServerNode } from './peers.ts'
import { Rng } from './rng.ts'

const SEEDS = [1, 2, 3, 4, 5, 6]
const LOOK: Nanos = ANSWER_COST / 50
/** Hellos a second, nearly five times what can be answered. */
const FLOOD = 9000
/** Datagrams that the kernel keeps for us. */
const ROOM = 512
/** What the loop takes and sends in one turn at most. */
const TAKEN = 256
const SENT = 256
const NEWCOMER = { address: 0x0a000002, port: 5000 }
/** Its first wait, the longest that the reference's client has. spec: protocol.md 2.3 */
const WAIT: Nanos = 2 * SECOND

class SlowServer {
	now: Nanos = 0
	readonly #server: ServerNode
	readonly #arrivals: (now: Nanos) => Iterable<Slot>
	#waiting: Slot[] = []

	constructor(server: ServerNode, arrivals: (now: Nanos) => Iterable<Slot>) {
		this.#server = server
		this.#arrivals = arrivals
	}

	/** One turn of the loop, which reads the clock once; whether the newcomer was answered. */
	turn(out: Slot): boolean {
		for (const slot of this.#arrivals(this.now)) {
			if (this.#waiting.length < ROOM) this.#waiting.push(slot)
		}
		const turn = this.now
		const taken = this.#waiting.splice(0, TAKEN)
		for (const slot of taken) this.#server.receive(slot, turn)
		this.now += taken.length * LOOK
		if (this.#server.wakeAt() <= turn) this.#server.wake(turn)
		let isAnswered = false
		for (let sent = 0; sent < SENT && this.#transmit(out, turn); sent++) {
			isAnswered ||= out.bytes[PACKET_KIND] === KIND_COOKIE && out.address === NEWCOMER.address
		}
		if (this.now === turn) this.now += MILLISECOND / 10
		return isAnswered
	}

	/** Bad boxes are opened as well as good ones, and cost as much. */
	#transmit(out: Slot, turn: Nanos): boolean {
		const { drops, counts } = this.#server.endpoint
		const before = drops.box + counts.cookies
		const sent = this.#server.transmit(out, turn)
		this.now += (drops.box + counts.cookies - before) * ANSWER_COST
		return sent
	}
}

for (const seed of SEEDS) {
	test(`who asks again is answered, whatever else comes (seed ${seed})`, (t) => {
		const random = new Rng(seed, 4)
		const server = new ServerNode({ random })
		const bad = new Puppet({ random, serverKey: server.publicKey }).hello()
		const newcomer = slotOf(new Puppet({ random, serverKey: server.publicKey }).hello(), NEWCOMER)
		const first = SECOND / 2 + random.below(SECOND / 2)
		const asks = [first, first + WAIT]
		let came = 0
		const slow = new SlowServer(server, function* (now) {
			for (; came < now * FLOOD / SECOND; came++) {
				if (asks.length > 0 && came * SECOND / FLOOD >= asks[0]!) {
					asks.shift()
					yield newcomer
				}
				const slot = makeSlot(bad.slice())
				slot.length = bad.length
				slot.address = random.below(2 ** 32)
				slot.port = 1 + random.below(65_535)
				random.fill(slot.bytes, CLIENT_SHORT_TERM_KEY, 32)
				yield slot
			}
		})
		const out = makeSlot(new Uint8Array(1216))
		const latest = first + WAIT + SECOND / 2
		let isIn = false
		while (!isIn && slow.now < latest) isIn = slow.turn(out)
		t.true(isIn, `asked ${2 - asks.length} times`)
	})
}
