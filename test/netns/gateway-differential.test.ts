// The same packets through the model and through each datapath in real namespaces; what comes out
// is compared byte for byte (drawing: test/support/gateway-site.ts). `away` injects them on the
// Internet side as raw packets, `one` on the local side; both ends listen with packet sockets.

import { join, resolve } from 'node:path'
import type { ExecutionContext } from 'ava'
import { fromHex, toHex } from '../../src/base/hex.ts'
import { Forwarder, type Side } from '../../src/gateway/forward.ts'
import { Tables } from '../../src/gateway/tables.ts'
import { Forbidden } from '../../src/gateway/target.ts'
import { parseRouteLine } from '../../src/service/routes-file.ts'
import { Fence, parseFenceEntry } from '../../src/gateway/fence.ts'
import type { Drop, DropCounts } from '../../src/wire/drop.ts'
import { parseIpv4, parseIpv6 } from '../../src/wire/ip.ts'
import { runCurvegate } from '../support/curvegate.ts'
import {
	EXT_ONE, makeSite, PUBLIC, startGatewayProcess, type Site,
} from '../support/gateway-site.ts'
import { makeGenerator, type Generator } from '../support/generator.ts'
import { needs } from '../support/needs.ts'
import type { Box } from '../support/netns.ts'
import {
	CLIENT, curvecp, icmp4, internetSum, loadFrame, SERVER, udp4, udp6, type Udp4,
} from '../support/packets.ts'

const SEED = Number(process.env['SEED'] ?? 4)
const MUTANTS = 600
const AWAY = '192.0.2.2'
const PREFIX = parseIpv6('64:ff9b:1::')!
const ROUTES = [
	`${EXT_ONE}=10.77.0.2`, `${'11'.repeat(16)}=10.77.0.2:5000`, `${'55'.repeat(16)}=[fd00:77::2]`,
	`${'66'.repeat(16)}=[fd00:77::2]:5000`,
]

interface Packet {
	readonly side: Side
	readonly bytes: Uint8Array
}

function makeModel(): Forwarder {
	const entry = parseFenceEntry('10.77.0.2/32')
	if (typeof entry === 'string') throw new Error(entry)
	const tables = new Tables({
		address: parseIpv4(PUBLIC)!, ports: [4000], clientsPrefix: PREFIX.subarray(0, 12),
		forbidden: new Forbidden(['192.0.2.1', '192.0.2.0', '192.0.2.255', '10.77.0.0', '10.77.0.255',
			'10.77.0.1'].map((text) => parseIpv4(text)!), []),
		fence: new Fence([entry], [4000]), sealer: undefined, routesMax: 64,
	}, makeGenerator(1))
	for (const text of ROUTES) {
		const route = parseRouteLine(text.replace('=', ' '))
		if (route === undefined || 'message' in route) throw new Error(text)
		tables.setRoute(route.extension, route.target)
	}
	return new Forwarder(tables)
}

function seeds(): Packet[] {
	const zero = new Uint8Array(16)
	const packets: Packet[] = []
	const away = { from: AWAY, fromPort: 33333, to: PUBLIC, toPort: 4000 }
	const extensions = [...ROUTES.map((text) => text.slice(0, 32)), `010a4d0002${'00'.repeat(11)}`]
		.map((text) => fromHex(text, 16)!)
	for (const extension of extensions) {
		for (const [kind, n] of [['H', 224], ['I', 576], ['M', 1184], ['M', 112]] as const) {
			packets.push({ side: 'wan',
				bytes: udp4({ ...away, payload: curvecp(CLIENT, kind, extension, zero, n) }) })
		}
		const payload = curvecp(SERVER, 'M', zero, extension, 208)
		const quote = udp4({ from: PUBLIC, fromPort: 4000, to: AWAY, toPort: 33333, payload })
		packets.push({ side: 'wan', bytes: icmp4({ from: AWAY, to: PUBLIC, type: 3, code: 1, quote }) })
	}
	const payload = curvecp(SERVER, 'M', zero, extensions[0]!, 208)
	for (const fromPort of [4000, 5000]) {
		packets.push({ side: 'lan', bytes: udp4({
			from: '10.77.0.2', fromPort, to: AWAY, toPort: 33333, payload,
		}) })
		const quote = udp4({ ...away, to: '10.77.0.2', toPort: fromPort, payload })
		packets.push({ side: 'lan', bytes: icmp4({
			from: '10.77.0.2', to: AWAY, type: 3, code: 1, quote,
		}) })
	}
	const client = PREFIX.slice()
	client.set([192, 0, 2, 2], 12)
	const six = { from: parseIpv6('fd00:77::2')!, fromPort: 4000, to: client, toPort: 33333, payload }
	packets.push({ side: 'lan', bytes: udp6(six) })
	return packets
}

