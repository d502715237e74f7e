// The gateway that the fixtures speak of, and the fixtures: a sentence, a packet, and the packet or
// the reason that comes out. Expected packets are built from their fields, not by the code under
// test.

import { fromHex, toHex } from '../../src/base/hex.ts'
import { Fence, parseFenceEntry, type FenceEntry } from '../../src/gateway/fence.ts'
import { Forwarder, type Side } from '../../src/gateway/forward.ts'
import { Tables, type Settings } from '../../src/gateway/tables.ts'
import { Forbidden, parseTarget } from '../../src/gateway/target.ts'
import { parseIpv4, parseIpv6 } from '../../src/wire/ip.ts'
import { makeGenerator } from './generator.ts'
import {
	CLIENT, curvecp, icmp4, ip4, loadFrame, SERVER, udp4, udp6, type Icmp, type Udp4, type Udp6,
} from './packets.ts'

export const PUBLIC = '192.0.2.1'
const AWAY = '198.51.100.7'
const SERVER4 = '10.77.0.2'
export const OTHER4 = '10.77.0.3'
const SERVER6 = parseIpv6('fd00:77::2')!
const PREFIX = parseIpv6('64:ff9b:1::')!
export const EXT = {
	plain: hex('000102030405060708090a0b0c0d0e0f'), ported: hex('11'.repeat(16)),
		own: hex('22'.repeat(16)),
	ownSame: hex('33'.repeat(16)), mac: hex('44'.repeat(16)), six: hex('55'.repeat(16)),
	sixPort: hex('66'.repeat(16)), client: hex('77'.repeat(16)), none: hex('88'.repeat(16)),
	zero: hex('00'.repeat(16)),
}

export function hex(text: string): Uint8Array {
	return fromHex(text, text.length / 2)!
}

export function makeGateway(more: Partial<Settings> = {}): Forwarder {
	const tables = new Tables({
		address: parseIpv4(PUBLIC)!, ports: [4000], clientsPrefix: PREFIX.subarray(0, 12),
		forbidden: new Forbidden([parseIpv4(PUBLIC)!, parseIpv4('10.77.0.1')!], []),
		fence: undefined, sealer: undefined, routesMax: 64, ...more,
	}, makeGenerator(1))
	const routes: [Uint8Array, string][] = [
		[EXT.plain, SERVER4], [EXT.ported, `${OTHER4}:5000`], [EXT.own, ':4001'],
			[EXT.ownSame, ':4000'],
		[EXT.mac, 'mac:02:00:00:00:00:05'], [EXT.six, '[fd00:77::2]'],
			[EXT.sixPort, '[fd00:77::3]:5000'],
		[EXT.client, '10.77.0.9'],
	]
	for (const [extension, text] of routes) {
		const target = parseTarget(text)
		if (typeof target === 'string') throw new Error(target)
		const wrong = tables.setRoute(extension, target)
		if (wrong !== undefined) throw new Error(wrong)
	}
	return new Forwarder(tables)
}

export function fence(entries: string[], ports: number[]): Fence {
	return new Fence(entries.map((text) => {
		const entry = parseFenceEntry(text)
		if (typeof entry === 'string') throw new Error(entry)
		return entry
	}) satisfies FenceEntry[], ports)
}

const hello = (extension: Uint8Array): Uint8Array => curvecp(CLIENT, 'H', extension, EXT.zero, 224)

/** A client's packet on its way in. */
export function inward(extension: Uint8Array, more: Partial<Udp4> = {}): Udp4 {
	return { from: AWAY, fromPort: 33333, to: PUBLIC, toPort: 4000, payload: hello(extension),
		...more }
}

const answer = curvecp(SERVER, 'M', EXT.zero, EXT.plain, 1152)

/** A server's packet on its way out. */
export function outward(more: Partial<Udp4> = {}): Udp4 {
	return { from: SERVER4, fromPort: 4000, to: AWAY, toPort: 33333, payload: answer, ...more }
}

