// The relay between real sockets on the loopback interface: whose answer reaches whom.

import dgram from 'node:dgram'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { Relay } from '../../../../src/platform/portable/relay.ts'
import { makeGenerator } from '../../../support/generator.ts'
import { CLIENT, SERVER, curvecp } from '../../../support/packets.ts'

const EXTENSION = new Uint8Array(16)
const HELLO = curvecp(CLIENT, 'H', EXTENSION, EXTENSION, 224)
const COOKIE = curvecp(SERVER, 'K', EXTENSION, EXTENSION, 200)
const CLIENT_ADDRESS = 0xc0000202
const PUBLIC_PORT = 4000

async function bind(t: ExecutionContext): Promise<dgram.Socket> {
	const socket = dgram.createSocket('udp4')
	t.teardown(() => socket.close())
	socket.bind(0, '127.0.0.1')
	await once(socket, 'listening')
	return socket
}

test('an answer reaches its client, whoever else was spoken to in between', async (t) => {
	const servers = [await bind(t), await bind(t)]
	const replies: number[] = []
	let arrived = (): void => {}
	const relay = new Relay((_client, clientPort) => {
		replies.push(clientPort)
		arrived()
	}, makeGenerator(1))
	t.teardown(() => relay.close())
	// As datapaths do: one target for all packets, and what is in it changes.
	const target = { address: Uint8Array.from([...EXTENSION.subarray(4), 127, 0, 0, 1]),
		isIpv6: false, port: 0 }
	const asked = servers.map(async (server, i) => {
		const heard = once(server, 'message') as Promise<[Buffer, dgram.RemoteInfo]>
		target.port = server.address().port
		relay.forward(CLIENT_ADDRESS, 30_000 + i, PUBLIC_PORT, target, HELLO)
		return (await heard)[1]
	})
	for (const [i, from] of (await Promise.all(asked)).entries()) {
		const reply = new Promise<void>((resolve, reject) => {
			arrived = resolve
			setTimeout(reject, 60_000, new Error(`server ${i}: its answer was dropped`)).unref()
		})
		servers[i]!.send(COOKIE, from.port, from.address)
		await reply
	}
	t.deepEqual(replies, [30_000, 30_001])
})