const ODD: readonly Partial<Udp4>[] = [
	{ fragment: 0x2000 }, { fragment: 0x2003 }, { fragment: 0x0001 }, { fragment: 0x6000 },
	{ options: [1, 1, 1, 0] }, { options: [7, 7, 4, 0, 0, 0, 0, 0] },
	{ options: [1, 1, 1, 0], fragment: 0x2000 }, { ttl: 0 }, { ttl: 1 }, { ttl: 2 }, { ttl: 255 },
	{ totalLength: 27 }, { totalLength: 28 }, { totalLength: 250 }, { totalLength: 600 },
	{ totalLength: 0 }, { udpLength: 0 }, { udpLength: 7 }, { udpLength: 8 }, { udpLength: 216 },
	{ udpLength: 300 }, { checksum: 0x1111 }, { checksum: 'zero' }, { checksum: 'pseudo' },
	{ headerChecksum: 0x1111 }, { padding: 7 }, { tos: 0xff }, { id: 0 },
]
const QUOTED = [0, 7, 8, 19, 20, 27, 28, 47, 48, 67, 68, 69, 77, 100, 300, 576, 600]

/** Bytes of a Message; a short train may have as many, so nftables leaves it to the server. */
const TOO_LONG = 1200

/** A Message of so many bytes as the first route's server gets it. */
function passedOn(n: number): Uint8Array {
	return udp4({ from: AWAY, fromPort: 33333, to: '10.77.0.2', toPort: 4000, ttl: 63,
		payload: curvecp(CLIENT, 'M', fromHex(EXT_ONE, 16)!, new Uint8Array(16), n) })
}

/** Everything that a packet can have wrong, one thing at a time, for each kind of target. */
function oddPackets(datapath: string): Packet[] {
	const zero = new Uint8Array(16)
	const away = { from: AWAY, fromPort: 33333, to: PUBLIC, toPort: 4000 }
	const back = { from: '10.77.0.2', fromPort: 4000, to: AWAY, toPort: 33333 }
	const one = fromHex(EXT_ONE, 16)!
	const answer = curvecp(SERVER, 'M', zero, one, 208)
	const wan = (u: Partial<Udp4>, payload: Uint8Array): Packet =>
		({ side: 'wan', bytes: udp4({ ...away, payload, ...u }) })
	// Only a device can tell the kernel that a checksum is unfinished, not the packet itself; and
	// on the short way padding and wrong header checksums are the server's to find.
	const odds = ODD.filter(({ checksum, headerChecksum, padding }) => datapath !== 'nftables'
		|| (checksum !== 'pseudo' && headerChecksum === undefined && padding === undefined))
	const packets = odds.flatMap((odd) => [
		...ROUTES.map((text) =>
			wan(odd, curvecp(CLIENT, 'H', fromHex(text.slice(0, 32), 16)!, zero, 224))),
		{ side: 'lan', bytes: udp4({ ...back, payload: answer, ...odd }) },
	] satisfies Packet[])
	for (const [kind, n] of [['H', 223], ['H', 240], ['I', 544], ['M', 96], ['M', 120],
		['M', TOO_LONG], ['X', 224], ['K', 200]] as const) {
		packets.push(wan({}, curvecp(CLIENT, kind, one, zero, n)))
	}
	packets.push(wan({}, new Uint8Array(0)), wan({}, new Uint8Array(300)),
		wan({}, curvecp('QvnQ5XX', 'H', one, zero, 224)),
		wan({}, curvecp(CLIENT, 'H', zero, zero, 224)))
	const sent = udp4({ ...back, from: PUBLIC, payload: curvecp(SERVER, 'M', zero, one, 1152) })
	const came = udp4({ ...away, to: '10.77.0.2', payload: curvecp(CLIENT, 'M', one, zero, 1168) })
	const nested = icmp4({ from: AWAY, to: PUBLIC, type: 3, code: 1, quote: sent })
	for (const quote of [...QUOTED.map((n) => sent.subarray(0, n)), nested]) {
		packets.push({ side: 'wan', bytes: icmp4({ from: AWAY, to: PUBLIC, type: 3, code: 1, quote }) })
	}
	for (const n of QUOTED) packets.push({ side: 'lan', bytes: icmp4({
		from: '10.77.0.2', to: AWAY, type: 3, code: 1, quote: came.subarray(0, n),
	}) })
	return packets
}

