// The gateway's datapaths beside plain kernel forwarding, in the same namespaces: packets a second
// of a full Client Message, the processor time that each costs, and round trips, by number of
// routes. Every packet is for a random route of all, from one of 256 clients. Needs root.

import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { toHex } from '../../src/base/hex.ts'
import {
	extensionOf, makeSite, PUBLIC, startGatewayProcess, type Site,
} from '../support/gateway-site.ts'
import { ROUTES_MAX } from '../../src/limits.ts'
import { CLIENT, curvecp, udp4 } from '../support/packets.ts'
import type { Owner, Started } from '../support/processes.ts'
import type { Bench, Contestant, Context } from './bench.ts'

const TOOL = resolve('build/out/test/support/gateway-load.js')
const SERVER = '10.77.0.2'
/** The kernel's limits are counted from one look at its counters to the next. */
const UNTIL_LIMITED_MILLIS = 3000
const FIRST_CLIENT = '198.51.100.0'
const BYTES = 1168

/** What rewriting costs the kernel with no check, no limit and no account of anything. */
const LEAST = `table ip least {
	map servers { typeof @th,128,128 : ip daddr; elements = { 0x${extensionOf(0)} : ${SERVER} } }
	chain pre { type filter hook prerouting priority raw; policy accept;
		iifname "wan0" udp dport 4000 @th,64,56 0x51766e5135586c notrack \\
			ip daddr set @th,128,128 map @servers accept
		iifname "wan0" udp dport 4000 drop
	}
}`

interface Setting {
	readonly datapath: 'plain' | 'least' | 'nftables' | 'packet' | 'raw' | 'relay'
	readonly routes: number
	/** The default limits instead of ones that nobody reaches. */
	readonly limited?: boolean
}

