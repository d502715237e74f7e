// Many connections on one server of ours: what they cost when idle, and whether all get their turn.

import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { makeFolder, type Owner, type Started } from '../support/processes.ts'
import type { Bench, Context } from './bench.ts'
import type { Rounds } from './crowd-child.ts'
import { loopback } from './ground.ts'

const PROGRAM = resolve('build/curvegate')
const CHILD = resolve('build/out/test/bench/crowd-child.js')
const MIB = 1024
const PORTION = 1000
/** After which a server that got nothing to do has given back what it will. */
const SETTLE_MILLIS = 3000

/** A server of an echo, with room for so many connections; its address. */
export async function echoServer(owner: Owner, connections: number): Promise<[Started, string]> {
	const folder = makeFolder(owner)
	const [keys, file] = [join(folder, 'keys'), join(folder, 'curvegate.toml')]
	execFileSync(PROGRAM, ['keygen', keys])
	writeFileSync(file, `schema = 1
[limits]
connections = ${connections}
memory = "600M"
[[server]]
listen = "127.0.0.1:0"
keys = "${keys}"
[[server.name]]
name = "bench"
service = "echo"
[[server.name]]
name = "sink"
service = "discard"
`)
	const server = loopback(owner).server.start(PROGRAM, ['server', '--config', file])
	return [server, await server.untilPrinted(/^curvecp:\S+$/m)]
}

export function residentKib({ pid }: Started): number {
	return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1])
}

async function idle(context: Context, connections: number): Promise<readonly number[]> {
	const [server, address] = await echoServer(context, connections)
	await pause(SETTLE_MILLIS)
	const before = residentKib(server)
	const crowd = loopback(context).client.start(process.execPath,
		[CHILD, address, String(connections), String(PORTION)])
	await crowd.untilPrinted(/^open .*$/m)
	await pause(SETTLE_MILLIS)
	return [(residentKib(server) - before) / MIB, before / MIB]
}

async function moving(context: Context, connections: number): Promise<readonly number[]> {
	const [, address] = await echoServer(context, connections)
	const seconds = context.quick ? 10 : 20
	const crowd = loopback(context).client.start(process.execPath,
		[CHILD, address, String(connections), String(PORTION), String(seconds)])
	await crowd.ended
	const { least, mean, most }: Rounds = JSON.parse(String(crowd.stdout()).split('\n')[1] ?? '')
	return [least / mean, most / mean, (mean * connections) / seconds]
}

const IDLE = 4096
const MOVING = 10_000

export const crowds: readonly Bench[] = [{
	name: 'idle',
	title: 'Open connections that moved something and are idle',
	measures: [{ title: 'resident memory above start', unit: 'MiB' },
		{ title: 'resident memory at start', unit: 'MiB' }],
	bases: [],
	rounds: 3,
	seconds: [20, 20],
	contestants: [1024, IDLE].map((count) => ({
		name: `${count} connections`, needs: ['taskset'], run: (context) => idle(context, count),
	})),
	goals: [
		{ text: '4,096 open connections, idle: memory above start', unit: 'MiB', most: 24,
			figure: (m) => m(`${IDLE} connections`) },
		{ text: 'memory at start, with room for 4,096 connections', unit: 'MiB', most: 60,
			figure: (m) => m(`${IDLE} connections`, 1) },
	],
}, {
	name: 'moving',
	title: 'Connections that each send 1 kB to an echo every 2 s',
	measures: [{ title: 'the slowest connection', unit: 'of the mean' },
		{ title: 'the fastest connection', unit: 'of the mean' },
		{ title: 'all together', unit: 'round trips/s' }],
	bases: [],
	rounds: 2,
	seconds: [75, 50],
	contestants: [1000, MOVING].map((count) => ({
		name: `${count} connections`, needs: ['taskset'], run: (context) => moving(context, count),
	})),
	goals: [{
		text: '10,000 connections each moving a little: the slowest', unit: 'of the mean', least: 0.5,
		figure: (m) => m(`${MOVING} connections`),
	}],
}]
