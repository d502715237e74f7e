// Our connect against NaCl's curvecpserver and curvecpmessage: every way in which a stream can
// begin, move and end, and what the reference does wrong. CURVEGATE_LONG=1: the sizes of the full
// table.

import { connect as connectTcp } from 'node:net'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { writeFileSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { makeGenerator } from '../support/generator.ts'
import { findProgram, needs } from '../support/needs.ts'
import { startOurServer } from '../support/our-server.ts'
import { freeTcpPort, makeFolder, start, type Started } from '../support/processes.ts'
import { startReferenceServer, type Whereabouts } from '../support/reference.ts'
import { Relay } from '../support/relay.ts'

const tools = needs('curvecpserver', 'curvecpmessage')
const shell = needs('ssh', 'sshd', 'ssh-keygen')
const LONG = process.env['CURVEGATE_LONG'] !== undefined
const MAIN = resolve('build/out/src/cli/main.js')

function addressOf({ publicKey, address, port, name, extension }: Whereabouts): string {
	return `curvecp://${publicKey}@${address}:${port}/${name}?extension=${extension}`
}

function connect(t: ExecutionContext, to: Whereabouts, ...more: readonly string[]): Started {
	return start(t, process.execPath, [MAIN, 'connect', addressOf(to), ...more])
}

function randomBytes(n: number, seed: number): Uint8Array {
	const bytes = new Uint8Array(n)
	makeGenerator(seed).fill(bytes, 0, n)
	return bytes
}

async function echo(
	t: ExecutionContext, to: Whereabouts, bytes: number, seed: number,
): Promise<void> {
	const sent = randomBytes(bytes, seed)
	const client = connect(t, to)
	client.feed(sent)
	t.deepEqual(await client.ended, { code: 0, signal: null }, String(client.stderr()))
	t.true(Buffer.compare(client.stdout(), sent) === 0, 'every byte came back')
}

for (const [title, bytes] of [['empty stream', 0], ['1 byte', 1], ['1 MB', 1e6]] as const) {
	tools(`our client: ${title}`, async (t) => {
		await echo(t, await startReferenceServer(t, ['cat']), bytes, bytes)
	})
}

tools(`our client: ${LONG ? 20 : 2} MB both ways at once`, async (t) => {
	const n = LONG ? 20e6 : 2e6
	// Reading and writing are two programs there: one that copies is bound to what comes back.
	const program = ['sh', '-c', `head -c ${n} /dev/zero & wc -c >&2; wait`]
	const server = await startReferenceServer(t, program)
	const client = connect(t, server)
	client.feed(new Uint8Array(n))
	t.deepEqual(await client.ended, { code: 0, signal: null }, String(client.stderr()))
	t.is(client.stdout().length, n)
	await server.process.untilPrinted(new RegExp(`^${n}$`, 'm'))
})

tools('our client: half-close, client first', async (t) => {
	const server = await startReferenceServer(t, ['sh', '-c', 'wc -c; echo after'])
	const client = connect(t, server)
	client.feed(new Uint8Array(1000))
	t.deepEqual(await client.ended, { code: 0, signal: null })
	t.is(String(client.stdout()), '1000\nafter\n')
})

tools('our client: half-close, server first', async (t) => {
	const program = ['sh', '-c', 'echo hello; exec >&-; wc -c >&2']
	const server = await startReferenceServer(t, program)
	const client = connect(t, server)
	await client.untilPrinted(/hello/)
	client.feed(new Uint8Array(1000))
	t.deepEqual(await client.ended, { code: 0, signal: null })
	await server.process.untilPrinted(/^1000$/m)
})

const REFUSALS: [string, (to: Whereabouts) => Whereabouts][] = [
	['wrong name', (to) => ({ ...to, name: 'other.example' })],
	['wrong key', (to) => ({ ...to, publicKey: '07'.repeat(32) })],
	['wrong extension', (to) => ({ ...to, extension: '00'.repeat(16) })],
]
for (const [title, change] of REFUSALS) {
	tools(`our client: ${title}`, async (t) => {
		const server = await startReferenceServer(t, ['cat'])
		const client = connect(t, change(server), '--timeout', '1.5')
		client.feed('')
		t.is((await client.ended).code, 111)
		t.regex(String(client.stderr()), /^curvegate connect: fatal: unable to reach .*: no answer\n$/)
	})
}

tools('our client: server full', async (t) => {
	const server = await startReferenceServer(t, ['cat'], { connections: 1 })
	const first = connect(t, server)
	first.child.stdin!.write('x')
	await first.untilPrinted(/x/)
	const second = connect(t, server)
	second.feed('second')
	first.child.stdin!.end()
	t.is((await first.ended).code, 0)
	t.is((await second.ended).code, 0, 'it comes in when the first has left')
	t.is(String(second.stdout()), 'second')
})

tools('our client: service that dies', async (t) => {
	const server = await startReferenceServer(t, ['sh', '-c', 'exit 1'])
	const client = connect(t, server)
	client.feed(new Uint8Array(1000))
	t.is((await client.ended).code, 0, 'the reference ends its stream, and takes what fits')
})

tools('our client: a server that vanishes ends the client when it is told to', async (t) => {
	const server = await startReferenceServer(t, ['cat'])
	const client = connect(t, server)
	client.child.stdin!.write('x')
	await client.untilPrinted(/x/)
	await server.process.stop()
	client.signal('SIGTERM')
	t.is((await client.ended).code, 111)
})

tools(`our client: ${LONG ? 100 : 10} clients at once`, async (t) => {
	const server = await startReferenceServer(t, ['cat'], { connections: 200 })
	const clients = Array.from({ length: LONG ? 100 : 10 }, (_, i) => echo(t, server, 3000 + i, i))
	await Promise.all(clients)
})

tools('our client: through a lossy relay', async (t) => {
	const server = await startReferenceServer(t, ['cat'])
	const relay = await Relay.start({
		server: { address: server.address, port: server.port }, seed: 17,
		conditions: { loss: 0.05, duplication: 0.03, reordering: 0.05, corruption: 0.02 },
	})
	t.teardown(() => relay.close())
	await echo(t, { ...server, port: relay.port }, 60_000, 17)
})

tools('our client: a program that copies 3 MB back is not choked', async (t) => {
	await echo(t, await startReferenceServer(t, ['cat']), 3e6, 3)
})

tools('our client: --exec has the stream on 6 and 7, and its exit code', async (t) => {
	const server = await startReferenceServer(t, ['cat'])
	const script = 'echo "$PROTO $CURVECPSERVERNAME" >&7; exec 7>&-; cat <&6; exit 3'
	const client = connect(t, server, '--exec', 'sh', '-c', script)
	t.is((await client.ended).code, 3)
	t.is(String(client.stdout()), 'CURVECP server.example\n')
})

tools('our client: --listen joins each TCP connection', async (t) => {
	const server = await startReferenceServer(t, ['cat'])
	const client = connect(t, server, '--listen', '127.0.0.1:0')
	await client.untilPrinted(/127\.0\.0\.1:\d+/)
	const port = Number(/:(\d+)/.exec(String(client.stdout()))![1])
	await Promise.all([1, 2, 3].map(async (i) => {
		const socket = connectTcp(port, '127.0.0.1')
		const sent = randomBytes(20_000 * i, i)
		const received: Buffer[] = []
		socket.on('data', (chunk) => received.push(chunk))
		socket.end(sent)
		await once(socket, 'close')
		t.true(Buffer.compare(Buffer.concat(received), sent) === 0)
	}))
	client.signal('SIGTERM')
	t.is((await client.ended).code, 0)
})

tools('our client: ping', async (t) => {
	const server = await startReferenceServer(t, ['cat'])
	const ping = start(t, process.execPath,
		[MAIN, 'ping', addressOf(server), '--count', '2', '--json'])
	t.is((await ping.ended).code, 0)
	const said = JSON.parse(String(ping.stdout())) as { rttMs: number[], handshakeMs: number }
	t.is(said.rttMs.length, 2)
	t.true(said.handshakeMs > 0)
})

shell('our client: ssh through ProxyCommand', async (t) => {
	const folder = makeFolder(t)
	const file = (name: string): string => join(folder, name)
	for (const name of ['host', 'user']) {
		const made = start(t, 'ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file(name)])
		await made.ended
	}
	const port = await freeTcpPort()
	writeFileSync(file('sshd_config'), [
		`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${file('host')}`, 'UsePAM no',
		`AuthorizedKeysFile ${file('user.pub')}`, 'StrictModes no', 'PermitRootLogin yes',
		`PidFile ${file('sshd.pid')}`, '',
	].join('\n'))
	if (process.geteuid?.() === 0) await start(t, 'mkdir', ['-p', '/run/sshd']).ended
	const sshd = start(t, findProgram('sshd')!, ['-D', '-e', '-f', file('sshd_config')])
	await sshd.untilPrinted(/Server listening/)
	const server = await startOurServer(t, `tcp:127.0.0.1:${port}`)
	const address = addressOf(server).replaceAll('%', '%%')
	const session = start(t, 'ssh', [
		'-F', 'none', '-i', file('user'), '-o', 'StrictHostKeyChecking=no', '-o',
		`UserKnownHostsFile=${file('known')}`, '-o',
		`ProxyCommand=${process.execPath} ${MAIN} connect '${address}'`, 'pi', 'echo $((6 * 7)); cat',
	])
	session.feed('through the tunnel')
	t.deepEqual(await session.ended, { code: 0, signal: null }, String(session.stderr()))
	t.is(String(session.stdout()), '42\nthrough the tunnel')
})
