// The helpers that start programs, shown on NaCl's own: what later tests of ours stand on.

import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import test from 'ava'
import { needs } from '../../support/needs.ts'
import { freePort, makeFolder, start, type Owner } from '../../support/processes.ts'
import {
	startMessageHandler, startReferenceClient, startReferenceServer, untilEchoed,
} from '../../support/reference.ts'
import { Relay } from '../../support/relay.ts'

const tools = needs('curvecpserver', 'curvecpclient', 'curvecpmessage', 'curvecpmakekey')
const alone = needs('curvecpmessage')

/** Cleans up when it is told, in the middle of a test. */
class Scope implements Owner {
	readonly #cleaners: (() => void | Promise<void>)[] = []

	teardown(clean: () => void | Promise<void>): void {
		this.#cleaners.push(clean)
	}

	async end(): Promise<void> {
		for (const clean of this.#cleaners.reverse()) await clean()
	}
}

test('a program is fed, its output kept, its exit told', async (t) => {
	const cat = start(t, 'cat', [])
	cat.feed('hello')
	t.deepEqual(await cat.ended, { code: 0, signal: null })
	t.is(cat.stdout().toString(), 'hello')
	const failing = start(t, 'sh', ['-c', 'echo oops >&2; exit 3'])
	t.deepEqual(await failing.ended, { code: 3, signal: null })
	t.is(failing.stderr(), 'oops\n')
	await t.throwsAsync(failing.untilPrinted(/fine/), { message: /sh has ended with 3\noops/ })
	await t.throwsAsync(start(t, '/no/such/program', []).ended, { code: 'ENOENT' })
})

test('stopping ends the program and its children; folders go', async (t) => {
	const scope = new Scope()
	const folder = makeFolder(scope)
	const shell = start(scope, 'sh', ['-c', 'sleep 1000 & echo child $!; wait'])
	const child = Number((await shell.untilPrinted(/child \d+\n/)).slice(6))
	t.notThrows(() => process.kill(child, 0))
	await scope.end()
	t.false(shell.running)
	t.false(existsSync(folder))
	while (isRunning(child)) await new Promise((resolve) => setImmediate(resolve))
	t.pass()
})

/** Dead, it may still wait for whoever adopted it to take notice: Z. */
function isRunning(pid: number): boolean {
	const stat = `/proc/${pid}/stat`
	return existsSync(stat) && !/\) Z /.test(readFileSync(stat, 'latin1'))
}

test('free ports are free', async (t) => {
	const ports = await Promise.all([freePort(), freePort(), freePort()])
	t.true(ports.every((port) => port > 1023 && port < 65536))
})

tools('the reference echoes a stream to itself through a relay with every fault', async (t) => {
	const server = await startReferenceServer(t, ['cat'])
	const relay = await Relay.start({
		server, seed: 3,
		conditions: {
			latency: 2e6, loss: 0.02, reordering: 0.02, duplication: 0.05, corruption: 0.02,
		},
	})
	t.teardown(() => relay.close())
	const client = startReferenceClient(t, { ...server, port: relay.port })
	const text = 'CurveCP '.repeat(1000)
	client.feed(text)
	t.is((await untilEchoed(client, text.length)).toString(), text, client.stderr())
	t.true(server.process.running)
})

tools('a reference server that cannot start says why', async (t) => {
	await t.throwsAsync(startReferenceServer(t, ['cat'], { extension: 'short' }), {
		message: /curvecpserver has ended with 100/,
	})
})

alone('the message handler by itself acknowledges what comes through descriptor 8', async (t) => {
	const handler = startMessageHandler(t, '-s', ['cat'])
	const frame = Buffer.alloc(1 + 192)
	frame[0] = 12
	// spec: protocol.md 4.1: message ID 7, five bytes at position 0, at the end of the message.
	frame.writeUInt32LE(7, 1)
	frame.writeUInt16LE(5, 1 + 38)
	frame.write('hello', 1 + 192 - 5)
	handler.writeTo(8).write(frame)
	const [answer] = await once(handler.readFrom(9), 'data') as [Buffer]
	t.is(answer[0], 12)
	t.is(answer.readUInt32LE(1 + 4), 7)
	t.is(answer.readBigUInt64LE(1 + 8), 5n)
})
