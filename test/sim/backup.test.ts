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
