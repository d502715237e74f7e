// The status as people see it: pure pictures as snapshots, the real thing in a terminal of socat's.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import test from 'ava'
import { Rates } from '../../../src/cli/status-rates.ts'
import { screenLines } from '../../../src/cli/status-screen.ts'
import { statusText } from '../../../src/service/status-text.ts'
import {
	amount, clean, decimal, gauge, span, sparkline,
} from '../../../src/service/quantity-text.ts'
import type { Seen } from '../../../src/service/control-client.ts'
import { runCurvegate } from '../../support/curvegate.ts'
import { needs } from '../../support/needs.ts'
import { makeFolder, start, type Owner, type Started } from '../../support/processes.ts'
import { makeStatus } from '../../support/status.ts'

const MAIN = resolve('build/out/src/cli/main.js')

/** Twelve seconds of a transfer that swells. */
function watched(): { seen: Seen[], rates: Rates } {
	const rates = new Rates()
	let seen: Seen[] = [{ path: '/run/curvegate/run.sock', status: makeStatus({}) }]
	for (let second = 0; second < 12; second++) {
		const base = makeStatus({})
		const [server] = base.servers
		const [one, two] = base.connections
		const sent = second * second * 100_000
		seen = [{ path: '/run/curvegate/run.sock', status: {
			...base,
			servers: [{ ...server!,
				port: { ...server!.port, bytesSent: sent, bytesReceived: 500 * second } }],
			connections: [{ ...two!, rttMs: 40 - second }, { ...one!, sentBytes: sent }],
			gateway: { ...base.gateway!, forwardedIn: 1000 * second },
			drops: { ...base.drops, box: 5 * second },
		} }]
		rates.take(seen, second * 1000)
	}
	return { seen, rates }
}

test('all of it, once', (t) => {
	t.snapshot(statusText([{ path: '/run/curvegate/run.sock', status: makeStatus({}) }]))
})

test('the screen', (t) => {
	const { seen, rates } = watched()
	t.snapshot(screenLines(seen, rates.now, { columns: 80, rows: 20 }, false).join('\n'))
})

test('the screen is never larger than the terminal, whatever its size', (t) => {
	const { seen, rates } = watched()
	for (const rows of [1, 2, 5, 10, 11, 12, 24, 80]) {
		for (const columns of [1, 10, 79, 200]) {
			const lines = screenLines(seen, rates.now, { columns, rows }, false)
			t.true(lines.length <= rows, `${lines.length} of ${rows} lines`)
			t.true(lines.every((line) => [...line].length <= columns))
		}
	}
})

test('rates: a process that was replaced, or comes back, has none at first', (t) => {
	const rates = new Rates()
	const seen = (pid: number, box: number) =>
		[{ path: 'x', status: makeStatus({ pid, drops: { ...makeStatus({}).drops, box } }) }]
	rates.take(seen(1, 10), 0)
	t.is(rates.now.drops.size, 0)
	rates.take(seen(1, 20), 2000)
	t.is(rates.now.drops.get('box'), 5)
	rates.take(seen(2, 5), 3000)
	t.is(rates.now.drops.size, 0)
	rates.take([], 4000)
	rates.take(seen(2, 50), 5000)
	t.is(rates.now.drops.size, 0)
	for (let i = 0; i < 1000; i++) rates.take([], 6000 + i)
	t.true(rates.now.points.length <= 240)
})

test('quantities', (t) => {
	t.deepEqual([0, 999, 1000, 1536, 1_048_576, 5e9].map(amount),
		['0 B', '999 B', '0.98 KiB', '1.50 KiB', '1.00 MiB', '4.66 GiB'])
	t.deepEqual([0, 0.1234, 9.999, 12.34, 99.96].map(decimal), ['0', '0.12', '10.0', '12.3', '100'])
	t.deepEqual([5, 65, 3700, 90_000].map(span), ['5 s', '1 min', '1 h 1 min', '1 d 1 h'])
	t.is(clean('a\u001b[2Jb\nc\u202e'), 'a?[2Jb?c?')
	t.is(sparkline([0, 1, undefined, 8, 4], 4), '▁ █▄')
	t.is(gauge(0.5, 4), '██░░')
	t.is(gauge(7, 2), '██')
})

