// What the virtual network does to packets, against what its conditions promise.

import test, { type ExecutionContext } from 'ava'
import { MICROSECOND, MILLISECOND, SECOND, type Nanos } from '../../src/base/time.ts'
import type { Conditions } from './link.ts'
import { ANY_PORT, Network } from './network.ts'
import { Echo, Sink, Source } from './nodes.ts'
import { EventQueue } from './queue.ts'
import { chooseSeed, Rng } from './rng.ts'
import { World } from './world.ts'

const CLIENT = { address: 0x0a000001, port: 40000 }
const SERVER = { address: 0x0a000002, port: 10000 }

interface Traffic {
	count?: number
	n?: number
	interval?: Nanos
}

/** One source and one sink with these conditions between them, until all has arrived. */
function flow(
	t: ExecutionContext, conditions: Partial<Conditions>,
	{ count = 20_000, n = 100, interval = MILLISECOND }: Traffic = {},
) {
	const network = new Network(chooseSeed((line) => t.log(line), 1), conditions)
	const world = new World(network)
	const source = new Source(SERVER, count, n, interval)
	const sink = new Sink()
	const client = world.add('client', source, CLIENT.address, CLIENT.port)
	const server = world.add('server', sink, SERVER.address, SERVER.port)
	const link = network.link(client, server)
	const run = (): void => { while (world.step()); }
	return { network, world, source, sink, client, server, link, run }
}

function inOrder(numbers: readonly number[]): boolean {
	return numbers.every((number, i) => i === 0 || number > numbers[i - 1]!)
}

/** Five standard deviations around the expected count: for a good generator, always. */
function near(t: ExecutionContext, seen: number, of: number, probability: number): void {
	const tolerance = 5 * Math.sqrt(of * probability * (1 - probability))
	t.true(Math.abs(seen - of * probability) <= tolerance, `${seen} of ${of} for ${probability}`)
}

test('a perfect link delivers everything at once, in order', (t) => {
	const { sink, run, world } = flow(t, {}, { count: 1000 })
	run()
	t.is(sink.numbers.length, 1000)
	t.true(inOrder(sink.numbers))
	t.is(world.now, 999 * MILLISECOND)
	t.is(sink.fromAddress, CLIENT.address)
	t.is(sink.fromPort, CLIENT.port)
})

test('latency is exact; jitter stays within its bound and keeps the order', (t) => {
	const jittery = { latency: 30 * MILLISECOND, jitter: 20 * MILLISECOND }
	const { sink, run } = flow(t, jittery)
	run()
	t.is(sink.numbers.length, 20_000)
	t.true(inOrder(sink.numbers))
	const delays = sink.times.map((time, i) => time - sink.numbers[i]! * MILLISECOND)
	t.true(delays.every((delay) => delay >= 30 * MILLISECOND && delay < 50 * MILLISECOND))
	t.true(Math.max(...delays.slice(0, 100)) - Math.min(...delays.slice(0, 100)) > 10 * MILLISECOND)
})

test('loss takes its share, and both directions have their own conditions', (t) => {
	const { network, world, client, server, link, source, run } = flow(t, {})
	world.replace(server, new Echo())
	link.set({ loss: 0.07 })
	network.link(server, client).set({ loss: 0.5 })
	run()
	near(t, link.counts.lost, 20_000, 0.07)
	near(t, network.link(server, client).counts.lost, link.counts.left, 0.5)
	t.is(source.received, network.link(server, client).counts.left)
})

test('bursts lose packets in a row: so many bursts, so long', (t) => {
	const { link, sink, run } = flow(t, { burstStart: 0.01, burstStop: 0.25 })
	run()
	// In the mean 100 good packets, then 4 lost ones.
	const gaps = sink.numbers.filter((number, i) => i > 0 && number > sink.numbers[i - 1]! + 1).length
	t.true(Math.abs(link.counts.lost / 20_000 - 4 / 104) < 0.008)
	t.true(Math.abs(link.counts.lost / gaps - 4) < 0.8, `${link.counts.lost} lost in ${gaps} bursts`)
})

test('duplication, reordering and corruption happen as often as they are asked for', (t) => {
	const { link, sink, run } = flow(t, {
		duplication: 0.1, reordering: 0.05, corruption: 0.02, reorderDelay: 7 * MILLISECOND,
	})
	run()
	const { counts } = link
	near(t, counts.duplicated, 20_000, 0.1)
	near(t, counts.reordered, 20_000 + counts.duplicated, 0.05)
	near(t, counts.corrupted, 20_000 + counts.duplicated, 0.02)
	t.is(sink.numbers.length, 20_000 + counts.duplicated)
	t.false(inOrder(sink.numbers))
})