function client6(address: string): Uint8Array {
	const bytes = PREFIX.slice()
	bytes.set(address.split('.').map(Number), 12)
	return bytes
}

function outward6(more: Partial<Udp6> = {}): Udp6 {
	return {
		from: SERVER6, fromPort: 4000, to: client6(AWAY), toPort: 33333, payload: answer, ttl: 64,
			...more,
	}
}

/** What our server's packet looks like in the Internet, quoted by a router there. */
export const sentOut = udp4(outward({ from: PUBLIC, ttl: 57 }))
export const sentIn = udp4(inward(EXT.plain, { to: SERVER4, ttl: 63 }))
export const awayError = (quote: Uint8Array, more: Partial<Icmp> = {}): Icmp =>
	({ from: '203.0.113.9', to: PUBLIC, type: 3, code: 3, quote, ...more })
export const homeError = (quote: Uint8Array, more: Partial<Icmp> = {}): Icmp =>
	({ from: SERVER4, to: AWAY, type: 3, code: 3, quote, ...more })

type Result = string | { way: string, packet: Uint8Array, mac?: string }
type Fixture = [number: number, sentence: string, side: Side, packet: Uint8Array, result: Result]

const lan = (u: Udp4): Result => ({ way: 'lan', packet: udp4(u) })
export const wan = (u: Udp4): Result => ({ way: 'wan', packet: udp4(u) })