test('doctor from outside: findings with cures, and an exit code', async (t) => {
	const folder = makeFolder(t)
	const taken = createSocket('udp4').bind(0, '127.0.0.1')
	await once(taken, 'listening')
	t.teardown(() => taken.close())
	const { port } = taken.address()
	runCurvegate(['keygen', join(folder, 'keys')])
	const file = join(folder, 'c.toml')
	writeFileSync(file, `schema = 1\nkeys = "keys"\n[[server]]\nlisten = "127.0.0.1:${port}"\n`
		+ '[[server.name]]\nname = "a"\nservice = "echo"\n')
	const { code, stdout } = runCurvegate(['doctor', '--config', file, '--json'])
	t.is(code, 111)
	const { findings } = JSON.parse(stdout)
	const [held] = findings.filter(({ check }: { check: string }) => check === 'port')
	t.is(held.state, 'trouble')
	t.regex(held.message, new RegExp(`^127\\.0\\.0\\.1:${port} is held by process ${process.pid}, `))
	t.regex(runCurvegate(['doctor', '--config', file]).stdout,
		/^trouble +port .*\n +cure: end it, or listen on another port\n[^]*\n\n\d troubles?\n$/)
})

test('nobody answers: 111, and what to do', (t) => {
	const path = join(makeFolder(t), 'none.sock')
	const said = runCurvegate(['status', '--control', path])
	t.is(said.code, 111)
	t.regex(said.stderr, /unable to ask .*none\.sock: no such file or folder\n$/)
})

function startServer(owner: Owner): { server: Started, socket: string } {
	const folder = makeFolder(owner)
	const socket = join(folder, 'server.sock')
	const server = start(owner, process.execPath,
		[MAIN, 'server', '--listen', '127.0.0.1:0', '--control', socket], { cwd: folder })
	return { server, socket }
}

test('a real server: --json, and blocks for who is no terminal', async (t) => {
	const { server, socket } = startServer(t)
	await server.untilPrinted(/curvecp:/)
	const json = JSON.parse(runCurvegate(['status', '--json', '--control', socket]).stdout)
	t.like(json, { connections: [], gateway: null, processes: [{ process: 'server' }] })
	t.is(json.servers[0].names[0].name, 'localhost')
	t.true(json.memory.usedBytes > 0 && json.memory.usedBytes < json.memory.budgetBytes)
	const blocks = start(t, process.execPath,
		[MAIN, 'status', '--watch', '--interval', '0.05', '--control', socket])
	await blocks.untilPrinted(/(curvegate \d[^]*?no connections\n\n){3}/)
	t.false(blocks.stdout().includes(0x1b))
	blocks.child.kill('SIGINT')
	t.deepEqual(await blocks.ended, { code: 0, signal: null })
})

needs('socat')('a terminal: another screen while it lasts, q leaves it as it was', async (t) => {
	const { server, socket } = startServer(t)
	await server.untilPrinted(/curvecp:/)
	const command = `${process.execPath} ${MAIN} status --watch --interval 0.1 --control ${socket}`
	const screen = start(t, 'socat', ['-', `EXEC:${command},pty,stderr,setsid,ctty,raw,echo=0`])
	await screen.untilPrinted(/\u001b\[\?1049h\u001b\[\?25l\u001b\[H/)
	await screen.untilPrinted(/q leaves/)
	t.false(screen.stdout().includes('\u001b[?1049l'))
	screen.child.stdin?.write('xq')
	t.is((await screen.ended).code, 0)
	t.true(screen.stdout().toString().endsWith('\u001b[?25h\u001b[?1049l'))
})