test('corruption flips exactly one bit of the packet that it damages, never of its twin', (t) => {
	const network = new Network(5, { corruption: 0.5, duplication: 1 })
	const world = new World(network)
	const seen: number[] = []
	world.add('client', new Source(SERVER, 500, 64, MILLISECOND), CLIENT.address, CLIENT.port)
	const sink = new Sink()
	world.add('server', {
		receive(packet) {
			const bits = packet.bytes.subarray(4, packet.length)
				.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)
			seen.push(bits)
			return undefined
		},
		transmit: () => false,
		wakeAt: () => sink.wakeAt(),
		wake: () => sink.wake(),
	}, SERVER.address, SERVER.port)
	while (world.step());
	t.is(seen.length, 1000)
	t.true(seen.every((bits) => bits <= 1))
	near(t, seen.filter((bits) => bits === 1).length, 1000, 0.5 * 60 / 64)
})

test('a rate limit passes its rate to the byte, and no more', (t) => {
	const limited = { bytesPerSecond: 100_000, latency: 5 * MILLISECOND }
	const { sink, run } = flow(t, limited, { count: 1000, n: 972, interval: 0 })
	run()
	// 972 + 28 bytes at 100 kB/s: 10 ms each.
	t.deepEqual(sink.times.slice(0, 3), [15, 25, 35].map((ms) => ms * MILLISECOND))
	t.is(sink.times[999], 10_000 * MILLISECOND + 5 * MILLISECOND)
})

