// Handshakes a second against our server and NaCl's under the same load, the round trip of a small
// message, and what a packet leaves behind for the garbage collector.

import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import type { Allocations } from '../support/count-allocations.ts'
import { freePort, makeKeyDirectory } from '../support/processes.ts'
import { EXTENSION } from '../support/reference.ts'
import type { Bench, Context } from './bench.ts'
import { echoServer } from './crowds.ts'
import { echo } from './echo.ts'
import { loopback, untilListening } from './ground.ts'

const CROWD = resolve('build/out/test/bench/crowd-child.js')
const COUNT_ALLOCATIONS = resolve('build/out/test/support/count-allocations.js')
const NACL = ['curvecpserver', 'curvecpmessage', 'curvecpmakekey', 'curvecpprintkey']
const OURS = 'Curvegate\'s server'
const THEIRS = 'NaCl\'s server'
const CONNECTIONS = { ours: 4000, theirs: 400 }

/** A server's echo, opened by a crowd on the other core, some at a time. */
async function handshakes(context: Context, ours: boolean): Promise<readonly number[]> {
	const { client } = loopback(context)
	const count = (ours ? CONNECTIONS.ours : CONNECTIONS.theirs) / (context.quick ? 4 : 1)
	const address = ours ? (await echoServer(context, count))[1]
		: await referenceEcho(context, count)
	const crowd = client.start(process.execPath, [CROWD, address, String(count), '16'])
	const line = await crowd.untilPrinted(/^open \S+$/m)
	return [Number(line.split(' ')[1])]
}

async function referenceEcho(context: Context, connections: number): Promise<string> {
	const { server } = loopback(context)
	const { path, publicKey } = makeKeyDirectory(context)
	const port = await freePort()
	const process = server.start('curvecpserver', ['-Q', '-c', String(connections), 'bench', path,
		server.address, String(port), EXTENSION, 'curvecpmessage', 'cat'])
	await untilListening(process, 'udp', port)
	return `curvecp://${publicKey}@${server.address}:${port}/bench?extension=${EXTENSION}`
}

function allocated(platform: 'linux' | 'portable', mode: 'batches' | 'rally'): readonly number[] {
	// A young heap so large that nothing is collected: what is there in the end was allocated.
	const words = ['--expose-gc', '--min-semi-space-size=512', '--max-semi-space-size=512',
		COUNT_ALLOCATIONS, platform, mode]
	const { packets, heapBytes, externalBytes }: Allocations =
		JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' }))
	return [heapBytes / packets, externalBytes / packets]
}

const BATCHES = 'Curvegate, a million in batches'

export const rates: readonly Bench[] = [{
	name: 'handshakes',
	title: 'Full handshakes, each with a first round trip of its stream, on one core',
	measures: [{ title: 'rate', unit: 'handshakes/s' }],
	bases: [THEIRS],
	rounds: 3,
	seconds: [16, 8],
	contestants: [
		{ name: OURS, needs: ['taskset'], run: (context) => handshakes(context, true) },
		{ name: THEIRS, needs: ['taskset', ...NACL], run: (context) => handshakes(context, false) },
	],
	goals: [{ text: 'full handshakes a second, times NaCl\'s server', unit: '×', least: 5,
		figure: (m) => m(OURS) / m(THEIRS) }],
}, {
	name: 'echo',
	title: 'A message of 64 bytes there and back, pipes of both programs included',
	measures: [{ title: 'median', unit: 'µs' }, { title: '99th of 100', unit: 'µs' }],
	bases: [],
	rounds: 3,
	seconds: [8, 4],
	contestants: [{
		name: 'Curvegate', needs: ['taskset'],
		run: async (context) => {
			const { p50, p99 } = await echo(context, context.quick ? 500 : 2000)
			return [p50, p99]
		},
	}],
}, {
	name: 'allocation',
	title: 'Memory that a packet leaves behind',
	measures: [{ title: 'heap', unit: 'bytes' }, { title: 'outside of it', unit: 'bytes' }],
	bases: [],
	rounds: 1,
	seconds: [20, 20],
	contestants: [
		{ name: BATCHES, needs: ['linux'], run: async () => allocated('linux', 'batches') },
		{ name: 'Curvegate, a wake of the event loop each', needs: ['linux'],
			run: async () => allocated('linux', 'rally') },
		{ name: 'Curvegate, portable, a wake each', needs: [],
			run: async () => allocated('portable', 'rally') },
	],
	// The compiler's own work on a million packets is a few bytes for each.
	goals: [{ text: 'heap for a packet of a transfer', unit: 'bytes', most: 4,
		figure: (m) => m(BATCHES) }],
}]
