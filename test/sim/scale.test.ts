// Three equal gateways behind one anycast address, ten thousand servers behind them, and gateways
// that fail and come back under live connections (drawing: test/sim/site.ts). CURVEGATE_LONG=1:
// every server is visited, and more connections live on.

import test from 'ava'
import { MILLISECOND, SECOND, type Nanos } from '../../src/base/time.ts'
import {
	FRAME_AT, FRAME_BYTES, IPV4_DESTINATION, makeFrame, readAddress,
} from '../../src/gateway/frame.ts'
import { Sealer } from '../../src/gateway/sealed.ts'
import { frameDatagram } from '../../src/platform/datapath.ts'
import { CrowdNode } from './crowd.ts'
import { Network, type Host } from './network.ts'
import { box, ClientNode, messengers } from './peers.ts'
import { Rng } from './rng.ts'
import {
	DOWNLINK, EDGE, Ecmp, EdgeNode, GatewayNode, gatewayPlace, LAN, PORT, PUBLIC, RACK, RackNode,
	serverAddress, WAN,
} from './site.ts'
import { World } from './world.ts'

const LONG = process.env['CURVEGATE_LONG'] !== undefined
const SEED = Number(process.env['SEED'] ?? 1)
const SERVERS = 10_000
const GATEWAYS = 3
const VISITS = LONG ? SERVERS : 1000
const LIVE = LONG ? 100 : 30
/** Both ways of each live connection, at a rate that takes longer than all that happens. */
const LIVE_BYTES = LONG ? 2_000_000 : 500_000
const LIVE_RATE = LONG ? 50_000 : 25_000
const VISIT_BYTES = 100
/** A dead gateway is in the routes for so long: three missed hellos of 300 ms, as BFD has them. */
const DETECTED: Nanos = 900 * MILLISECOND
const CLIENTS = 0x64400000
const VISITORS = 0x64500000
const KEYS = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]

interface Live {
	readonly client: ClientNode
	readonly server: number
	/** What both programs have read, and when that grew last. */
	read: number
	readAt: Nanos
	/** The longest time without anything new, of those that began or ended near a failure. */
	stall: Nanos
}

class Site {
	readonly world: World
	readonly gateways: GatewayNode[] = []
	readonly hosts: Host[] = []
	readonly rack: RackNode
	readonly crowd: CrowdNode
	readonly live: Live[] = []
	/** Packets that dead gateways swallowed. */
	lost = 0
	readonly #random = new Rng(SEED, 5)
	readonly #inward = new Ecmp([0, 1, 2], 0x51ed270b)
	readonly #outward = new Ecmp([0, 1, 2], 0x2545f491)
	readonly #makeLayer = messengers(new Rng(SEED, 6), 2000, undefined, 2 ** 16)
	#sealer = new Sealer({ keys: [KEYS[0]], current: 0 })
	#keys = { keys: [KEYS[0]] as (Uint8Array | undefined)[], current: 0 }

