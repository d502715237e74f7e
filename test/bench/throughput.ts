// One connection over loopback, each side pinned to a core of its own: megabytes a second, and the
// processor time of both sides for a gigabyte.

import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { makeFolder, start, type Started } from '../support/processes.ts'
import { startReferenceServer } from '../support/reference.ts'
import { timed, type Bench, type Context, type Contestant } from './bench.ts'

const PROGRAM = resolve('build/curvegate')
const MEGABYTE = 1_000_000

interface Moved {
	megabytes: number
	seconds: number
	cpuSeconds: number
}

type Platform = 'linux' | 'portable'

function pinned(
	context: Context, core: number, command: string, args: readonly string[], platform?: Platform,
): Started {
	const env = platform === undefined ? {} : { CURVEGATE_PLATFORM: platform }
	return start(context, 'taskset', ['-c', String(core), command, ...args], { env })
}

/** A server of ours with one service; its address. */
async function serve(
	context: Context, service: string, platform: Platform,
): Promise<[Started, string]> {
	const keys = join(makeFolder(context), 'keys')
	execFileSync(PROGRAM, ['keygen', keys])
	const server = pinned(context, 0, PROGRAM,
		['server', '--keys', keys, '--listen', '127.0.0.1:0', '--serve', `bench=${service}`], platform)
	await server.untilPrinted(/^curvecp:\S+$/m)
	return [server, /^curvecp:\S+$/m.exec(String(server.stdout()))![0]]
}

/** A file of zeros that takes no room. */
function zeros(context: Context, megabytes: number): string {
	const path = join(makeFolder(context), 'zeros')
	const file = openSync(path, 'w')
	ftruncateSync(file, megabytes * MEGABYTE)
	closeSync(file)
	return path
}

/** User and system time of a process and its waited-for children, so far. */
function cpuSecondsOf(pid: number): number {
	const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ')
	return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100
}

async function upload(
	context: Context, megabytes: number, platform: Platform, to?: string,
): Promise<Moved> {
	const [server, own] = to === undefined ? await serve(context, 'discard', platform)
		: [undefined, to]
	const file = zeros(context, megabytes)
	const before = server === undefined ? 0 : cpuSecondsOf(server.pid)
	const childrenBefore = childSeconds()
	const seconds = await timed(async () => {
		const line = `exec ${PROGRAM} connect '${own}' < ${file}`
		const client = pinned(context, 1, 'sh', ['-c', line], platform)
		const { code } = await client.ended
		if (code !== 0) throw new Error(`connect ended with ${code}: ${client.stderr()}`)
	})
	const serverSeconds = server === undefined ? 0 : cpuSecondsOf(server.pid) - before
	return { megabytes, seconds, cpuSeconds: serverSeconds + childSeconds() - childrenBefore }
}

/** Of all children that have ended and were waited for. */
function childSeconds(): number {
	const fields = readFileSync('/proc/self/stat', 'latin1').replace(/^.*\) /s, '').split(' ')
	return (Number(fields[13]) + Number(fields[14])) / 100
}

async function toReference(context: Context, megabytes: number): Promise<Moved> {
	const { publicKey, address, port, name, extension } = await startReferenceServer(
		context, ['sh', '-c', 'cat > /dev/null'])
	const to = `curvecp://${publicKey}@${address}:${port}/${name}?extension=${extension}`
	return await upload(context, megabytes, 'linux', to)
}

async function fromReference(context: Context, megabytes: number, ours: boolean): Promise<Moved> {
	const file = zeros(context, megabytes)
	const push = ['curvecpmessage', '-C', 'sh', '-c', `cat ${file} >&7; exec 7>&-; cat <&6`]
	let target: readonly string[]
	if (ours) {
		const [, address] = await serve(context, 'discard', 'linux')
		const { hostname, port, username, pathname } = new URL(address)
		target = [pathname.slice(1), username, hostname, port, '0'.repeat(32)]
	} else {
		const server = await startReferenceServer(context, ['sh', '-c', 'cat > /dev/null'])
		target = [server.name, server.publicKey, server.address, String(server.port), server.extension]
	}
	const seconds = await timed(async () => {
		const client = pinned(context, 1, 'curvecpclient', ['-Q', ...target, ...push])
		const { code } = await client.ended
		if (code !== 0) throw new Error(`curvecpclient ended with ${code}: ${client.stderr()}`)
	})
	return { megabytes, seconds, cpuSeconds: Number.NaN }
}

const NACL = ['curvecpserver', 'curvecpclient', 'curvecpmessage']
const rate = ({ megabytes, seconds }: Moved): number => megabytes / seconds
const perGigabyte = ({ megabytes, cpuSeconds }: Moved): number => (cpuSeconds * 1000) / megabytes

function contestant(
	name: string, needs: readonly string[], run: (context: Context) => Promise<Moved>,
	figure: (moved: Moved) => number = rate,
): Contestant {
	return { name, needs: ['taskset', ...needs], run: async (context) => figure(await run(context)) }
}

const size = (context: Context, megabytes: number): number =>
	context.quick ? megabytes / 10 : megabytes

export const throughput: Bench = {
	name: 'throughput',
	title: 'One connection over loopback',
	unit: 'MB/s',
	base: 'reference to itself',
	rounds: 3,
	contestants: [
		contestant('ours to ours', [], (c) => upload(c, size(c, 1000), 'linux')),
		contestant('ours to ours, portable', [], (c) => upload(c, size(c, 100), 'portable')),
		contestant('ours to the reference', NACL, (c) => toReference(c, size(c, 200))),
		contestant('reference to ours', NACL, (c) => fromReference(c, size(c, 10), true)),
		contestant('reference to itself', NACL, (c) => fromReference(c, size(c, 10), false)),
	],
}

export const cpu: Bench = {
	name: 'cpu',
	title: 'Processor time of both sides, start included',
	unit: 's/GB',
	base: 'ours to ours, portable',
	rounds: 3,
	contestants: [
		contestant('ours to ours', [], (c) => upload(c, size(c, 1000), 'linux'), perGigabyte),
		contestant('ours to ours, portable', [], (c) => upload(c, size(c, 100), 'portable'),
			perGigabyte),
	],
}
