// Backup servers: an address with eight hosts of which some are dead in one way or another.

import test, { type ExecutionContext } from 'ava'
import { MILLISECOND, SECOND, type Nanos } from '../../src/base/time.ts'
import type { Host } from '../../src/endpoint/race.ts'
import { RACE_DELAY } from '../../src/limits.ts'
import { HostMemory } from '../../src/service/host-memory.ts'
import { Network } from './network.ts'
import { ClientNode, ServerNode } from './peers.ts'
import { Rng } from './rng.ts'
import { World } from './world.ts'

const LATENCY = 10 * MILLISECOND
const HOSTS: Host[] = Array.from({ length: 8 }, (_, i) => ({
	address: 100 + i, port: 4000, extension: new Uint8Array(16),
}))
const CLIENT = { address: 1, port: 5000 }

type Death = 'silent' | 'rejecting' | 'wrong key'

interface Raced {
	client: ClientNode
	servers: (ServerNode | undefined)[]
	took: Nanos
	world: World
}

/** The first `dead` of eight hosts are dead; the time until the connection stands. */
function race(t: ExecutionContext, dead: number, death: Death, seed: number): Raced {
	const world = new World(new Network(seed, { latency: LATENCY }))
	const random = new Rng(seed, 5)
	const secretKey = new Uint8Array(32)
	random.fill(secretKey, 0, 32)
	const servers = HOSTS.map(({ address, port }, i) => {
		if (i < dead && death !== 'wrong key') return undefined
		const own = i < dead ? {} : { secretKey }
		const server = new ServerNode({ random, ...own, connections: 2 })
		world.add(`server ${i}`, server, address, port)
		return server
	})
	const alive = servers.find((_, i) => i >= dead)!
	const client = new ClientNode({ random, server: alive, hosts: HOSTS, up: 100 })
	world.add('client', client, CLIENT.address, CLIENT.port)
	if (death === 'rejecting') {
		world.network.tap((packet) => {
			const to = HOSTS.findIndex(({ address }) => address === packet.toAddress)
			if (to >= 0 && to < dead) {
				world.at(world.now + 2 * LATENCY, () => client.endpoint.unreachable(to, world.now))
			}
			return 'pass'
		})
	}
	const stands = (): boolean => ['established', 'timeWait'].includes(client.endpoint.state)
	t.true(world.runUntil(stands, 30 * SECOND))
	return { client, servers, took: world.now, world }
}

for (const death of ['silent', 'rejecting', 'wrong key'] as const) {
	test(`0 to 7 of 8 hosts ${death}: the next one takes its turn, and wins`, (t) => {
		for (let dead = 0; dead < 8; dead++) {
			const { client, servers, took, world } = race(t, dead, death, 40 + dead)
			const most = death === 'rejecting' ? dead * 3 * LATENCY : dead * RACE_DELAY
			t.true(took <= most + 5 * LATENCY, `${dead} dead: ${took / MILLISECOND} ms`)
			t.is(client.endpoint.winner, dead)
			world.runFor(10 * SECOND)
			const opened = servers.map((server) => server?.endpoint.counts.opened ?? 0)
			t.is(opened.reduce((sum, one) => sum + one, 0), 1, 'losers hold no connection')
		}
	})
}

test('one silent host first costs a race delay, seven cost less than two seconds', (t) => {
	const { took: none } = race(t, 0, 'silent', 1)
	const { took: one } = race(t, 1, 'silent', 1)
	const { took: seven } = race(t, 7, 'silent', 1)
	t.true(one - none <= RACE_DELAY)
	t.true(seven < 2 * SECOND)
	t.log(`${none / MILLISECOND}, ${one / MILLISECOND}, ${seven / MILLISECOND} ms`)
})

test('a host that failed goes last, until it answers', (t) => {
	const memory = new HostMemory()
	const order = (): number[] => memory.order(HOSTS.slice(0, 4)).map(({ address }) => address)
	t.deepEqual(order(), [100, 101, 102, 103])
	memory.failed(HOSTS[0]!)
	t.deepEqual(order(), [101, 102, 103, 100])
	memory.failed(HOSTS[2]!)
	t.deepEqual(order(), [101, 103, 100, 102])
	memory.answered(HOSTS[0]!)
	t.deepEqual(order(), [100, 101, 103, 102])
})

