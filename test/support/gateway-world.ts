// A gateway with every kind of target, packets for each of them, and the one question that matters:
// may this packet go there? Used by the fuzzer, the allocation test and the benches.

import { fromHex } from '../../src/base/hex.ts'
import { Fence, parseFenceEntry } from '../../src/gateway/fence.ts'
import { Forwarder, type Side, type Verdict } from '../../src/gateway/forward.ts'
import type { Frame } from '../../src/gateway/frame.ts'
import { Sealer } from '../../src/gateway/sealed.ts'
import { Tables } from '../../src/gateway/tables.ts'
import { Forbidden, parseTarget } from '../../src/gateway/target.ts'
import { parseIpv4, parseIpv6 } from '../../src/wire/ip.ts'
import { makeGenerator, type Generator } from './generator.ts'
import { CLIENT, curvecp, icmp4, internetSum, SERVER, udp4, udp6 } from './packets.ts'

const PUBLIC = '192.0.2.1'
const PREFIX = parseIpv6('64:ff9b:1::')!
export const FENCED = '10.88.0.0/16'

export interface World {
	readonly forwarder: Forwarder
	/** Valid packets of every sort, with their side. */
	readonly seeds: readonly { readonly side: Side, readonly packet: Uint8Array }[]
	/** Why a forwarded packet should not have been; undefined when all is well. */
	complaint(frame: Frame, verdict: Verdict): string | undefined
}

const ROUTES: readonly [string, string][] = [
	['000102030405060708090a0b0c0d0e0f', '10.77.0.2'], ['11'.repeat(16), '10.77.0.3:5000'],
	['22'.repeat(16), ':4001'], ['33'.repeat(16), ':4000'],
		['44'.repeat(16), 'mac:02:00:00:00:00:05'],
	['55'.repeat(16), '[fd00:77::2]'], ['66'.repeat(16), '[fd00:77::3]:5000'],
]

function makeTables(random: Generator, sealed: boolean): Tables {
	const entry = parseFenceEntry(FENCED)
	const key = new Uint8Array(32)
	random.fill(key, 0, 32)
	const tables = new Tables({
		address: parseIpv4(PUBLIC)!, ports: [4000], clientsPrefix: PREFIX.subarray(0, 12),
		forbidden: new Forbidden([parseIpv4(PUBLIC)!, parseIpv4('10.77.0.1')!, parseIpv4('10.88.0.1')!],
			[]),
		fence: typeof entry === 'string' ? undefined : new Fence([entry], [4000]),
		sealer: sealed ? new Sealer({ keys: [key], current: 0 }) : undefined, routesMax: 64,
		sourceRate: { perSecond: Infinity, burst: 1 }, targetRate: { perSecond: Infinity, burst: 1 },
		icmpRate: { perSecond: Infinity, burst: 1 },
	}, random)
	for (const [extension, text] of ROUTES) {
		const target = parseTarget(text)
		if (typeof target !== 'string') tables.setRoute(fromHex(extension, 16)!, target)
	}
	return tables
}

export function makeWorld(seed: number, sealed: boolean): World {
	const random = makeGenerator(seed)
	const tables = makeTables(random, sealed)
	const extensions = ROUTES.map(([text]) => fromHex(text, 16)!)
	extensions.push(fromHex('010a580102' + '00'.repeat(11), 16)!)
	if (tables.fence !== undefined && sealed) {
		const key = makeGenerator(seed)
		const bytes = new Uint8Array(32)
		key.fill(bytes, 0, 32)
		const extension = new Uint8Array(16)
		new Sealer({ keys: [bytes], current: 0 }).seal(extension, 0, 0, 0x102, random)
		extensions.push(extension)
	}
	return { forwarder: new Forwarder(tables), seeds: makeSeeds(extensions), complaint }
}

function makeSeeds(extensions: Uint8Array[]): World['seeds'] {
	const seeds: { side: Side, packet: Uint8Array }[] = []
	const zero = new Uint8Array(16)
	const away = { from: '198.51.100.7', fromPort: 33333, to: PUBLIC, toPort: 4000 }
	for (const extension of extensions) {
		for (const [kind, n] of [['H', 224], ['I', 576], ['M', 1184], ['M', 112]] as const) {
			seeds.push({ side: 'wan',
				packet: udp4({ ...away, payload: curvecp(CLIENT, kind, extension, zero, n) }) })
		}
		const quote = udp4({
			from: PUBLIC, fromPort: 4000, to: away.from, toPort: 33333,
			payload: curvecp(SERVER, 'M', zero, extension, 208),
		})
		seeds.push({ side: 'wan', packet: icmp4({ from: '203.0.113.5', to: PUBLIC, type: 3, quote }) })
	}
	const payload = curvecp(SERVER, 'M', zero, extensions[0]!, 208)
	for (const [from, fromPort] of [['10.77.0.2', 4000], ['10.77.0.3', 5000],
		['10.88.1.2', 4000]] as const) {
		seeds.push({ side: 'lan',
			packet: udp4({ from, fromPort, to: away.from, toPort: 33333, payload }) })
		const quote = udp4({ ...away, to: from, toPort: fromPort, payload })
		seeds.push({ side: 'lan', packet: icmp4({ from, to: away.from, type: 3, quote }) })
	}
	const client = PREFIX.slice()
	client.set([198, 51, 100, 7], 12)
	const six = { from: parseIpv6('fd00:77::2')!, fromPort: 4000, to: client, toPort: 33333, payload }
	seeds.push({ side: 'lan', packet: udp6(six) })
	return seeds
}

const TARGETS4 = new Set(['10.77.0.2:4000', '10.77.0.3:5000', '192.0.2.1:4001', '192.0.2.1:4000'])

function complaint(frame: Frame, verdict: Verdict): string | undefined {
	const out = frame.bytes.subarray(verdict.at, verdict.at + verdict.length)
	if (out.length < 28 || out.length > 1520) return `${out.length} bytes`
	const version = out[0]! >> 4
	if (version === 6) {
		const last = out[39]!
		const known = out[24] === 0xfd && out[25] === 0 && out[27] === 0x77
			&& (last === 2 || last === 3)
		return known && verdict.way === 'lan' ? undefined : 'an IPv6 address without a route'
	}
	if (internetSum([...out.subarray(0, 20)]) !== 0xffff) return 'a wrong header checksum'
	const from = out.subarray(12, 16).join('.')
	const to = out.subarray(16, 20).join('.')
	const port = (out[22]! << 8) | out[23]!
	switch (verdict.way) {
		case 'wan': return from === PUBLIC && to !== PUBLIC ? undefined : `from ${from} to the Internet`
		case 'mac': return verdict.mac[5] === 5 && to === PUBLIC ? undefined : 'a MAC without a route'
		case 'own': return TARGETS4.has(`${to}:${port}`) ? undefined : `to ${to}:${port}`
		case 'lan': {
			if (/^10\.88\./.test(to) && to !== '10.88.0.1') return undefined
			if (out[9] === 1) return /^10\.77\.0\.[23]$/.test(to) ? undefined : `ICMP to ${to}`
			return TARGETS4.has(`${to}:${port}`) && to !== PUBLIC ? undefined : `to ${to}:${port}`
		}
	}
}