/** Each seed as it is, then mutants whose sums are mostly right: bytes, lengths and headers. */
function makePackets(): Packet[] {
	const random = makeGenerator(SEED)
	const whole = seeds()
	const packets = [...whole]
	for (let i = 0; i < MUTANTS; i++) {
		const { side, bytes } = whole[random.below(whole.length)]!
		const mutant = bytes.slice(0, bytes.length - (random.below(8) === 0 ? random.below(20) : 0))
		for (let n = 1 + random.below(2); n > 0; n--) {
			// Source and destination stay: where strangers' packets go is the network's business.
			const at = pick(random, mutant.length)
			mutant[at]! ^= 1 << random.below(8)
		}
		if (random.below(8) > 0) heal(mutant)
		packets.push({ side, bytes: mutant })
	}
	return packets
}

function pick(random: Generator, length: number): number {
	for (;;) {
		const at = random.below(random.below(3) === 0 ? length : Math.min(length, 76))
		if (at === 0 || (at >= 12 && at < 20)) continue
		return at
	}
}

function heal(p: Uint8Array): void {
	if (p[0] !== 0x45) return
	p.fill(0, 10, 12)
	write16(p, 10, 0xffff - internetSum([...p.subarray(0, 20)]))
	if (p[9] === 17 && p.length > 28) {
		p.fill(0, 26, 28)
		const pseudo = [...p.subarray(12, 20), 0, 17, (p.length - 20) >> 8, (p.length - 20) & 255]
		write16(p, 26, (0xffff - internetSum([...pseudo, ...p.subarray(20)])) || 0xffff)
	}
	if (p[9] === 1) {
		p.fill(0, 22, 24)
		write16(p, 22, 0xffff - internetSum([...p.subarray(20)]))
	}
}

function write16(p: Uint8Array, at: number, value: number): void {
	p[at] = value >> 8
	p[at + 1] = value & 255
}

interface Expected {
	readonly input: Packet[]
	readonly out: { readonly lan: string[], readonly wan: string[] }
	/** Dropped for their UDP checksum: the kernel does not look at it, the receiver does. */
	readonly badSums: number
	readonly drops: DropCounts
}

function model(packets: readonly Packet[]): Expected {
	const gateway = makeModel()
	const input: Packet[] = []
	const out = { lan: [] as string[], wan: [] as string[] }
	let badSums = 0
	packets.forEach((packet, i) => {
		const frame = loadFrame(packet.bytes)
		const verdict = gateway.decide(frame, packet.side, i)
		// What is not the gateway's is the kernel's to answer as it likes.
		if (verdict.action === 'pass') return
		input.push(packet)
		if (verdict.action === 'drop') {
			const sound = internetSum([...packet.bytes.subarray(0, 20)]) === 0xffff
			if (verdict.drop === 'checksum' && sound) badSums++
			return
		}
		const bytes = frame.bytes.slice(verdict.at, verdict.at + verdict.length)
		if (verdict.way === 'lan' || verdict.way === 'wan') out[verdict.way].push(toHex(bytes))
	})
	return { input, out, badSums, drops: gateway.drops }
}

async function inject(t: ExecutionContext, box: Box, mac: string,
	packets: readonly Packet[]): Promise<void> {
	const tool = box.start(t, process.execPath,
		[resolve('build/out/test/support/wire-tool.js'), 'send', 'eth0', mac])
	tool.feed(packets.map(({ bytes }) => `${toHex(bytes)}\n`).join(''))
	await tool.ended
	t.is(tool.stdout().toString(), '{}\n', tool.stderr())
}

async function through(t: ExecutionContext, site: Site,
	input: readonly Packet[]): Promise<Record<Side, string[]>> {
	const tool = resolve('build/out/test/support/wire-tool.js')
	const listeners =
		[site.one, site.away].map((box) => box.start(t, process.execPath, [tool, 'listen', 'eth0']))
	for (const listener of listeners) await listener.untilPrinted(/ready\n/)
	await inject(t, site.away, site.gw.mac('wan0'), input.filter(({ side }) => side === 'wan'))
	await inject(t, site.one, site.gw.mac('lan0'), input.filter(({ side }) => side === 'lan'))
	// The last word: one more valid packet each way shows that all before it are through.
	const last = udp4({
		from: AWAY, fromPort: 1, to: PUBLIC, toPort: 4000,
		payload: curvecp(CLIENT, 'H', fromHex(EXT_ONE, 16)!, new Uint8Array(16), 224),
	})
	const back = udp4({
		from: '10.77.0.2', fromPort: 4000, to: AWAY, toPort: 1,
		payload: curvecp(SERVER, 'M', new Uint8Array(16), fromHex(EXT_ONE, 16)!, 208),
	})
	await inject(t, site.away, site.gw.mac('wan0'), [{ side: 'wan', bytes: last }])
	await inject(t, site.one, site.gw.mac('lan0'), [{ side: 'lan', bytes: back }])
	const [lan, wan] = listeners
	await lan!.untilPrinted(/\n[0-9a-f]{40}00010fa000e8/)
	await wan!.untilPrinted(/\n[0-9a-f]{40}0fa0000100d8/)
	const lines = (text: string): string[] => text.split('\n').filter((line) => isOurs(line))
	return { lan: lines(lan!.stdout().toString()), wan: lines(wan!.stdout().toString()) }
}