	constructor() {
		const network = new Network(SEED, { latency: 200_000 })
		this.world = new World(network)
		const edge = this.world.add('edge', new EdgeNode(this.#inward), EDGE.address, EDGE.port, 1)
		edge.bind(PUBLIC, PORT, DOWNLINK)
		for (let i = 0; i < GATEWAYS; i++) {
			this.gateways.push(new GatewayNode(this.#keys, this.#random))
			const { address } = gatewayPlace(i, WAN)
			const host = this.world.add(`gateway ${i}`, this.gateways[i]!, address, WAN, WAN)
			host.bind(address, LAN, LAN)
			this.hosts.push(host)
		}
		this.rack = new RackNode(this.#outward, {
			servers: SERVERS, random: this.#random, makeLayer: this.#makeLayer,
			down: (server) => server < LIVE ? LIVE_BYTES : VISIT_BYTES,
			secretKeyOf: (server) => this.#secretOf(server),
		})
		this.world.add('rack', this.rack, RACK.address, RACK.port, 1)
		for (let i = 0; i < LIVE; i++) this.#addLive(i, edge)
		const host = network.addHost('crowd')
		network.between(host, edge, { latency: 15 * MILLISECOND })
		this.crowd = new CrowdNode(host, VISITORS, {
			visits: VISITS - LIVE, interval: 20 * SECOND / VISITS, start: SECOND, places: 1000,
			makeVisitor: (visit, now) => this.#makeClient(LIVE + visit, VISIT_BYTES, now),
		})
		this.world.inhabit(host, this.crowd)
		this.world.invariant(() => this.#watch())
	}

	#secretOf(server: number): Uint8Array {
		const secret = new Uint8Array(32)
		new Rng(SEED, 1000 + server).fill(secret, 0, 32)
		return secret
	}

	#publicOf(server: number): Uint8Array {
		const publicKey = new Uint8Array(32)
		box.publicOf(publicKey, this.#secretOf(server))
		return publicKey
	}

	#addLive(i: number, edge: Host): void {
		const client = this.#makeClient(i, LIVE_BYTES, 0)
		const host = this.world.add(`client ${i}`, client, CLIENTS + i, 5000 + i)
		this.world.network.between(host, edge, {
			latency: (5 + i) * MILLISECOND, jitter: 2 * MILLISECOND, loss: 0.0005,
			bytesPerSecond: LIVE_RATE, queuePackets: 16,
		})
		this.live.push({ client, server: i, read: 0, readAt: 0, stall: 0 })
	}

	/** A client with a sealed extension of its own, and nothing else that leads to its server. */
	#makeClient(server: number, up: number, now: Nanos): ClientNode {
		const serverExtension = new Uint8Array(16)
		this.#sealer.seal(serverExtension, 0, 0, server, this.#random)
		return new ClientNode({
			random: this.#random, server: { publicKey: this.#publicOf(server) },
			hosts: [{ address: PUBLIC, port: PORT }], serverExtension, up, now,
			makeLayer: this.#makeLayer,
		})
	}

	#watch(): void {
		const { now } = this.world
		for (const live of this.live) {
			const read = live.client.program.read + (this.rack.at(live.server)?.programs[0]?.read ?? 0)
			if (read <= live.read) continue
			live.stall = Math.max(live.stall, now - live.readAt)
			live.read = read
			live.readAt = now
		}
	}

