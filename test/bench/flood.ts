// One transfer into a server of ours while a million Hellos with spoofed sources come to its port:
// what the transfer keeps, what a gigabyte costs the server, how long newcomers take, and what it
// does to the server's memory. Sending the flood takes a part of the client's core: so all is
// compared to the same flood, as fast, to a port that nobody reads. The server has its core alone.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Started } from '../support/processes.ts'
import { timed, type Bench, type Context } from './bench.ts'
import { echoServer, residentKib } from './crowds.ts'
import { cpuSecondsOf, loopback, zeros, type Side } from './ground.ts'

const PROGRAM = resolve('build/curvegate')
const CHILD = resolve('build/out/test/bench/flood-child.js')
const HELLOS = 1_000_000
const PER_SECOND = 50_000
const KIB = 1024
const NEWCOMERS = 3

type Flood = 'garbage' | 'valid'

async function beside(
	context: Context, flood: Flood | undefined, aside: boolean,
): Promise<readonly number[]> {
	const [server, address] = await echoServer(context, 64)
	const { client } = loopback(context)
	const sink = address.replace(/\/bench\?.*$/, '/sink')
	const megabytes = context.quick ? 200 : 1500
	// Once before, so that its own memory is there.
	await upload(client, sink, zeros(context, 200))
	await pause(1000)
	const before = residentKib(server)
	const file = zeros(context, megabytes)
	const target = aside ? await silent(context, address) : address
	const attacker = flood === undefined ? undefined
		: await readyFlood(client, target, flood, context.quick)
	const cpu = cpuSecondsOf(server.pid)
	let perGigabyte = 0
	const transfer = timed(async () => {
		await upload(client, sink, file)
		perGigabyte = ((cpuSecondsOf(server.pid) - cpu) / megabytes) * 1000
	})
	// It is in before the flood: how long that takes otherwise is the newcomers' figure.
	await server.untilPrinted(/closed[^]* opened /)
	attacker?.feed('now')
	const [seconds, slowest] = await Promise.all([transfer, newcomers(client, address)])
	await attacker?.ended
	return [megabytes / seconds, slowest, (residentKib(server) - before) / KIB, perGigabyte]
}

function upload(client: Side, address: string, file: string): Promise<void> {
	return client.run('sh', ['-c', `exec ${PROGRAM} connect '${address}' < ${file}`])
}

/** It begins when it is fed. */
async function readyFlood(
	client: Side, address: string, flood: Flood, quick: boolean,
): Promise<Started> {
	const hellos = quick ? HELLOS / 4 : HELLOS
	const attacker = client.start(process.execPath,
		[CHILD, address, String(hellos), String(PER_SECOND), flood])
	await attacker.untilPrinted(/ready/)
	return attacker
}

/** The same address at a port where nobody reads. */
async function silent(context: Context, address: string): Promise<string> {
	const socket = createSocket('udp4').bind(0, '127.0.0.1')
	await once(socket, 'listening')
	context.teardown(() => void socket.close())
	// A dgram socket without a listener still reads; a full buffer is what costs least.
	socket.setRecvBufferSize(1)
	return address.replace(/:\d+\/.*$/, `:${socket.address().port}/bench`)
}

/** Clients that come one after the other, their start included: the slowest, in seconds. */
async function newcomers(client: Side, address: string): Promise<number> {
	let slowest = 0
	for (let i = 0; i < NEWCOMERS; i++) {
		slowest = Math.max(slowest, await timed(async () => {
			const program = client.start(PROGRAM, ['connect', address])
			program.feed('hello')
			const { code } = await program.ended
			if (code !== 0) throw new Error(`a newcomer ended with ${code}: ${program.stderr()}`)
		}))
	}
	return slowest
}

const ASIDE = 'Curvegate, the flood to a port beside it'
const CONTESTANTS = [
	['Curvegate, no flood', undefined, false], [ASIDE, 'valid', true],
	['Curvegate, a flood of garbage', 'garbage', false],
	['Curvegate, a flood of valid boxes', 'valid', false],
] as const

export const floods: Bench = {
	name: 'flood',
	title: `A transfer beside ${PER_SECOND / 1000},000 spoofed Hellos a second`,
	measures: [{ title: 'the transfer', unit: 'MB/s' },
		{ title: 'the slowest of three newcomers, start included', unit: 's' },
		{ title: 'growth of resident memory', unit: 'MiB' },
		{ title: 'the server\'s processor time, the flood\'s part included', unit: 's/GB' }],
	bases: [ASIDE],
	rounds: 2,
	seconds: [110, 25],
	contestants: CONTESTANTS.map(([name, flood, aside]) => ({
		name, needs: ['taskset', 'linux'], run: (context) => beside(context, flood, aside),
	})),
	goals: CONTESTANTS.slice(2).flatMap(([name]) => [
		{ text: `${name}: the transfer keeps`, unit: '×', least: 0.8,
			figure: (m) => m(name) / m(ASIDE) },
		{ text: `${name}: a newcomer is in after`, unit: 's', most: 3, figure: (m) => m(name, 1) },
		{ text: `${name}: memory grows by`, unit: 'MiB', most: 1, figure: (m) => m(name, 2) },
	]),
}
