// The gateway's datapaths beside plain kernel forwarding, in the same namespaces and the same run:
// packets per second, the gateway's own CPU per packet, and added latency, by number of routes.
// Needs root. Usage: node build/out/test/bench/gateway.js [SECONDS] [ROUTES…]

import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { fromHex, toHex } from '../../src/base/hex.ts'
import {
	EXT_ONE, makeSite, PUBLIC, startGatewayProcess, type Site,
} from '../support/gateway-site.ts'
import { CLIENT, curvecp, udp4 } from '../support/packets.ts'
import type { Owner, Started } from '../support/processes.ts'

const TOOL = resolve('build/out/test/support/gateway-load.js')
const AWAY = '192.0.2.2'
const SERVER = '10.77.0.2'
const PINGS = 2000
const ROUNDS = 3
/** Different extensions in the traffic, so that a large table is really looked through. */
const SPREAD = 4096
const BYTES = 1136

interface Row {
	readonly datapath: string
	readonly routes: number
	readonly packetsPerSecond: number
	readonly sentPerSecond: number
	/** Of the gateway's process; the kernel's own work is in whoever sent the packet. */
	readonly nanosPerPacket: number | undefined
	readonly p50: number
	readonly p99: number
}

function extension(i: number): string {
	return i === 0 ? EXT_ONE : i.toString(16).padStart(8, '0').padEnd(32, 'a5')
}

function writeRoutes(file: string, count: number): void {
	const fd = openSync(file, 'w')
	for (let i = 0; i < count; i += 10_000) {
		let text = ''
		for (let k = i; k < Math.min(count, i + 10_000); k++) text += `${extension(k)} ${SERVER}\n`
		writeSync(fd, text)
	}
	closeSync(fd)
}

function packets(to: string, routes: number): string {
	const lines: string[] = []
	for (let i = 0; i < Math.min(routes, SPREAD); i++) {
		const which = fromHex(extension(Math.floor((i * routes) / SPREAD) % routes), 16)!
		const payload = curvecp(CLIENT, 'M', which, new Uint8Array(16), BYTES)
		lines.push(toHex(udp4({ from: AWAY, fromPort: 20_000, to, toPort: 4000, payload })))
	}
	return `${lines.join('\n')}\n`
}

/** Packets that arrived at the server's interface, whoever took them there. */
function received(site: Site): number {
	return Number(site.one.run('cat', '/sys/class/net/eth0/statistics/rx_packets'))
}

function cpuNanos(process: Started | undefined): number {
	if (process === undefined) return 0
	// `ip netns exec` becomes the program: the same process.
	const fields = readFileSync(`/proc/${process.pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
	return (Number(fields[11]) + Number(fields[12])) * 1e7
}

async function measure(
	owner: Owner, site: Site, name: string, routes: number, to: string, seconds: number,
	gateway: Started | undefined,
): Promise<Row> {
	const input = packets(to, routes)
	const rates: { got: number, sent: number, cpu: number }[] = []
	for (let round = 0; round < ROUNDS; round++) {
		const before = received(site)
		const cpu = cpuNanos(gateway)
		const load = site.away.start(owner, process.execPath,
			[TOOL, 'blast', 'eth0', site.gw.mac('wan0'), String(seconds)])
		load.feed(input)
		await load.ended
		await pause(200)
		const got = received(site) - before
		rates.push({ got: got / seconds, sent: Number(load.stdout()) / seconds,
			cpu: (cpuNanos(gateway) - cpu) / Math.max(1, got) })
	}
	rates.sort((a, b) => a.got - b.got)
	const { got, sent, cpu } = rates[ROUNDS >> 1]!
	site.one.try('sh', '-c', '/usr/sbin/nft delete table ip sink')
	const answering = site.one.start(owner, process.execPath, [TOOL, 'echo', SERVER, '4000'])
	await answering.untilPrinted(/ready/)
	const ping = site.away.start(owner, process.execPath,
		[TOOL, 'ping', to, '4000', String(PINGS), EXT_ONE])
	await ping.ended
	const times = (JSON.parse(ping.stdout().toString()) as number[]).sort((a, b) => a - b)
	await answering.stop()
	return {
		datapath: name, routes, packetsPerSecond: Math.round(got), sentPerSecond: Math.round(sent),
		nanosPerPacket: gateway === undefined ? undefined : Math.round(cpu),
		p50: (times[times.length >> 1] ?? NaN) / 1000,
		p99: (times[Math.floor(times.length * 0.99)] ?? NaN) / 1000,
	}
}

async function one(name: string, routes: number, seconds: number): Promise<Row> {
	const cleans: (() => void | Promise<void>)[] = []
	const owner: Owner = { teardown: (clean) => void cleans.push(clean) }
	try {
		const site = makeSite(owner)
		// Silence at the server: nobody answers "port unreachable".
		site.one.run('sh', '-c', 'printf "table ip sink { chain in { type filter hook prerouting '
			+ 'priority -300; udp dport 4000 drop; }; }" | /usr/sbin/nft -f -')
		site.away.ip('route add 10.77.0.0/24 via 192.0.2.1')
		if (name === 'plain') {
			site.gw.sysctl('net.ipv4.ip_forward', '1')
			return await measure(owner, site, name, routes, SERVER, seconds, undefined)
		}
		const file = join(site.folder, 'routes')
		writeRoutes(file, routes)
		const gateway = await startGatewayProcess(owner, site, name, ['--routes', file], 120_000)
		const userspace = name === 'nftables' ? undefined : gateway
		return await measure(owner, site, name, routes, PUBLIC, seconds, userspace)
	} finally {
		for (const clean of cleans.reverse()) await clean()
	}
}

export async function benchGateway(seconds: number, counts: readonly number[]): Promise<Row[]> {
	const rows = [await one('plain', 1, seconds)]
	for (const routes of counts) {
		for (const name of ['nftables', 'packet']) rows.push(await one(name, routes, seconds))
	}
	for (const name of ['raw', 'relay', 'plain']) rows.push(await one(name, 1, seconds))
	return rows
}

async function main(): Promise<void> {
	const [seconds = '2', ...counts] = process.argv.slice(2)
	const routes = counts.length === 0 ? [1, 1000, 100_000, 1_000_000] : counts.map(Number)
	const rows = await benchGateway(Number(seconds), routes)
	process.stdout.write(
		'datapath    routes  packets/s    sent/s  ns/packet  rtt p50 µs  rtt p99 µs\n')
	for (const row of rows) {
		const { datapath, packetsPerSecond, sentPerSecond, nanosPerPacket, p50, p99 } = row
		const columns = [datapath.padEnd(9), String(row.routes).padStart(8),
			String(packetsPerSecond).padStart(10), String(sentPerSecond).padStart(9),
			String(nanosPerPacket ?? '-').padStart(10), p50.toFixed(0).padStart(11),
			p99.toFixed(0).padStart(11)]
		process.stdout.write(`${columns.join(' ')}\n`)
	}
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
