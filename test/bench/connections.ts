// Connections: how many a second, one after another and at once, as whole processes on the client's
// side; and what a server costs before it has any.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join, resolve } from 'node:path'
import { makeFolder, start, type Started } from '../support/processes.ts'
import {
	startReferenceClient, startReferenceServer, type Whereabouts,
} from '../support/reference.ts'
import { one, timed, type Bench, type Context } from './bench.ts'

const PROGRAM = resolve('build/curvegate')
const NACL = ['curvecpserver', 'curvecpclient', 'curvecpmessage']
const HELLO = ['sh', '-c', 'exec 7>&-; cat <&6']

/** Of its names all but the first are others' business. */
async function ourServer(context: Context, count = 1): Promise<[Started, Whereabouts]> {
	const keys = join(makeFolder(context), 'keys')
	execFileSync(PROGRAM, ['keygen', keys])
	const others = Array.from({ length: count - 1 }, (_, i) => ['--serve', `other${i}=discard`])
	const server = start(context, PROGRAM, [
		'server', '--keys', keys, '--listen', '127.0.0.1:0', '--serve', 'bench=exec:echo ok',
		...others.flat(),
	])
	await server.untilPrinted(/^curvecp:\S+$/m)
	const first = String(server.stdout()).split('\n')[0]!
	const { hostname, port, username, pathname } = new URL(first)
	const where = {
		name: pathname.slice(1), publicKey: username, address: hostname, port: Number(port),
		extension: '0'.repeat(32),
	}
	return [server, where]
}

function urlOf({ publicKey, address, port, name, extension }: Whereabouts): string {
	return `curvecp://${publicKey}@${address}:${port}/${name}?extension=${extension}`
}

async function reach(context: Context, to: Whereabouts, ours: boolean): Promise<void> {
	const client = ours ? start(context, PROGRAM, ['connect', urlOf(to)])
		: startReferenceClient(context, to, { first: 'server', program: HELLO })
	client.feed('')
	const { code } = await client.ended
	if (code !== 0 || !String(client.stdout()).includes('ok')) {
		throw new Error(`a client ended with ${code}: ${client.stderr()}`)
	}
}

/** ours, staying: one connect --listen, through which TCP clients come. */
type ClientKind = 'ours' | 'ours, staying' | 'reference'

async function perSecond(
	context: Context, server: 'ours' | 'reference', client: ClientKind, together: boolean,
): Promise<number> {
	const to = server === 'ours' ? (await ourServer(context))[1]
		: await startReferenceServer(context, ['sh', '-c', 'echo ok'], { connections: 200 })
	const many = client === 'ours, staying' ? 1000 : client === 'reference' ? 200 : 40
	const count = together ? 100 : context.quick ? 20 : many
	const port = client === 'ours, staying' ? await listening(context, to) : 0
	const visit = (): Promise<void> =>
		port === 0 ? reach(context, to, client === 'ours') : reachTcp(port)
	const seconds = await timed(async () => {
		if (together) await Promise.all(Array.from({ length: count }, visit))
		else for (let i = 0; i < count; i++) await visit()
	})
	return count / seconds
}

async function listening(context: Context, to: Whereabouts): Promise<number> {
	const client = start(context, PROGRAM, ['connect', urlOf(to), '--listen', '127.0.0.1:0'])
	await client.untilPrinted(/127\.0\.0\.1:\d+/)
	return Number(/:(\d+)/.exec(String(client.stdout()))![1])
}

async function reachTcp(port: number): Promise<void> {
	const socket = connect(port, '127.0.0.1')
	let text = ''
	socket.on('data', (chunk) => {
		text += String(chunk)
	})
	socket.end()
	await once(socket, 'close')
	if (!text.includes('ok')) throw new Error(`a client got '${text}'`)
}

const PAIRS = [['ours', 'ours'], ['ours', 'ours, staying'], ['ours', 'reference'],
	['reference', 'ours'], ['reference', 'ours, staying'], ['reference', 'reference']] as const

function connections(name: string, title: string, together: boolean): Bench {
	return {
		name, title, measures: [{ title: 'rate', unit: 'connections/s' }],
		bases: ['reference server, reference client'], rounds: 3,
		seconds: together ? [35, 35] : [50, 20],
		contestants: PAIRS.map(([server, client]) => ({
			name: `${server} server, ${client} client`,
			needs: server === 'reference' || client === 'reference' ? NACL : [],
			run: one((context) => perSecond(context, server, client, together)),
		})),
	}
}

export const handshakes: readonly Bench[] = [
	connections('sequential', 'Connections one after another, a process each', false),
	connections('together', '100 connections at once, a process each', true),
]

async function withNames(context: Context, count: number): Promise<number> {
	const [, to] = await ourServer(context, count)
	const port = await listening(context, to)
	const connections = context.quick ? 50 : 500
	const seconds = await timed(async () => {
		for (let i = 0; i < connections; i++) await reachTcp(port)
	})
	return connections / seconds
}

export const virtualNames: Bench = {
	name: 'names',
	title: 'Connections one after another to one of so many names',
	measures: [{ title: 'rate', unit: 'connections/s' }],
	bases: ['1 name'],
	rounds: 3,
	seconds: [12, 4],
	contestants: [1, 1000].map((count) => ({
		name: count === 1 ? '1 name' : '1,000 names', needs: [],
		run: one((context) => withNames(context, count)),
	})),
}

async function started(context: Context, figure: 'ms' | 'rss', linux: boolean): Promise<number> {
	const folder = makeFolder(context)
	execFileSync(PROGRAM, ['keygen', join(folder, 'keys')])
	const begin = performance.now()
	const server = start(context, PROGRAM, [
		'server', '--keys', join(folder, 'keys'), '--listen', '127.0.0.1:0', '--serve', 'a=echo',
	], { env: { CURVEGATE_PLATFORM: linux ? 'linux' : 'portable' } })
	await server.untilPrinted(/^curvecp:/m)
	if (figure === 'ms') return performance.now() - begin
	const status = readFileSync(`/proc/${server.pid}/status`, 'latin1')
	return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024
}

function startBench(title: string, unit: string, figure: 'ms' | 'rss', most: number): Bench {
	return {
		name: figure === 'ms' ? 'start' : 'memory',
		title, measures: [{ title, unit }], bases: ['linux platform'], rounds: 7, seconds: [3, 3],
		contestants: [true, false].map((linux) => ({
			name: linux ? 'linux platform' : 'portable platform', needs: [],
			run: one((context) => started(context, figure, linux)),
		})),
		goals: [{ text: title.toLowerCase(), unit, most, figure: (m) => m('linux platform') }],
	}
}

export const startUp: readonly Bench[] = [
	startBench('From the command until the address is printed', 'ms', 'ms', 250),
	startBench('Resident memory of a server that has just started', 'MiB', 'rss', 60),
]