	/** It loses all that it knows and all that it is sent; the routes notice later. */
	fail(i: number): void {
		this.gateways[i]!.dead = true
		this.world.after(DETECTED, () => this.#route((members) => members.filter((m) => m !== i)))
	}

	/** Another machine in its place, with the same configuration. */
	comeBack(i: number): void {
		this.lost += this.world.drops(this.hosts[i]!).get('dead') ?? 0
		this.gateways[i] = new GatewayNode(this.#keys, this.#random)
		this.world.replace(this.hosts[i]!, this.gateways[i]!)
		this.#route((members) => [...members, i].sort())
	}

	#route(change: (members: number[]) => number[]): void {
		for (const ecmp of [this.#inward, this.#outward]) ecmp.members = change(ecmp.members)
	}

	/** Gateways learn of a new key one after the other; only then is anything sealed with it. */
	rotate(): void {
		this.#keys = { keys: KEYS, current: 1 }
		this.gateways.forEach((_, i) => {
			this.world.after(i * SECOND, () => this.gateways[i]!.rekey(this.#keys))
		})
		this.world.after(GATEWAYS * SECOND, () => { this.#sealer = new Sealer(this.#keys) })
	}

	/** The worst stall of every live connection since the last question. */
	stalls(): Nanos[] {
		return this.live.map((live) => {
			const { stall } = live
			live.stall = 0
			return stall
		}).sort((a, b) => a - b)
	}

	get isDone(): boolean {
		return this.crowd.done && this.live.every(({ client }) => client.program.done)
	}
}

/** A Hello of nobody's: its extension is made up. */
function strangers(site: Site, count: number): void {
	const { world } = site
	const random = new Rng(SEED, 9)
	for (let i = 0; i < count; i++) {
		const packet = new Uint8Array(224)
		random.fill(packet, 0, packet.length)
		packet.set(new TextEncoder().encode('QvnQ5XlH'))
		// Half of them know what a sealed extension looks like.
		if (i % 2 === 0) packet[8] = 16
		const source = { address: 0xcb007100 + (i & 255), port: 1024 + i }
		world.network.inject(packet, source, { address: PUBLIC, port: PORT }, world.now)
	}
}

test(`each of ${SERVERS} servers is reached through each of ${GATEWAYS} gateways alike`, (t) => {
	const random = new Rng(SEED, 8)
	const keys = { keys: [KEYS[0]], current: 0 }
	const gateways = Array.from({ length: GATEWAYS }, () => new GatewayNode(keys, random))
	const sealer = new Sealer(keys)
	const frame = makeFrame(new ArrayBuffer(FRAME_BYTES), 0)
	const hello = new Uint8Array(224)
	hello.set(new TextEncoder().encode('QvnQ5XlH'))
	const ends = { from: CLIENTS, fromPort: 5000, to: PUBLIC, toPort: PORT }
	for (let server = 0; server < SERVERS; server++) {
		sealer.seal(hello, 8, 0, server, random)
		for (const { forwarder } of gateways) {
			frameDatagram(frame, ends, hello)
			const { action } = forwarder.decide(frame, 'wan', server * MILLISECOND)
			const to = readAddress(frame.bytes, FRAME_AT + IPV4_DESTINATION) >>> 0
			if (action !== 'forward' || to !== serverAddress(server)) t.fail(`server ${server}`)
		}
	}
	t.deepEqual(gateways.map(({ forwarder }) => forwarder.forwardedIn), [SERVERS, SERVERS, SERVERS])
})

const millis = (time: Nanos): number => Math.round(time / MILLISECOND)

test(`gateways fail and come back under ${LIVE} live connections and ${VISITS - LIVE} visits to `
	+ `${SERVERS} servers: nothing is lost (seed ${SEED})`, (t) => {
	const site = new Site()
	const { world, rack, crowd } = site
	const events: [string, number, () => void][] = [
		['one of three fails', 4, () => site.fail(0)],
		['it comes back', 8, () => site.comeBack(0)],
		['two of three fail', 11, () => { site.fail(1); site.fail(2) }],
		['they come back', 15, () => { site.comeBack(1); site.comeBack(2) }],
		['the key is rotated', 16, () => { site.rotate(); strangers(site, 400) }],
	]
	let before = 'nothing happens'
	const report = (): void => {
		const stalls = site.stalls()
		const worst = stalls[LIVE - 1]!
		const stalled = stalls.filter((stall) => stall > DETECTED / 2).length
		t.log(`${before}: ${stalled} of ${LIVE} connections stalled, the longest ${millis(worst)} ms`)
		t.true(worst < DETECTED + 2 * SECOND, `${before}: ${millis(worst)} ms`)
	}
	for (const [what, second, event] of events) {
		world.runFor(second * SECOND - world.now)
		report()
		for (const { client } of site.live) t.is(client.endpoint.state, 'established', what)
		event()
		world.touchAll()
		before = what
	}
	t.true(world.runUntil(() => site.isDone, 120 * SECOND))
	report()
	world.runUntil(() => rack.living === 0, 100 * SECOND)
	t.deepEqual(crowd.failed, [])
	t.deepEqual(rack.wrong, [])
	t.deepEqual(site.live.map(({ client }) => [client.program.read, client.program.wrong]),
		site.live.map(() => [LIVE_BYTES, -1]))
	// One connection each: nobody had to begin again.
	for (let server = 0; server < SERVERS; server++) {
		const visited = server < VISITS
		if (rack.opened[server] !== Number(visited)) t.fail(`server ${server} has opened`)
		const bytes = !visited ? 0 : server < LIVE ? LIVE_BYTES : VISIT_BYTES
		if (rack.read[server] !== bytes) t.fail(`server ${server} has read ${rack.read[server]}`)
	}
	const refused = site.gateways.reduce((sum, { forwarder: { drops } }) =>
		sum + drops.fence + drops.route, 0)
	t.is(refused, 400, 'made-up extensions, and nothing else')
	t.log(`${world.network.sent} packets, ${(world.now / SECOND).toFixed(1)} s, ${rack.highWater} `
		+ `servers at work at once, ${site.lost} packets lost in dead gateways`)
})
