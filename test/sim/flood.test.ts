// Spoofed Hellos beside a transfer, in virtual time: who is answered, who gets in, and what the
// transfer keeps. The long form, with real sockets and a million Hellos, is a bench.

import test from 'ava'
import { writeU32 } from '../../src/base/bytes.ts'
import { makeSlot, type Slot } from '../../src/base/slots.ts'
import { MILLISECOND, SECOND, type Nanos } from '../../src/base/time.ts'
import { CLIENT_SHORT_TERM_KEY } from '../../src/wire/packets.ts'
import { Puppet, slotOf } from '../support/puppet.ts'
import { Network } from './network.ts'
import { ClientNode, ServerNode } from './peers.ts'
import { Rng } from './rng.ts'
import { World, type Node } from './world.ts'

const SEED = 11
const SERVER = { address: 0x0a000001, port: 4000 }
const CLIENT = { address: 0x0a000002, port: 5000 }
const DURATION: Nanos = 6 * SECOND
const TICK: Nanos = MILLISECOND

/** The server, with a flood that reaches it past the network: it knows nobody's address. */
class Flooded implements Node {
	/** Cookies by the /24 they went to. */
	readonly cookies = new Map<number, number>()
	readonly #server: ServerNode
	readonly #flood: (now: Nanos) => Iterable<Slot>
	/** When there is a transfer to be disturbed. */
	#next: Nanos = SECOND / 2

	constructor(server: ServerNode, flood: (now: Nanos) => Iterable<Slot>) {
		this.#server = server
		this.#flood = flood
	}

	receive(slot: Slot, now: Nanos): string | undefined {
		return this.#server.receive(slot, now)
	}

	transmit(out: Slot, now: Nanos): boolean {
		const before = this.#server.endpoint.counts.cookies
		if (!this.#server.transmit(out, now)) return false
		const prefix = out.address >>> 8
		if (this.#server.endpoint.counts.cookies > before) {
			this.cookies.set(prefix, (this.cookies.get(prefix) ?? 0) + 1)
		}
		return true
	}

	wakeAt(): Nanos {
		return Math.min(this.#server.wakeAt(), this.#next)
	}

	wake(now: Nanos): void {
		this.#server.wake(now)
		if (now < this.#next) return
		this.#next = now + TICK
		for (const hello of this.#flood(now)) this.#server.receive(hello, now)
	}

	turn(now: Nanos): boolean {
		return this.#server.turn(now)
	}
}

type Flood = (random: Rng, server: ServerNode) => (now: Nanos) => Iterable<Slot>

const nothing: Flood = () => () => []

/** 20,000 a second from everywhere, with boxes that do not open. */
const garbage: Flood = (random, server) => {
	const slot = slotOf(new Puppet({ random, serverKey: server.publicKey }).hello(), CLIENT)
	return function* () {
		for (let i = 0; i < 20; i++) {
			slot.address = random.below(2 ** 32)
			writeU32(slot.bytes, CLIENT_SHORT_TERM_KEY, random.below(2 ** 32))
			yield slot
		}
	}
}

/** As many, all good, under one C': what is cheapest to make. */
const valid: Flood = (random, server) => {
	const puppet = new Puppet({ random, serverKey: server.publicKey })
	return function* () {
		for (let i = 0; i < 20; i++) {
			const from = { address: random.below(2 ** 32), port: 1 + random.below(65_535) }
			yield slotOf(puppet.hello(), from)
		}
	}
}

interface Outcome {
	/** What a client that is there from the start has sent. */
	sent: number
	/** How long each newcomer took. */
	waits: Nanos[]
	cookies: ReadonlyMap<number, number>
}

/** A transfer, a flood, and newcomers at 1, 2 and 3 seconds. */
function run(flood: Flood): Outcome {
	const random = new Rng(SEED, 4)
	const conditions = { latency: 10 * MILLISECOND, bytesPerSecond: 1e6, queueBytes: 50_000 }
	const world = new World(new Network(SEED, conditions), { callsMax: 1_000_000 })
	const server = new ServerNode({ random })
	const node = new Flooded(server, flood(random, server))
	world.add('server', node, SERVER.address, SERVER.port)
	const client = new ClientNode({ random, server, hosts: [SERVER], up: 2 ** 30 })
	world.add('client', client, CLIENT.address, CLIENT.port)
	const waits: Nanos[] = []
	for (let i = 0; i < 3; i++) {
		world.at((i + 1) * SECOND, () => {
			const { now } = world
			const newcomer = new ClientNode({ random, server, hosts: [SERVER], up: 100, now })
			world.add(`newcomer ${i}`, newcomer, CLIENT.address + (i + 1) * 65_536, CLIENT.port)
			waits.push(Infinity)
			world.invariant(() => {
				if (waits[i] === Infinity && newcomer.program.done) waits[i] = world.now - now
			})
		})
	}
	world.runUntil(() => false, DURATION)
	return { sent: client.endpoint.layer.sentBytes, waits, cookies: node.cookies }
}

const quiet = run(nothing)

for (const [name, flood] of [['garbage', garbage], ['valid boxes', valid]] as const) {
	test(`${name} from everywhere: the transfer goes on, newcomers get in (seed ${SEED})`, (t) => {
		const { sent, waits } = run(flood)
		t.true(sent > 0.95 * quiet.sent, `${sent} of ${quiet.sent} bytes`)
		const text = waits.map((wait) => (wait / SECOND).toFixed(2)).join()
		t.true(waits.length === 3 && Math.max(...waits) < 3 * SECOND, `${text} s`)
	})
}

test(`eight networks of unlike noise are answered alike (seed ${SEED})`, (t) => {
	const networks = Array.from({ length: 8 }, (_, i) => 0xc0a80000 + 65_536 * i)
	const { cookies } = run((random, server) => {
		const puppets = networks.map(() => new Puppet({ random, serverKey: server.publicKey }))
		const slot = makeSlot(new Uint8Array(1216))
		return function* () {
			for (const [i, puppet] of puppets.entries()) {
				// From 80 to 10,240 a second.
				for (let left = 0.08 * 2 ** i; left > 0; left--) {
					if (left < 1 && random.below(1000) >= left * 1000) break
					slot.bytes.set(puppet.hello())
					slot.length = 224
					slot.address = networks[i]! + random.below(256)
					slot.port = 1 + random.below(65_535)
					yield slot
				}
			}
		}
	})
	const counts = networks.map((network) => cookies.get(network >>> 8) ?? 0)
	const sum = counts.reduce((all, one) => all + one, 0)
	const jain = sum ** 2 / (counts.length * counts.reduce((all, one) => all + one ** 2, 0))
	t.true(jain > 0.9 && sum > 500, `Jain's index ${jain.toFixed(3)}: ${counts.join()}`)
})
