// NaCl's curvecpclient and curvecpmessage against our server: every way in which a stream can
// begin, move and end. CURVEGATE_LONG=1: the sizes and numbers of the full table.

import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { MILLISECOND, NEVER, SECOND } from '../../src/base/time.ts'
import { Messenger } from '../../src/message/messenger.ts'
import { makeGenerator } from '../support/generator.ts'
import { needs } from '../support/needs.ts'
import { startOurServer, type OurServer } from '../support/our-server.ts'
import { makeFolder, until } from '../support/processes.ts'
import { startReferenceClient, type Whereabouts } from '../support/reference.ts'
import { Relay } from '../support/relay.ts'

const tools = needs('curvecpclient', 'curvecpmessage')
const LONG = process.env['CURVEGATE_LONG'] !== undefined
const MEGABYTE = 1_048_576

const UPLOAD = ['sh', '-c', 'cat >&7; exec 7>&-; cat <&6 >/dev/null']
const LISTEN = ['sh', '-c', 'exec 7>&-; cat <&6']

function randomBytes(n: number, seed: number): Uint8Array {
	const bytes = new Uint8Array(n)
	makeGenerator(seed).fill(bytes, 0, n)
	return bytes
}

async function echo(
	t: ExecutionContext, to: Whereabouts, bytes: number, seed: number,
): Promise<void> {
	const sent = randomBytes(bytes, seed)
	const client = startReferenceClient(t, to)
	client.feed(sent)
	t.deepEqual(await client.ended, { code: 0, signal: null }, client.stderr())
	t.true(Buffer.compare(client.stdout(), sent) === 0, 'every byte came back')
}

/** All that a connection had is given back. */
function isFree({ server }: OurServer): boolean {
	return server.programs.running === 0
		&& [...server.endpoint.connections()].every(({ state }) => state !== 'open')
}

for (const [title, bytes] of [['empty stream', 0], ['1 byte', 1], ['1 MB', MEGABYTE]] as const) {
	tools(`our server: ${title}`, async (t) => {
		await echo(t, await startOurServer(t, 'echo'), bytes, 1)
	})
}

tools(`our server: ${LONG ? 20 : 2} MB both ways at once`, async (t) => {
	const server = await startOurServer(t, 'exec:cat')
	const bytes = (LONG ? 20 : 2) * MEGABYTE
	await echo(t, server, bytes, 2)
	await until(() => server.server.programs.running === 0, 'the end of cat')
})

tools('our server: half-close, client first', async (t) => {
	// wc says nothing before its input has ended.
	const client = startReferenceClient(t, await startOurServer(t, 'exec:wc -c'))
	client.feed('12345')
	t.is((await client.ended).code, 0)
	t.is(client.stdout().toString().trim(), '5')
})

tools('our server: half-close, server first', async (t) => {
	const folder = makeFolder(t)
	const got = join(folder, 'got')
	// Closes its output at once, and goes on to read.
	const server = await startOurServer(t, `exec:sh -c 'echo first; exec >&-; cat >"${'$'}0"' ${got}`)
	const program = ['sh', '-c', 'cat <&6; echo second >&7; exec 7>&-']
	const client = startReferenceClient(t, server, { program })
	t.is((await client.ended).code, 0)
	t.is(client.stdout().toString(), 'first\n')
	const other = await startOurServer(t, `exec:cat ${got}`)
	const reader = startReferenceClient(t, other, { program: LISTEN })
	t.is((await reader.ended).code, 0)
	t.is(reader.stdout().toString(), 'second\n')
})

for (const [title, drop, wrong] of [
	['wrong name', 'name', { name: 'SERVER.example' }],
	['wrong key', 'box', { publicKey: '09'.repeat(32) }],
	['wrong extension', 'extension', { extension: '00'.repeat(16) }],
] as const) {
	tools(`our server: ${title}`, async (t) => {
		const server = await startOurServer(t, 'echo')
		const client = startReferenceClient(t, { ...server, ...wrong })
		client.feed('x')
		await client.until(() => server.server.endpoint.drops[drop] > 0, `a drop for ${drop}`)
		t.is(server.server.endpoint.counts.opened, 0)
	})
}

tools('our server: client not in the list', async (t) => {
	const server = await startOurServer(t, 'echo', { clients: ['09'.repeat(32)] })
	const client = startReferenceClient(t, server)
	client.feed('x')
	await client.until(() => server.server.endpoint.drops.policy > 0, 'a drop for policy')
	t.is(server.server.endpoint.counts.opened, 0)
})

tools('our server: server full', async (t) => {
	const server = await startOurServer(t, 'exec:cat', { limits: { connections: 1 } })
	const first = startReferenceClient(t, server, { first: 'server' })
	await first.until(() => server.server.programs.running === 1, 'the first connection')
	const second = startReferenceClient(t, server)
	second.feed('second')
	await second.until(() => server.server.endpoint.drops.full > 0, 'a refusal')
	t.true(server.lines.some((line) => line.startsWith('warn full connections=1')))
	// Its row is in TIME-WAIT then, and given to who needs it.
	first.feed('')
	t.is((await first.ended).code, 0)
	t.is((await second.ended).code, 0)
	t.is(second.stdout().toString(), 'second')
})