test('a queue is drop-tail in bytes and in packets, and says how full it was', (t) => {
	const burst = { count: 50, n: 972, interval: 0 }
	const byPackets = flow(t, { bytesPerSecond: 100_000, queuePackets: 10 }, burst)
	byPackets.run()
	t.deepEqual(byPackets.sink.numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
	t.is(byPackets.link.counts.queueDropped, 40)
	t.is(byPackets.link.counts.queueHighWaterPackets, 10)

	const byBytes = flow(t, { bytesPerSecond: 100_000, queueBytes: 5000 }, burst)
	byBytes.run()
	t.deepEqual(byBytes.sink.numbers, [0, 1, 2, 3, 4])
	t.is(byBytes.link.counts.queueHighWaterBytes, 5000)

	// Twice the rate is offered: half gets through, and the queue drains as fast as the rate.
	const steady = flow(t, { bytesPerSecond: 100_000, queuePackets: 10 }, {
		count: 4000, n: 972, interval: 5 * MILLISECOND,
	})
	steady.run()
	t.true(Math.abs(steady.sink.numbers.length - 2000) <= 11, `${steady.sink.numbers.length}`)
})

test('conditions change during the run', (t) => {
	const { world, link, sink, run } = flow(t, {}, { count: 1000 })
	world.at(200 * MILLISECOND - 1, () => link.set({ loss: 1 }))
	world.at(300 * MILLISECOND - 1, () => link.set({ loss: 0, latency: 50 * MILLISECOND }))
	run()
	t.is(sink.numbers.length, 900)
	t.is(sink.numbers[200], 300)
	t.is(sink.times[200], 350 * MILLISECOND)
})

test('a route may lead over a shared bottleneck', (t) => {
	const network = new Network(9)
	const world = new World(network)
	const sink = new Sink()
	const server = world.add('server', sink, SERVER.address, SERVER.port)
	const bottleneck = network.makeLink('bottleneck', { bytesPerSecond: 1_000_000, queuePackets: 20 })
	for (let i = 0; i < 4; i++) {
		const source = new Source(SERVER, 1000, 972, MILLISECOND, i * 250 * MICROSECOND)
		const host = world.add(`client ${i}`, source, CLIENT.address + 16 * i, CLIENT.port)
		const access = network.makeLink(`access ${i}`, { latency: (i + 1) * MILLISECOND })
		network.setRoute(host, server, [access, bottleneck])
	}
	while (world.step());
	// Four times 1 MB/s into 1 MB/s, for one second.
	t.is(bottleneck.counts.entered, 4000)
	t.true(Math.abs(sink.numbers.length - 1000) <= 25, `${sink.numbers.length}`)
	t.is(bottleneck.counts.left, sink.numbers.length)
})

test('rebinding moves a host: packets to its old place are lost, its own leave the new', (t) => {
	const { network, world, client, server, source, run } = flow(
		t, { latency: 10 * MILLISECOND }, { count: 100 })
	const echo = new Echo()
	world.replace(server, echo)
	const sources = new Set<number>()
	network.tap((packet) => {
		if (packet.toPort === SERVER.port) sources.add(packet.fromPort)
		return 'pass'
	})
	world.at(50 * MILLISECOND + 1, () => client.rebind(client.endpoints[0]!, CLIENT.address, 41000))
	run()
	t.deepEqual([...sources], [40000, 41000])
	// What was under way or echoed to the old port between 31 ms and 50 ms found nobody.
	t.is(source.received, 80)
	t.is(network.unroutable, 20)
})

test('taps see, change, take away and replay packets', (t) => {
	const { network, world, sink, run } = flow(t, {}, { count: 10 })
	const recorded: Uint8Array[] = []
	network.tap((packet) => {
		const copy = packet.bytes.slice(packet.at, packet.at + packet.n)
		recorded.push(copy)
		if (copy[0] === 3) return 'drop'
		if (copy[0] === 4) packet.bytes[packet.at] = 44
		return 'pass'
	})
	world.at(8 * MILLISECOND + 1, () => {
		network.inject(recorded[2]!, { address: 1, port: 2 }, SERVER, world.now, 5 * MILLISECOND)
	})
	run()
	t.is(recorded.length, 10)
	t.deepEqual(sink.numbers, [0, 1, 2, 44, 5, 6, 7, 8, 9, 2])
	t.is(sink.times[9], 13 * MILLISECOND + 1)
	t.deepEqual([sink.fromAddress, sink.fromPort], [1, 2])
	t.is(network.tapped, 1)
})

test('a host may have several addresses, and every port of one', (t) => {
	const network = new Network(3)
	const world = new World(network)
	const server = world.add('server', new Echo(), SERVER.address, SERVER.port, 1)
	server.bind(SERVER.address, SERVER.port + 1, 2)
	server.bind(0x0a0000ff, ANY_PORT)
	const answers: string[] = []
	network.tap((packet) => {
		if (packet.toPort === CLIENT.port) answers.push(`${packet.fromAddress}:${packet.fromPort}`)
		return 'pass'
	})
	const places = [
		SERVER, { ...SERVER, port: SERVER.port + 1 }, { address: 0x0a0000ff, port: 777 },
	]
	places.forEach((place, i) => {
		world.add(`client ${i}`, new Source(place, 1, 16, 0), CLIENT.address + 16 * i, CLIENT.port)
	})
	while (world.step());
	const asked = places.map((place) => `${place.address}:${place.port}`)
	t.deepEqual(answers.toSorted(), asked.toSorted())
	t.throws(() => server.bind(SERVER.address, SERVER.port), { message: /taken/ })
})

test('too long for the path: vanishes', (t) => {
	const { sink, link, run } = flow(t, { packetBytes: 1000 }, { count: 3, n: 1001 })
	run()
	t.is(sink.numbers.length, 0)
	t.is(link.counts.tooLong, 3)
})

test('the same seed gives the same run; another seed another', (t) => {
	const wild: Partial<Conditions> = {
		latency: 9 * MILLISECOND, jitter: 3 * MILLISECOND, loss: 0.05, burstStart: 0.01,
		duplication: 0.05, reordering: 0.1, corruption: 0.05, bytesPerSecond: 500_000,
		queuePackets: 30,
	}
	function run(seed: number): { hash: number, arrived: number } {
		const network = new Network(seed, wild)
		const world = new World(network)
		world.add('client', new Source(SERVER, 3000, 500, MILLISECOND), CLIENT.address, CLIENT.port)
		world.add('server', new Echo(), SERVER.address, SERVER.port)
		while (world.step());
		return { hash: network.traceHash, arrived: network.arrived }
	}
	t.deepEqual(run(1), run(1))
	t.notDeepEqual(run(1), run(2))
})

test('the event queue agrees with a sorted list', (t) => {
	const rng = new Rng(chooseSeed((line) => t.log(line), 77))
	for (let round = 0; round < 50; round++) {
		const queue = new EventQueue(2)
		const model: { time: number, id: number }[] = []
		for (let i = 0; i < 400; i++) {
			if (rng.chance(0.6) || model.length === 0) {
				const time = rng.below(50)
				queue.push(time, i)
				model.push({ time, id: i })
			} else {
				const earliest = Math.min(...model.map((entry) => entry.time))
				t.is(queue.next(), earliest)
				const at = model.findIndex((entry) => entry.time === earliest)
				t.is(queue.pop(), model.splice(at, 1)[0]!.id)
			}
			t.is(queue.size, model.length)
		}
	}
})

test('the generator is uniform enough, and forks do not depend on later draws', (t) => {
	const rng = new Rng(chooseSeed((line) => t.log(line), 4))
	const counts = new Array<number>(10).fill(0)
	for (let i = 0; i < 100_000; i++) counts[rng.below(10)]!++
	for (const count of counts) near(t, count, 100_000, 0.1)

	const parent = new Rng(8)
	const fork = parent.fork()
	const expected = [fork.next(), fork.next()]
	const again = new Rng(8)
	const other = again.fork()
	for (let i = 0; i < 100; i++) again.next()
	t.deepEqual([other.next(), other.next()], expected)
	t.not(new Rng(SECOND).next(), new Rng(2 * SECOND).next())
})
