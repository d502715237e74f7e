// The relay between two plain sockets: what the faults of the simulated network do in real time.

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import test, { type ExecutionContext } from 'ava'
import { Relay, type RelayOptions } from '../../support/relay.ts'

/** A client, a server that echoes, and the relay between them. */
async function stage(t: ExecutionContext, options: Partial<RelayOptions> = {}) {
	const server = createSocket('udp4')
	const ports = new Set<number>()
	const heard: Buffer[] = []
	server.on('message', (packet, from) => {
		ports.add(from.port)
		heard.push(packet)
		server.send(packet, from.port, from.address)
	})
	server.bind({ address: '127.0.0.1', port: 0 })
	await once(server, 'listening')
	const relay = await Relay.start({
		server: { address: '127.0.0.1', port: server.address().port }, seed: 1, ...options,
	})
	t.teardown(() => {
		server.close()
		relay.close()
	})
	return { server, relay, ports, heard }
}

function client(t: ExecutionContext, relay: Relay): { socket: Socket, answers: Buffer[] } {
	const socket = createSocket('udp4')
	const answers: Buffer[] = []
	socket.on('message', (packet) => answers.push(packet))
	socket.connect(relay.port, '127.0.0.1')
	t.teardown(() => socket.close())
	return { socket, answers }
}

async function until(fact: () => boolean): Promise<void> {
	while (!fact()) await new Promise((resolve) => setTimeout(resolve, 2))
}

async function ask(socket: Socket, text: string): Promise<string> {
	const answer = once(socket, 'message')
	socket.send(text)
	return String((await answer)[0])
}

test('a relay without faults passes everything on, each client through its own port', async (t) => {
	const { relay, ports, heard } = await stage(t)
	const one = client(t, relay)
	const two = client(t, relay)
	await Promise.all([once(one.socket, 'connect'), once(two.socket, 'connect')])
	for (let i = 0; i < 20; i++) {
		t.is(await ask(one.socket, `one ${i}`), `one ${i}`)
		t.is(await ask(two.socket, `two ${i}`), `two ${i}`)
	}
	t.is(ports.size, 2)
	t.deepEqual(new Set(relay.upstreamPorts()), ports)
	t.is(heard.length, 40)
})

test('after rebind the server sees another port, and answers find the client', async (t) => {
	const { server, relay, ports } = await stage(t)
	const { socket, answers } = client(t, relay)
	await once(socket, 'connect')
	t.is(await ask(socket, 'before'), 'before')
	const [old] = ports
	await relay.rebind()
	t.is(await ask(socket, 'after'), 'after')
	t.is(ports.size, 2)
	// What is sent to the old port is lost; what comes later shows that nothing is under way.
	server.send('lost', old!, '127.0.0.1')
	t.is(await ask(socket, 'later'), 'later')
	t.deepEqual(answers.map(String), ['before', 'after', 'later'])
})

test('delay is at least what it should be, and the order is kept', async (t) => {
	const { relay } = await stage(t, { conditions: { latency: 20e6, jitter: 10e6 } })
	const { socket, answers } = client(t, relay)
	await once(socket, 'connect')
	const sent = performance.now()
	for (let i = 0; i < 50; i++) socket.send(String(i))
	await until(() => answers.length === 50)
	t.true(performance.now() - sent >= 40)
	t.deepEqual(answers.map(Number), Array.from({ length: 50 }, (_, i) => i))
})

test('loss, duplication, corruption, and packets that a test takes away', async (t) => {
	const { relay, heard } = await stage(t, {
		toServer: { loss: 0.2, duplication: 0.2, corruption: 0.2 },
		drop: (packet, direction) => direction === 'toServer' && packet[0] === 255,
	})
	const { socket } = client(t, relay)
	await once(socket, 'connect')
	for (let i = 0; i < 200; i++) {
		socket.send(Buffer.alloc(64))
		socket.send(Buffer.alloc(64, 255))
		// A socket that is filled faster than it is emptied loses packets of its own.
		await until(() => relay.entered.toServer === 2 * i + 2)
	}
	const { counts } = relay.links.toServer
	await until(() => heard.length === counts.left)
	t.is(relay.dropped.toServer, 200)
	t.is(counts.entered, 200)
	t.is(heard.length, 200 - counts.lost + counts.duplicated)
	t.is(heard.filter((packet) => packet.some((byte) => byte !== 0)).length, counts.corrupted)
	t.true(counts.lost > 10 && counts.duplicated > 10 && counts.corrupted > 10)
})