tools('our server: service that dies', async (t) => {
	const server = await startOurServer(t, 'exec:sh -c \'echo last words; kill -9 $$\'')
	// The reference's own server leaves a client that goes on sending without an answer for ever.
	const program = ['sh', '-c', 'cat >&7; exec 7>&-; cat <&6']
	const client = startReferenceClient(t, server, { program })
	client.feed(randomBytes(300_000, 3))
	t.is((await client.ended).code, 0)
	t.is(client.stdout().toString(), 'last words\n')
	await until(() => server.server.programs.running === 0, 'its end')
})

tools('our server: service that is not there', async (t) => {
	const server = await startOurServer(t, `unix:${join(makeFolder(t), 'nobody')}`)
	const client = startReferenceClient(t, server, { program: UPLOAD })
	client.feed(randomBytes(300_000, 4))
	t.is((await client.ended).code, 0)
	t.true(server.lines.some((line) => line.startsWith('warn service-unavailable')))
})

tools('our server: client that vanishes', async (t) => {
	const liveness = { keepalive: 50 * MILLISECOND, deadPeer: 300 * MILLISECOND, idle: NEVER }
	const server = await startOurServer(t, 'exec:cat', { limits: { liveness } })
	const client = startReferenceClient(t, server, { first: 'server' })
	await client.until(() => server.server.programs.running === 1, 'the connection')
	client.signal('SIGKILL')
	await client.ended
	await until(() => server.server.endpoint.size === 0 && isFree(server), 'a free row')
	t.true(server.lines.some((line) => line.includes('why=lost')))
})

tools('our server: idle client that answers stays', async (t) => {
	const liveness = { keepalive: 100 * MILLISECOND, deadPeer: 4 * SECOND, idle: NEVER }
	const server = await startOurServer(t, 'exec:cat', { limits: { liveness } })
	const program = ['sh', '-c', 'sleep 6; echo still >&7; exec 7>&-; cat <&6']
	const client = startReferenceClient(t, server, { first: 'server', program })
	t.is((await client.ended).code, 0)
	t.is(client.stdout().toString(), 'still\n')
})

tools(`our server: ${LONG ? 100 : 10} clients at once`, async (t) => {
	const server = await startOurServer(t, 'exec:cat')
	const count = LONG ? 100 : 10
	await Promise.all(Array.from({ length: count }, (_, i) => echo(t, server, 1000 + i, i)))
	t.is(server.server.endpoint.counts.opened, count)
	await until(() => isFree(server), 'all to be free')
})

tools('our server: through a lossy relay', async (t) => {
	const server = await startOurServer(t, 'echo')
	const relay = await Relay.start({
		server: { address: '127.0.0.1', port: server.port }, seed: 5,
		conditions: {
			latency: 2 * MILLISECOND, jitter: 2 * MILLISECOND, loss: 0.02, duplication: 0.02,
			corruption: 0.01,
		},
	})
	t.teardown(() => relay.close())
	await echo(t, { ...server, port: relay.port }, 100_000, 6)
})

tools('our server: a client behind a NAT that forgets three times loses nothing', async (t) => {
	const server = await startOurServer(t, 'exec:cat')
	const relay = await Relay.start({
		server: { address: '127.0.0.1', port: server.port }, seed: 13,
		conditions: { latency: MILLISECOND },
	})
	t.teardown(() => relay.close())
	const sent = randomBytes(400_000, 13)
	const client = startReferenceClient(t, { ...server, port: relay.port })
	client.feed(sent)
	const received = (): number => client.output.stdout.reduce((sum, { length }) => sum + length, 0)
	const ports = new Set<number>()
	for (const kilobytes of [80, 180, 280]) {
		await client.until(() => received() >= kilobytes * 1000, `${kilobytes} kB`)
		ports.add(relay.upstreamPorts()[0]!)
		await relay.rebind()
	}
	ports.add(relay.upstreamPorts()[0]!)
	t.deepEqual(await client.ended, { code: 0, signal: null }, client.stderr())
	t.true(Buffer.compare(client.stdout(), sent) === 0, 'every byte came back')
	t.is(ports.size, 4)
	t.is(server.server.endpoint.counts.opened, 1)
})

tools('our server: a message handler of NaCl as service', async (t) => {
	await echo(t, await startOurServer(t, 'handler:curvecpmessage cat'), 300_000, 7)
})

tools('our server: a handler that does not read harms nobody else', async (t) => {
	const deaf = await startOurServer(t, 'handler:sleep 60')
	const client = startReferenceClient(t, deaf)
	client.feed(randomBytes(MEGABYTE, 8))
	await client.until(() => deaf.server.endpoint.counts.opened === 1, 'the connection')
	await echo(t, await startOurServer(t, 'echo'), 10_000, 9)
	t.true(client.running)
})