function writeRoutes(file: string, count: number): void {
	const fd = openSync(file, 'w')
	for (let i = 0; i < count; i += 10_000) {
		let text = ''
		for (let k = i; k < Math.min(count, i + 10_000); k++) text += `${extensionOf(k)} ${SERVER}\n`
		writeSync(fd, text)
	}
	closeSync(fd)
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

/** Sends for so long; packets a second that arrived, and nanoseconds of processor for each. */
async function blast(
	owner: Owner, site: Site, { datapath, routes }: Setting, seconds: number,
	gateway: Started | undefined,
): Promise<[rate: number, nanos: number]> {
	const to = datapath === 'plain' ? SERVER : PUBLIC
	const payload = curvecp(CLIENT, 'M', new Uint8Array(16).fill(0xa5), new Uint8Array(16), BYTES)
	const packet = udp4({
		from: FIRST_CLIENT, fromPort: 20_000, to, toPort: 4000, payload, checksum: 'zero',
	})
	const [before, cpu] = [received(site), cpuNanos(gateway)]
	const load = site.away.start(owner, process.execPath,
		[TOOL, 'blast', 'eth0', site.gw.mac('wan0'), String(seconds), String(routes)])
	load.feed(toHex(packet))
	await load.ended
	await pause(200)
	const got = Math.max(1, received(site) - before)
	// What the kernel does with a packet is done in its sender's name.
	return [got / seconds, Number(load.stdout()) + (cpuNanos(gateway) - cpu) / got]
}

/** Round trips to a server that answers, one after the other: the median and the 99th of 100. */
async function pings(
	owner: Owner, site: Site, to: string, count: number,
): Promise<[p50: number, p99: number]> {
	site.one.try('sh', '-c', '/usr/sbin/nft delete table ip sink')
	const answering = site.one.start(owner, process.execPath, [TOOL, 'echo', SERVER, '4000'])
	await answering.untilPrinted(/ready/)
	const ping = site.away.start(owner, process.execPath,
		[TOOL, 'ping', to, '4000', String(count), extensionOf(0)])
	await ping.ended
	const times = (JSON.parse(ping.stdout().toString()) as number[]).sort((a, b) => a - b)
	const at = (share: number): number => (times[Math.floor(times.length * share)] ?? NaN) / 1000
	return [at(0.5), at(0.99)]
}

async function measure(context: Context, setting: Setting): Promise<readonly number[]> {
	const { datapath, routes, limited = false } = setting
	const site = makeSite(context)
	// Silence at the server: nobody answers "port unreachable".
	site.one.run('sh', '-c', 'printf "table ip sink { chain in { type filter hook prerouting '
		+ 'priority -300; udp dport 4000 drop; }; }" | /usr/sbin/nft -f -')
	site.away.ip('route add 10.77.0.0/24 via 192.0.2.1')
	let gateway: Started | undefined
	if (datapath === 'plain' || datapath === 'least') {
		site.gw.sysctl('net.ipv4.ip_forward', '1')
		const file = join(site.folder, 'least')
		writeFileSync(file, LEAST)
		if (datapath === 'least') site.gw.run('nft', '-f', file)
	} else {
		const file = join(site.folder, 'routes')
		writeRoutes(file, routes)
		const config = join(site.folder, 'curvegate.toml')
		writeFileSync(config, `schema = 1\n[gateway]\nwan = "wan0"\nlan = "lan0"\n`
			+ (limited ? '' : 'source-rate = 1000000000\ntarget-rate = 1000000000\n')
			+ `[limits]\nroutes = ${ROUTES_MAX}\n`)
		gateway = await startGatewayProcess(context, site, datapath,
			['--config', config, '--routes', file], 200_000)
	}
	const seconds = context.quick ? 0.5 : 2
	const user = datapath === 'nftables' ? undefined : gateway
	if (limited) await blast(context, site, setting, UNTIL_LIMITED_MILLIS / 1000, user)
	const [rate, nanos] = await blast(context, site, setting, seconds, user)
	const to = datapath === 'plain' ? SERVER : PUBLIC
	return [rate, nanos, ...await pings(context, site, to, context.quick ? 200 : 2000)]
}

function contestant(name: string, setting: Setting): Contestant {
	const needs = ['linux', 'root', 'netns', 'ip', 'nft']
	return {
		name, needs: setting.datapath === 'raw' ? [...needs, 'raw-socket'] : needs,
		run: (context) => measure(context, setting),
	}
}

const COUNTS = [['1 route', 1], ['1,000 routes', 1000], ['100,000', 100_000],
	['1,000,000', 1_000_000]] as const

export const gateway: Bench = {
	name: 'gateway',
	title: 'The gateway, in namespaces',
	measures: [
		{ title: 'packets of 1,168 bytes', unit: 'packets/s' },
		{ title: 'processor time, sender included', unit: 'ns/packet' },
		{ title: 'round trip, median', unit: 'µs' },
		{ title: 'round trip, 99th of 100', unit: 'µs' },
	],
	bases: ['plain forwarding'],
	goals: [
		{ text: 'nftables to plain forwarding, by processor time', unit: '', least: 0.95,
			figure: (of) => of('plain forwarding', 1) / of('nftables, 1 route', 1) },
		{ text: 'nftables, a million routes to one, by processor time', unit: '', least: 0.9,
			figure: (of) => of('nftables, 1 route', 1) / of('nftables, 1,000,000', 1) },
		{ text: 'packet sockets to raw sockets', unit: '', least: 3,
			figure: (of) => of('packet, 1 route') / of('raw, 1 route') },
		{ text: 'packet sockets, a million routes to one', unit: '', least: 0.9,
			figure: (of) => of('packet, 1,000,000') / of('packet, 1 route') },
	],
	rounds: 3,
	seconds: [180, 90],
	contestants: [
		contestant('plain forwarding', { datapath: 'plain', routes: 1 }),
		contestant('the shortest rule that rewrites', { datapath: 'least', routes: 1 }),
		...COUNTS.map(([text, routes]) =>
			contestant(`nftables, ${text}`, { datapath: 'nftables', routes })),
		contestant('nftables, limits at work', { datapath: 'nftables', routes: 1000, limited: true }),
		...COUNTS.map(([text, routes]) =>
			contestant(`packet, ${text}`, { datapath: 'packet', routes })),
		contestant('raw, 1 route', { datapath: 'raw', routes: 1 }),
		contestant('raw, 1,000,000', { datapath: 'raw', routes: 1_000_000 }),
		contestant('relay, 1 route', { datapath: 'relay', routes: 1 }),
		contestant('relay, 1,000,000', { datapath: 'relay', routes: 1_000_000 }),
	],
}