test('hosts have extensions of their own, and that of the winner is kept', (t) => {
	const world = new World(new Network(60, { latency: LATENCY }))
	const random = new Rng(60, 5)
	const secretKey = new Uint8Array(32).fill(7)
	const extensions = [1, 2, 3].map((value) => new Uint8Array(16).fill(value))
	const servers = extensions.map((extension) => new ServerNode({ random, secretKey, extension }))
	// The first is silent; the other two share an address, as behind a gateway.
	const hosts = extensions.map((extension, i) => ({ ...HOSTS[Math.min(i, 1)]!, extension }))
	world.add('second', servers[1]!, HOSTS[1]!.address, HOSTS[1]!.port)
	const client = new ClientNode({ random, server: servers[1]!, hosts, up: 100_000 })
	world.add('client', client, CLIENT.address, CLIENT.port)
	t.true(world.runUntil(() => client.program.done, 5 * SECOND))
	t.is(client.endpoint.winner, 1)
	t.is(servers[1]!.programs[0]!.read, 100_000)
	t.is(client.endpoint.drops.extension, 0)
	t.is(servers[1]!.endpoint.drops.extension, 0)
})

test('who moves while it races is answered where it is now', (t) => {
	const world = new World(new Network(61, { latency: 100 * MILLISECOND }))
	const random = new Rng(61, 5)
	const server = new ServerNode({ random })
	const client = new ClientNode({ random, server, hosts: HOSTS.slice(0, 2), up: 100 })
	world.add('server', server, HOSTS[0]!.address, HOSTS[0]!.port)
	const host = world.add('client', client, CLIENT.address, CLIENT.port)
	world.at(50 * MILLISECOND, () => {
		host.rebind(host.endpoints[0]!, CLIENT.address + 1, CLIENT.port)
		client.endpoint.moved(new Uint8Array(16), world.now)
	})
	t.true(world.runUntil(() => client.program.done, 5 * SECOND))
	t.is(client.endpoint.winner, 0)
	t.true(world.now < 250 * MILLISECOND + 4 * 200 * MILLISECOND, `${world.now / MILLISECOND} ms`)
	t.is(server.endpoint.counts.opened, 1)
})

test('who moves after its Initiate says so at once', (t) => {
	const world = new World(new Network(62, { latency: 100 * MILLISECOND }))
	const random = new Rng(62, 5)
	const server = new ServerNode({ random, down: 5000 })
	const client = new ClientNode({ random, server, hosts: HOSTS.slice(0, 1), up: 100 })
	world.add('server', server, HOSTS[0]!.address, HOSTS[0]!.port)
	const host = world.add('client', client, CLIENT.address, CLIENT.port)
	world.at(250 * MILLISECOND, () => {
		t.is(client.endpoint.state, 'initiateSent')
		host.rebind(host.endpoints[0]!, CLIENT.address + 1, CLIENT.port)
		client.endpoint.moved(new Uint8Array(16), world.now)
	})
	t.true(world.runUntil(() => client.program.done, 5 * SECOND))
	t.true(world.now < 1200 * MILLISECOND, `${world.now / MILLISECOND} ms`)
	t.is(server.endpoint.counts.opened, 1)
})

test('a host that gives Cookies and no connection lets the next one have its turn', (t) => {
	const world = new World(new Network(63, { latency: LATENCY }))
	const random = new Rng(63, 5)
	const secretKey = new Uint8Array(32).fill(7)
	const full = new ServerNode({ random, secretKey, name: 'somebody else' })
	const good = new ServerNode({ random, secretKey })
	world.add('full', full, HOSTS[0]!.address, HOSTS[0]!.port)
	world.add('good', good, HOSTS[1]!.address, HOSTS[1]!.port)
	const client = new ClientNode({ random, server: good, hosts: HOSTS.slice(0, 2), up: 100 })
	world.add('client', client, CLIENT.address, CLIENT.port)
	t.true(world.runUntil(() => client.program.done, 15 * SECOND))
	t.is(client.endpoint.winner, 1)
	t.is(client.endpoint.tries, 2)
	t.is(full.endpoint.counts.opened, 0)
	t.true(world.now < 11 * SECOND)
})