tools('our server: a program learns who its client is', async (t) => {
	const server = await startOurServer(t, 'exec:env')
	const client = startReferenceClient(t, server, { program: LISTEN })
	t.is((await client.ended).code, 0)
	const lines = client.stdout().toString().split('\n')
	const value = (name: string): string | undefined =>
		lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1)
	t.is(value('PROTO'), 'CURVECP')
	t.is(value('CURVECPSERVERNAME'), 'server.example')
	t.is(value('CURVECPREMOTEIP'), '127.0.0.1')
	t.is(value('CURVECPREMOTEEXT'), '00'.repeat(16))
	t.regex(value('CURVECPREMOTEPK') ?? '', /^[0-9a-f]{64}$/)
	t.is(value('REMOTEPK'), value('CURVECPREMOTEPK'))
	t.is(value('TCPREMOTEIP'), '127.0.0.1')
	t.regex(value('CURVECPREMOTEPORT') ?? '', /^\d+$/)
})

async function listen(t: ExecutionContext, serve: (socket: Socket) => void): Promise<string> {
	const server = createServer({ allowHalfOpen: true }, serve)
	server.listen(0, '127.0.0.1')
	await once(server, 'listening')
	t.teardown(() => server.close())
	const address = server.address()
	return typeof address === 'object' && address !== null ? `tcp:127.0.0.1:${address.port}` : ''
}

tools('our server: a TCP service, half-closed by either side', async (t) => {
	const service = await listen(t, (socket) => {
		let n = 0
		socket.write('ready\n')
		socket.on('data', (chunk) => {
			n += chunk.length
		})
		socket.on('end', () => socket.end(`${n}\n`))
	})
	const client = startReferenceClient(t, await startOurServer(t, service))
	client.feed(randomBytes(200_000, 10))
	t.is((await client.ended).code, 0)
	t.is(client.stdout().toString(), 'ready\n200000\n')
})

tools('our server: a TCP service that resets', async (t) => {
	const service = await listen(t, (socket) => {
		socket.once('data', () => socket.resetAndDestroy())
	})
	const client = startReferenceClient(t, await startOurServer(t, service), { program: UPLOAD })
	client.feed(randomBytes(300_000, 11))
	t.is((await client.ended).code, 0)
})

tools('our server: a program that does not read slows its own client only', async (t) => {
	const program = 'exec:sh -c \'read x; if test "$x" = quick; then echo yes; else sleep 60; fi\''
	const limits = { connections: 2, pieces: 12, receiveBytes: 65_536, sendBytes: 65_536 }
	const server = await startOurServer(t, program, { limits })
	const slow = startReferenceClient(t, server)
	slow.feed(Buffer.concat([Buffer.from('slow\n'), randomBytes(MEGABYTE, 12)]))
	const held = (): number => {
		const [connection] = server.server.endpoint.connections()
		return connection?.layer instanceof Messenger ? connection.layer.readable : 0
	}
	// The program's pipe is full, then our ring: no byte more is acknowledged.
	await slow.until(() => held() > 64_000, 'a full ring')
	const quick = startReferenceClient(t, server)
	quick.feed('quick\n')
	t.is((await quick.ended).code, 0)
	t.is(quick.stdout().toString(), 'yes\n')
	t.true(slow.running)
	t.true(held() > 64_000 && held() <= 65_536)
})

tools('our server: a client that does not read stops its program only', async (t) => {
	const program = 'exec:sh -c \'read x; if test "$x" = quick; then echo yes; else yes; fi\''
	const liveness = { keepalive: 50 * MILLISECOND, deadPeer: 4 * SECOND, idle: NEVER }
	const limits = { connections: 2, pieces: 12, receiveBytes: 65_536, sendBytes: 65_536, liveness }
	const server = await startOurServer(t, program, { limits })
	const deaf = ['sh', '-c', 'echo slow >&7; sleep 60']
	const slow = startReferenceClient(t, server, { program: deaf })
	const waiting = (): number => {
		const [connection] = server.server.endpoint.connections()
		return connection?.layer instanceof Messenger ? connection.layer.pending : 0
	}
	await slow.until(() => waiting() === 65_536, 'a full ring')
	const quick = startReferenceClient(t, server)
	quick.feed('quick\n')
	t.is((await quick.ended).code, 0)
	t.is(quick.stdout().toString(), 'yes\n')
	// It answers our pings; when it does not any more, its program is ended.
	t.true(server.server.programs.running === 1 && slow.running)
	slow.signal('SIGKILL')
	await slow.ended
	await until(() => server.server.programs.running === 0, 'the end of yes')
})

tools('our server: stopping lets open streams end, and cuts them off after a while', async (t) => {
	const server = await startOurServer(t, 'exec:cat', { limits: { drain: 200 * MILLISECOND } })
	const program = ['sh', '-c', 'cat <&6; echo the stream is over']
	const client = startReferenceClient(t, server, { first: 'server', program })
	await client.until(() => server.server.programs.running === 1, 'the connection')
	server.server.stop()
	await server.server.stopped
	t.true(server.lines.some((line) => line.startsWith('warn drain-over open=1')))
	await client.untilPrinted(/the stream is over/)
})
