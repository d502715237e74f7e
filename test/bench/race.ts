// Backup servers: how long until the first byte, with the first k of eight addresses dead in three
// ways, our client and NaCl's beside each other in the same minutes. Waiting costs no processor, so
// all cases run at once, a few starts a second.
// Usage: node build/out/test/bench/race.js [SAMPLES a case] [STARTS a second]

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { Readable, Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { SECOND } from '../../src/base/time.ts'
import { ExtensionSource } from '../../src/platform/extension-source.ts'
import { openPlatform, type Platform } from '../../src/platform/platform.ts'
import { parseAddress } from '../../src/service/address.ts'
import { Client } from '../../src/service/client.ts'
import {
	freePort, makeKeyDirectory, start, untilBound, type Owner, type Started,
} from '../support/processes.ts'
import { EXTENSION, startReferenceClient } from '../support/reference.ts'

const NAME = 'backup.example'
const HOSTS = 8
const DEATHS = ['silent', 'ICMP-rejecting', 'wrong key'] as const
type Death = typeof DEATHS[number]

interface Site {
	readonly publicKey: string
	readonly port: number
}

interface Case {
	readonly death: Death
	readonly dead: number
	readonly ours: boolean
	/** Milliseconds until the first byte. */
	readonly times: number[]
}

/** A loopback network for each way to be dead, and one for the living. */
function addressOf(death: Death | 'alive', i: number): string {
	return `127.0.${40 + ['alive', ...DEATHS].indexOf(death)}.${1 + i}`
}

async function serve(owner: Owner, address: string, path: string, port: number): Promise<void> {
	const server = start(owner, 'curvecpserver', [
		'-c', '1000', NAME, path, address, String(port), EXTENSION, 'curvecpmessage', 'echo', 'ok',
	])
	await untilBound(server, port)
}

async function makeSite(owner: Owner): Promise<Site> {
	const { path, publicKey } = makeKeyDirectory(owner)
	const stranger = makeKeyDirectory(owner).path
	const port = await freePort()
	for (let i = 0; i < HOSTS; i++) {
		await serve(owner, addressOf('alive', i), path, port)
		await serve(owner, addressOf('wrong key', i), stranger, port)
		// Bound and never read: no answer, and no ICMP either. Where nobody is bound there is ICMP.
		const socket = createSocket('udp4').bind(port, addressOf('silent', i))
		await once(socket, 'listening')
		owner.teardown(() => void socket.close())
	}
	return { publicKey, port }
}

function hostsOf({ death, dead }: Case): string {
	return Array.from({ length: HOSTS }, (_, i) => addressOf(i < dead ? death : 'alive', i)).join(',')
}

/** A client that has learnt nothing yet. */
async function ourTime(platform: Platform, url: string): Promise<number> {
	const client = new Client({
		platform, address: parseAddress(url), keys: undefined,
		extension: new ExtensionSource(`hex:${'0'.repeat(32)}`), bind: { address: 0, port: 0 },
		connectTimeout: 60 * SECOND,
	}, 1)
	let first = Number.NaN
	const begin = performance.now()
	const sink = new Writable({
		write(_chunk, _encoding, done) {
			first = performance.now() - begin
			done()
		},
	})
	const connection = await client.open(() => {})
	connection.join(Readable.from([]), sink).finish('success')
	await connection.over
	client.close()
	return first
}

async function theirTime(owner: Owner, url: string): Promise<number> {
	const { key, hosts, port } = parseAddress(url)
	const begin = performance.now()
	const client: Started = startReferenceClient(owner, {
		name: NAME, publicKey: Buffer.from(key!).toString('hex'), address: hosts.join(','), port,
		extension: EXTENSION,
	}, { first: 'server', program: ['sh', '-c', 'exec 7>&-; cat <&6'] })
	let first = Number.NaN
	client.child.stdout?.once('data', () => {
		first = performance.now() - begin
	})
	client.feed('')
	await client.ended
	return first
}

function quantile(times: readonly number[], q: number): string {
	const sorted = times.map((time) => Number.isNaN(time) ? Infinity : time).sort((a, b) => a - b)
	const value = sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN
	return value === Infinity ? 'never' : value.toFixed(value < 100 ? 1 : 0)
}

function report(cases: readonly Case[]): void {
	const rows = DEATHS.flatMap((death) => Array.from({ length: HOSTS }, (_, dead) => {
		const [ours, theirs] = [true, false].map((who) =>
			cases.find((one) => one.death === death && one.dead === dead && one.ours === who)!.times)
		const columns = [ours!, theirs!].flatMap((times) =>
			[quantile(times, 0.5), quantile(times, 0.99)])
		return `| ${death} | ${dead} | ${columns.join(' | ')} |`
	}))
	console.log('| dead how | k of 8 | ours, median ms | p99 | NaCl\'s, median ms | p99 |')
	console.log(`| --- ${'| ---: '.repeat(5)}|`)
	console.log(rows.join('\n'))
}

async function main(samples: number, perSecond: number): Promise<void> {
	const teardowns: (() => void | Promise<void>)[] = []
	const owner: Owner = { teardown: (clean) => void teardowns.push(clean) }
	const platform = await openPlatform()
	const { publicKey, port } = await makeSite(owner)
	const cases = DEATHS.flatMap((death) => Array.from({ length: HOSTS }, (_, dead) =>
		[true, false].map((ours): Case => ({ death, dead, ours, times: [] }))).flat())
	const waiting: Promise<void>[] = []
	for (let i = 0; i < samples; i++) {
		for (const one of cases) {
			const url = `curvecp://${publicKey}@${hostsOf(one)}:${port}/${NAME}?extension=${EXTENSION}`
			waiting.push((one.ours ? ourTime(platform, url) : theirTime(owner, url))
				.then((time) => void one.times.push(time)))
			await pause(1000 / perSecond)
		}
	}
	await Promise.all(waiting)
	console.log(`${samples} connections a case, ${perSecond} starts a second\n`)
	report(cases)
	for (const clean of teardowns.reverse()) await clean()
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
	await main(Number(process.argv[2] ?? 100), Number(process.argv[3] ?? 20))
	process.exit(0)
}