/** UDP and ICMP errors; neither the kernels' own small talk nor the last word. */
function isOurs(line: string): boolean {
	if (/^[0-9a-f]{40}(00010fa000e8|0fa0000100d8)/.test(line)) return false
	if (line.startsWith('6')) return line.slice(12, 14) === '11'
	const protocol = line.slice(18, 20)
	return protocol === '11' || (protocol === '01' && line.slice(40, 44) !== '0303')
}

/** A UDP packet whose checksum is there and wrong. */
function hasBadSum(line: string): boolean {
	const p = fromHex(line, line.length / 2)!
	if (p[0] !== 0x45 || p[9] !== 17 || (p[26] === 0 && p[27] === 0)) return false
	const n = p.length - 20
	return internetSum([...p.subarray(12, 20), 0, 17, n >> 8, n & 255, ...p.subarray(20)]) !== 0xffff
}


/** Reasons that each datapath sees before the kernel does; the rest the kernel may drop first. */
const COUNTED: Readonly<Record<string, readonly Drop[]>> = {
	nftables: ['fragment', 'options', 'ttl', 'magic', 'route'],
	packet: ['fragment', 'options', 'ttl', 'magic', 'route', 'length', 'checksum'],
	raw: ['ttl', 'magic', 'route'],
}

for (const datapath of ['nftables', 'packet', 'raw']) for (const odd of [false, true]) {
	const raw = datapath === 'raw' ? ['raw-socket'] : []
	const what = odd ? 'of what is wrong with a packet too' : `byte for byte (seed ${SEED})`
	needs('linux', 'root', 'netns', 'ip', 'nft', ...raw)(
		`${datapath}: what comes out is what the model says, ${what}`, async (t) => {
		const site = makeSite(t)
		const packets = odd ? oddPackets(datapath) : makePackets()
		const { input, out, badSums, drops } = model(usable(packets, datapath))
		t.true(out.lan.length > 15 && out.wan.length > 5,
			`${out.lan.length} and ${out.wan.length} packets`)
		if (odd && datapath === 'nftables') out.lan.push(toHex(passedOn(TOO_LONG)))
		const control = join(site.folder, 'control.sock')
		const args = [...ROUTES.flatMap((text) => ['--route', text]), '--allow', '10.77.0.2/32',
			'--control', control]
		const gateway = await startGatewayProcess(t, site, datapath, args)
		// Neighbours are known before the first packet: the kernel queues only a few for a stranger.
		for (const [address, box, ifname] of [['10.77.0.2', site.one, 'lan0'],
			['fd00:77::2', site.one, 'lan0'],
			[AWAY, site.away, 'wan0']] as const) {
			site.gw.ip(`neigh replace ${address} lladdr ${box.mac('eth0')} dev ${ifname}`)
		}
		const got = await through(t, site, input)
		const extra = got.lan.concat(got.wan).filter(hasBadSum)
		if (datapath !== 'nftables') t.deepEqual(extra, [], 'wrong checksums stop here')
		else t.true(extra.length <= badSums, `${extra.length} of ${badSums} wrong checksums`)
		const sound = (lines: string[]): string[] => lines.filter((line) => !hasBadSum(line)).sort()
		t.deepEqual(compare(sound(got.lan), out.lan), { missing: [], surplus: [] })
		t.deepEqual(compare(sound(got.wan), out.wan), { missing: [], surplus: [] })
		t.is(gateway.running, true)
		if (!odd) return
		const { stdout } = runCurvegate(['status', '--json', '--control', control])
		const counted: Record<string, number> = JSON.parse(stdout).gateway.drops
		for (const drop of COUNTED[datapath] ?? []) t.is(counted[drop], drops[drop], drop)
	})
}

/** Multisets; the first few of what differs. */
function compare(got: string[], wanted: string[]): { missing: string[], surplus: string[] } {
	const left = [...got].sort()
	const missing = [...wanted].filter((line) => {
		const i = left.indexOf(line)
		if (i >= 0) left.splice(i, 1)
		return i < 0
	})
	return { missing: missing.slice(0, 5), surplus: left.slice(0, 5) }
}

/** Without what a datapath says that it cannot do. */
function usable(packets: readonly Packet[], datapath: string): readonly Packet[] {
	if (datapath !== 'raw') return packets
	return packets.filter(({ side, bytes }) => {
		const six = bytes.length > 52 && (bytes[36] === 0x55 || bytes[36] === 0x66)
		return !six && bytes[0] === 0x45 && (side === 'wan' || bytes[9] === 17)
	})
}
