// How long a small message takes there and back through whole processes: a pipe into connect, the
// server's echo, and the pipe back. Percentiles in microseconds.
// node build/out/test/bench/echo.js [ROUNDS]

import { execFileSync, spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { makeFolder, start, type Owner } from '../support/processes.ts'

const PROGRAM = resolve('build/curvegate')
const BYTES = 64
const WARM_UP = 500
/** Between two messages: long enough for both sides to fall asleep. */
const PAUSE_MS = 2

export interface RoundTrips {
	p50: number
	p99: number
}

export async function echo(owner: Owner, rounds: number): Promise<RoundTrips> {
	const keys = join(makeFolder(owner), 'keys')
	execFileSync(PROGRAM, ['keygen', keys])
	const server = start(owner, 'taskset', ['-c', '0', PROGRAM,
		'server', '--keys', keys, '--listen', '127.0.0.1:0', '--serve', 'bench=echo'])
	await server.untilPrinted(/^curvecp:\S+$/m)
	const address = /^curvecp:\S+$/m.exec(String(server.stdout()))![0]
	const client = spawn('taskset', ['-c', '1', PROGRAM, 'connect', address],
		{ stdio: ['pipe', 'pipe', 'inherit'] })
	owner.teardown(() => void client.kill())
	const message = Buffer.alloc(BYTES, 7)
	const times: number[] = []
	let missing = 0
	let came = (): void => {}
	client.stdout.on('data', (chunk: Uint8Array) => {
		missing -= chunk.length
		if (missing === 0) came()
	})
	for (let i = 0; i < WARM_UP + rounds; i++) {
		await new Promise((done) => setTimeout(done, PAUSE_MS))
		const answered = new Promise<void>((done) => {
			came = done
		})
		missing = BYTES
		const at = performance.now()
		client.stdin.write(message)
		await answered
		if (i >= WARM_UP) times.push((performance.now() - at) * 1000)
	}
	client.stdin.end()
	times.sort((a, b) => a - b)
	return { p50: times[rounds >> 1]!, p99: times[Math.floor(rounds * 0.99)]! }
}

if (process.argv[1] === import.meta.filename) {
	const cleanings: (() => void | Promise<void>)[] = []
	const { p50, p99 } = await echo(
		{ teardown: (one) => void cleanings.push(one) }, Number(process.argv[2] ?? 2000))
	console.log(`echo of ${BYTES} bytes: p50 ${p50.toFixed(0)} µs, p99 ${p99.toFixed(0)} µs`)
	for (const one of cleanings.reverse()) await one()
}