export const fixtures: Fixture[] = [
	[1, 'a Hello goes to its server', 'wan', udp4(inward(EXT.plain)),
		lan(inward(EXT.plain, { to: SERVER4, ttl: 63 }))],
	[2, 'an Initiate too', 'wan',
		udp4(inward(EXT.plain, { payload: curvecp(CLIENT, 'I', EXT.plain, EXT.zero, 1184) })),
		lan(inward(EXT.plain, {
			to: SERVER4, ttl: 63, payload: curvecp(CLIENT, 'I', EXT.plain, EXT.zero, 1184),
		}))],
	[3, 'a client Message to a server on another port', 'wan',
		udp4(inward(EXT.ported, { payload: curvecp(CLIENT, 'M', EXT.ported, EXT.zero, 112) })),
		lan(inward(EXT.ported, {
			to: OTHER4, toPort: 5000, ttl: 63, payload: curvecp(CLIENT, 'M', EXT.ported, EXT.zero, 112),
		}))],
	[4, 'a Cookie to a local client', 'wan',
		udp4(inward(EXT.client, { payload: curvecp(SERVER, 'K', EXT.client, EXT.zero, 200) })),
		lan(inward(EXT.client, {
			to: '10.77.0.9', ttl: 63, payload: curvecp(SERVER, 'K', EXT.client, EXT.zero, 200),
		}))],
	[5, 'a server on the gateway itself, on another port: the TTL stays', 'wan',
		udp4(inward(EXT.own)),
		{ way: 'own', packet: udp4(inward(EXT.own, { toPort: 4001 })) }],
	[6, 'a server on the gateway itself, on the gateway’s port: unchanged', 'wan',
		udp4(inward(EXT.ownSame)), { way: 'own', packet: udp4(inward(EXT.ownSame)) }],
	[7, 'direct server return: only the frame’s destination', 'wan', udp4(inward(EXT.mac)),
		{ way: 'mac', packet: udp4(inward(EXT.mac)), mac: '020000000005' }],
	[8, 'an IPv6 server sees the client under the prefix', 'wan',
		udp4(inward(EXT.six, { tos: 0xb8 })),
		{ way: 'lan', packet: udp6({
			...inward(EXT.six), from: client6(AWAY), to: SERVER6, ttl: 63, tos: 0xb8,
		}) }],
	[9, 'an IPv6 server on another port', 'wan', udp4(inward(EXT.sixPort)),
		{ way: 'lan', packet: udp6({
			...inward(EXT.sixPort), from: client6(AWAY), to: parseIpv6('fd00:77::3')!, toPort: 5000,
				ttl: 63,
		}) }],
	[10, 'the largest packet to an IPv6 server is 1,232 bytes', 'wan',
		udp4(inward(EXT.six, { payload: curvecp(CLIENT, 'M', EXT.six, EXT.zero, 1184) })),
		{ way: 'lan', packet: udp6({
			...inward(EXT.six, { payload: curvecp(CLIENT, 'M', EXT.six, EXT.zero, 1184) }),
			from: client6(AWAY), to: SERVER6, ttl: 63,
		}) }],
	[11, 'no checksum stays none', 'wan', udp4(inward(EXT.plain, { checksum: 'zero' })),
		lan(inward(EXT.plain, { to: SERVER4, ttl: 63, checksum: 'zero' }))],
	[12, 'no checksum, rewritten port', 'wan', udp4(inward(EXT.ported, { checksum: 'zero' })),
		lan(inward(EXT.ported, { to: OTHER4, toPort: 5000, ttl: 63, checksum: 'zero' }))],
	[13, 'no checksum becomes one in IPv6', 'wan', udp4(inward(EXT.six, { checksum: 'zero' })),
		{ way: 'lan',
			packet: udp6({ ...inward(EXT.six), from: client6(AWAY), to: SERVER6, ttl: 63 }) }],
	[14, 'an unfinished checksum is finished', 'wan',
		udp4(inward(EXT.ported, { checksum: 'pseudo' })),
		lan(inward(EXT.ported, { to: OTHER4, toPort: 5000, ttl: 63 }))],
	[15, 'an unfinished checksum is finished for IPv6', 'wan',
		udp4(inward(EXT.sixPort, { checksum: 'pseudo' })),
		{ way: 'lan', packet: udp6({
			...inward(EXT.sixPort), from: client6(AWAY), to: parseIpv6('fd00:77::3')!, toPort: 5000,
				ttl: 63,
		}) }],
	[16, 'a wrong UDP checksum', 'wan', udp4(inward(EXT.plain, { checksum: 0x1111 })), 'checksum'],
	[17, 'a wrong UDP checksum to an IPv6 server', 'wan', udp4(inward(EXT.six, { checksum: 0x1111 })),
		'checksum'],
	[18, 'a wrong header checksum', 'wan', udp4(inward(EXT.plain, { headerChecksum: 0x1111 })),
		'checksum'],
	[19, 'an unknown extension is silence', 'wan', udp4(inward(EXT.none)), 'route'],
	[20, 'an unknown extension of zeros too', 'wan', udp4(inward(EXT.zero)), 'route'],
	[21, 'TTL 1', 'wan', udp4(inward(EXT.plain, { ttl: 1 })), 'ttl'],
	[22, 'TTL 0', 'wan', udp4(inward(EXT.plain, { ttl: 0 })), 'ttl'],
	[23, 'TTL 2 arrives as 1', 'wan', udp4(inward(EXT.plain, { ttl: 2 })),
		lan(inward(EXT.plain, { to: SERVER4, ttl: 1 }))],
	[24, 'a first fragment', 'wan', udp4(inward(EXT.plain, { fragment: 0x2000 })), 'fragment'],
	[25, 'a later fragment has no port and is the kernel’s', 'wan',
		udp4(inward(EXT.plain, { fragment: 0x2003 })), 'pass'],
	[26, 'IP options', 'wan', udp4(inward(EXT.plain, { options: [1, 1, 1, 0] })), 'options'],
	[27, 'fragment with options counts as a fragment', 'wan',
		udp4(inward(EXT.plain, { options: [1, 1, 1, 0], fragment: 0x2000 })), 'fragment'],
	[28, 'a total length beyond the frame', 'wan', udp4(inward(EXT.plain, { totalLength: 600 })),
		'length'],
	[29, 'a total length below the headers', 'wan', udp4(inward(EXT.plain, { totalLength: 27 })),
		'length'],
	[30, 'a UDP length below the IP length', 'wan', udp4(inward(EXT.plain, { udpLength: 216 })),
		'length'],
	[31, 'a UDP length beyond the IP length', 'wan', udp4(inward(EXT.plain, { udpLength: 300 })),
		'length'],
	[32, 'link padding is cut off', 'wan', udp4(inward(EXT.plain, { padding: 7 })),
		lan(inward(EXT.plain, { to: SERVER4, ttl: 63 }))],
	[33, 'a Hello one byte short', 'wan',
		udp4(inward(EXT.plain, { payload: hello(EXT.plain).subarray(0, 223) })), 'length'],
	[34, 'an empty datagram', 'wan', udp4(inward(EXT.plain, { payload: new Uint8Array(0) })),
		'length'],
	[35, 'a foreign magic', 'wan',
		udp4(inward(EXT.plain, { payload: curvecp('QvnQ5XX', 'H', EXT.plain, EXT.zero, 224) })),
			'magic'],
	[36, 'an unknown kind', 'wan',
		udp4(inward(EXT.plain, { payload: curvecp(CLIENT, 'X', EXT.plain, EXT.zero, 224) })), 'magic'],
	[37, 'a Cookie’s length in a Hello', 'wan',
		udp4(inward(EXT.plain, { payload: curvecp(CLIENT, 'H', EXT.plain, EXT.zero, 200) })), 'length'],
	[38, 'another port of the gateway is the kernel’s', 'wan',
		udp4(inward(EXT.plain, { toPort: 4001 })),
		'pass'],
	[39, 'another address is the kernel’s', 'wan', udp4(inward(EXT.plain, { to: '192.0.2.2' })),
		'pass'],
	[40, 'TCP is the kernel’s', 'wan', ip4(6, AWAY, PUBLIC, new Array<number>(20).fill(0)), 'pass'],
	[41, 'nineteen bytes are the kernel’s', 'wan', udp4(inward(EXT.plain)).subarray(0, 19), 'pass'],
	[42, 'a server’s Message leaves under the public address', 'lan', udp4(outward()),
		wan(outward({ from: PUBLIC, ttl: 63 }))],
	[43, 'a server on another port leaves from the public port', 'lan',
		udp4(outward({ from: OTHER4, fromPort: 5000 })), wan(outward({ from: PUBLIC, ttl: 63 }))],
	[44, 'a local client’s Hello leaves under the public address', 'lan',
		udp4(outward({ from: '10.77.0.9', payload: hello(EXT.none), to: '203.0.113.1', toPort: 4000 })),
		wan(outward({ from: PUBLIC, payload: hello(EXT.none), to: '203.0.113.1', toPort: 4000,
			ttl: 63 }))],
	[45, 'an unfinished checksum on the way out is finished', 'lan',
		udp4(outward({ checksum: 'pseudo' })),
		wan(outward({ from: PUBLIC, ttl: 63 }))],
	[46, 'another port of a server is the kernel’s', 'lan', udp4(outward({ fromPort: 53 })), 'pass'],
	[47, 'another local machine is the kernel’s', 'lan', udp4(outward({ from: '10.77.0.8' })),
		'pass'],
	[48, 'the port of another server is the kernel’s', 'lan', udp4(outward({ fromPort: 5000 })),
		'pass'],
	[49, 'foreign bytes from a server’s port do not leave', 'lan',
		udp4(outward({ payload: new Uint8Array(224) })), 'magic'],
	[50, 'TTL 1 on the way out', 'lan', udp4(outward({ ttl: 1 })), 'ttl'],
	[51, 'a wrong checksum on the way out', 'lan', udp4(outward({ checksum: 1 })), 'checksum'],
	[52, 'to the gateway’s own address is the kernel’s', 'lan', udp4(outward({ to: PUBLIC })),
		'pass'],
	[53, 'an IPv6 server’s Message leaves as IPv4', 'lan', udp6(outward6({ tos: 0x28 })),
		wan(outward({ from: PUBLIC, ttl: 63, id: 0, tos: 0x28 }))],
	[54, 'an IPv6 server on another port', 'lan',
		udp6(outward6({ from: parseIpv6('fd00:77::3')!, fromPort: 5000 })),
		wan(outward({ from: PUBLIC, ttl: 63, id: 0 }))],
	[55, 'an unknown IPv6 source to the clients’ prefix', 'lan',
		udp6(outward6({ from: client6('1.2.3.4') })),
		'route'],
	[56, 'IPv6 to elsewhere is the kernel’s', 'lan', udp6(outward6({ to: SERVER6 })), 'pass'],
	[57, 'IPv6 to a loopback address inside the prefix', 'lan',
		udp6(outward6({ to: client6('127.0.0.1') })),
		'fence'],
	[58, 'IPv6 without a checksum', 'lan', udp6(outward6({ checksum: 'zero' })), 'checksum'],
	[59, 'IPv6 hop limit 1', 'lan', udp6(outward6({ ttl: 1 })), 'ttl'],
	[60, 'an IPv6 fragment', 'lan', udp6(outward6({ next: 44 })), 'fragment'],
	[61, 'an IPv6 extension header', 'lan', udp6(outward6({ next: 0 })), 'options'],
	[62, 'ICMPv6 to the clients’ prefix', 'lan', udp6(outward6({ next: 58 })), 'policy'],
	[63, 'an IPv6 length beyond the frame', 'lan', udp6(outward6({ totalLength: 1400 })), 'length'],
	[64, 'an error from the Internet reaches the server that it is about', 'wan',
		icmp4(awayError(sentOut.subarray(0, 100))),
		{ way: 'lan', packet: icmp4(awayError(udp4(outward({ ttl: 57 })).subarray(0, 100),
			{ to: SERVER4, ttl: 63 })) }],
	[65, 'an error about a changed port', 'wan',
		icmp4(awayError(udp4(outward({
			from: PUBLIC, payload: curvecp(SERVER, 'M', EXT.zero, EXT.ported, 80),
		})))),
		{ way: 'lan', packet: icmp4(awayError(udp4(outward({
			from: OTHER4, fromPort: 5000, payload: curvecp(SERVER, 'M', EXT.zero, EXT.ported, 80),
		})), { to: OTHER4, ttl: 63 })) }],
	[66, '48 quoted bytes are enough', 'wan', icmp4(awayError(sentOut.subarray(0, 68))),
		{ way: 'lan', packet: icmp4(awayError(udp4(outward({ ttl: 57 })).subarray(0, 68),
			{ to: SERVER4, ttl: 63 })) }],
	[67, '47 are not', 'wan', icmp4(awayError(sentOut.subarray(0, 67))), 'length'],
	[68, 'an odd number of quoted bytes', 'wan', icmp4(awayError(sentOut.subarray(0, 77))),
		{ way: 'lan', packet: icmp4(awayError(udp4(outward({ ttl: 57 })).subarray(0, 77),
			{ to: SERVER4, ttl: 63 })) }],
	[69, 'an MTU is passed on', 'wan',
		icmp4(awayError(sentOut.subarray(0, 68), { code: 4, rest: [0, 0, 5, 0] })),
		{ way: 'lan', packet: icmp4(awayError(udp4(outward({ ttl: 57 })).subarray(0, 68),
			{ to: SERVER4, ttl: 63, code: 4, rest: [0, 0, 5, 0] })) }],
	[70, 'a wrong ICMP checksum', 'wan', icmp4(awayError(sentOut, { checksum: 1 })), 'checksum'],
	[71, 'an error with TTL 1', 'wan', icmp4(awayError(sentOut, { ttl: 1 })), 'ttl'],
	[72, 'an echo request is the kernel’s', 'wan', icmp4(awayError(sentOut, { type: 8 })), 'pass'],
	[73, 'an error about something else is the kernel’s', 'wan',
		icmp4(awayError(udp4(outward({ from: PUBLIC, fromPort: 53 })))), 'pass'],
	[74, 'an error about an error is the kernel’s', 'wan',
		icmp4(awayError(icmp4(awayError(sentOut)))), 'pass'],
	[75, 'an error that quotes an unknown extension', 'wan',
		icmp4(awayError(udp4(outward({
			from: PUBLIC, payload: curvecp(SERVER, 'M', EXT.zero, EXT.none, 80),
		})))), 'route'],
	[76, 'an error about a server on the gateway itself is the kernel’s', 'wan',
		icmp4(awayError(udp4(outward({
			from: PUBLIC, payload: curvecp(SERVER, 'M', EXT.zero, EXT.own, 80),
		})))), 'pass'],
	[77, 'an error about an IPv6 server is not translated', 'wan',
		icmp4(awayError(udp4(outward({
			from: PUBLIC, payload: curvecp(SERVER, 'M', EXT.zero, EXT.six, 80),
		})))), 'policy'],
	[78, 'an error about a direct server goes to its MAC as it is', 'wan',
		icmp4(awayError(udp4(outward({
			from: PUBLIC, payload: curvecp(SERVER, 'M', EXT.zero, EXT.mac, 80),
		})))),
		{ way: 'mac', mac: '020000000005', packet: icmp4(awayError(udp4(outward({
			from: PUBLIC, payload: curvecp(SERVER, 'M', EXT.zero, EXT.mac, 80),
		})))) }],
	[79, 'an error that quotes foreign bytes', 'wan',
		icmp4(awayError(udp4(outward({ from: PUBLIC, payload: new Uint8Array(80) })))), 'magic'],
	[80, 'an error from a server names the public address, inside and outside', 'lan',
		icmp4(homeError(sentIn)),
		{ way: 'wan', packet: icmp4(homeError(udp4(inward(EXT.plain, { ttl: 63 })),
			{ from: PUBLIC, ttl: 63 })) }],
	[81, 'eight quoted bytes behind the header are enough outward', 'lan',
		icmp4(homeError(sentIn.subarray(0, 28))),
		{ way: 'wan', packet: icmp4(homeError(udp4(inward(EXT.plain, { ttl: 63 })).subarray(0, 28),
			{ from: PUBLIC, ttl: 63 })) }],
	[82, 'an error about a changed port names the public one', 'lan',
		icmp4(homeError(udp4(inward(EXT.ported, { to: OTHER4, toPort: 5000 })), { from: OTHER4 })),
		{ way: 'wan', packet: icmp4(homeError(udp4(inward(EXT.ported)), { from: PUBLIC, ttl: 63 })) }],
	[83, 'an error from a router behind us too', 'lan',
		icmp4(homeError(sentIn, { from: '10.77.5.5' })),
		{ way: 'wan', packet: icmp4(homeError(udp4(inward(EXT.plain, { ttl: 63 })),
			{ from: PUBLIC, ttl: 63 })) }],
	[84, 'an error to somebody who did not send the quoted packet', 'lan',
		icmp4(homeError(sentIn, { to: '198.51.100.8' })), 'policy'],
	[85, 'an error about other traffic of a server is the kernel’s', 'lan',
		icmp4(homeError(udp4(inward(EXT.plain, { to: SERVER4, toPort: 53 })))), 'pass'],
	[86, 'a quoted datagram without checksum keeps none', 'lan',
		icmp4(homeError(udp4(inward(EXT.plain, { to: SERVER4, checksum: 'zero' })))),
		{ way: 'wan', packet: icmp4(homeError(udp4(inward(EXT.plain, { checksum: 'zero' })),
			{ from: PUBLIC, ttl: 63 })) }],
]

export function check(gateway: Forwarder, side: Side, packet: Uint8Array): Result {
	const frame = loadFrame(packet)
	const verdict = gateway.decide(frame, side, 0)
	if (verdict.action !== 'forward') return verdict.action === 'pass' ? 'pass' : verdict.drop
	const out = frame.bytes.slice(verdict.at, verdict.at + verdict.length)
	const plain = { way: verdict.way, packet: out }
	return verdict.way === 'mac' ? { ...plain, mac: toHex(verdict.mac) } : plain
}
