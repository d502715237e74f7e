// The decision as an nftables ruleset: the same checks in the same order as forward.ts, in the
// kernel. Text only; platform/nft.ts hands it to nft. One table in the ip family, and one in netdev
// for MACs. spec: gateway.md 1

import { formatIpv4, mask4 } from '../wire/ip.ts'
import {
	CLIENT_MAGIC, CLIENT_MESSAGE_BOX, COOKIE_PACKET_BYTES, HELLO_BYTES, INITIATE_MESSAGE, KIND_COOKIE,
	KIND_HELLO, KIND_INITIATE, KIND_MESSAGE, MESSAGE_MIN, SERVER_MAGIC, SERVER_MESSAGE_BOX,
	TO_CLIENT_MAX, TO_CLIENT_MIN, TO_SERVER_MAX,
} from '../wire/packets.ts'
import type { Rate } from './buckets.ts'
import type { Fence } from './fence.ts'
import { IPV4_BYTES, UDP_BYTES } from './frame.ts'

export interface NftSettings {
	/** Name of our tables; nobody else's. */
	readonly table: string
	readonly comment: string
	readonly wan: string
	readonly lan: string
	readonly address: number
	readonly ports: readonly number[]
	readonly fence: Fence | undefined
	readonly sealed: boolean
	/**
	 * Local ports, one for each public port, where userspace waits for extensions that it must look
	 * at itself; empty: nobody waits, and they are dropped.
	 */
	readonly divertPorts: readonly number[]
	/** MAC of the lan interface, for direct server return; undefined: no such targets. */
	readonly lanMac: string | undefined
	/** There are such targets now; without, no packet pays for them. */
	readonly direct: boolean
	/** undefined: unlimited. */
	readonly sourceRate: Rate | undefined
	readonly targetRate: Rate | undefined
	/** Count packets for each route; costs memory in the kernel. */
	readonly routeCounters: boolean
	readonly learnedMax: number
	readonly learnedSeconds: number
	readonly changedPortSeconds: number
}

/** Names of the counters that the kernel keeps: drop reasons, and what was sent on. */
export const NFT_DROPS =
	['fragment', 'options', 'ttl', 'length', 'magic', 'route', 'rate', 'policy'] as const

// The UDP payload starts 64 bits after @th; bits count from @th. spec: protocol.md 0.3
const MAGIC = '@th,64,56'
const KIND = '@th,120,8'
const RECEIVER = '@th,128,128'
const SENDER = '@th,256,128'
const TYPE = '@th,128,8'
const SHAPE = `ip length . udp length . ${KIND}`
const TO_SERVER = hexMagic(CLIENT_MAGIC)
const TO_CLIENT = hexMagic(SERVER_MAGIC)

/** Longer than any Ethernet's packet: a train of datagrams that the kernel has not yet cut up. */
const TRAIN_LENGTH = 1500
const HEADERS = [
	'ip frag-off & 0x3fff != 0 counter name c_fragment drop',
	'ip hdrlength != 5 counter name c_options drop',
	'ip ttl < 2 counter name c_ttl drop',
]
/** What one port diverts to userspace at most; the rest is dropped, as in every overload. */
const DIVERT_RATE = { perSecond: 50_000, burst: 10_000 }

/** Empty sets and maps. Elements follow in portions, and only then the chains. */
export function nftTable(s: NftSettings): string {
	const counter = s.routeCounters ? ' counter;' : ''
	const lines = [
		`table ip ${s.table} {`,
		`  comment "${s.comment}"`,
		...['in', 'out', 'divert', ...NFT_DROPS].map((name) => `  counter c_${name} { }`),
		...shapeSets(),
		`  map servers { typeof ${RECEIVER} : ip daddr;${counter} }`,
		// The same for those whose port changes: most packets then cost one look-up.
		`  map ported { typeof ${RECEIVER} : ip daddr;${counter} }`,
		`  set own { typeof ${RECEIVER};${counter} }`,
		// Where the target's port is another than the public one.
		`  map ports { typeof ${RECEIVER} : udp dport; }`,
		`  set changed { typeof ${RECEIVER}; }`,
		// For userspace: what the kernel cannot translate.
		`  set upward { typeof ${RECEIVER}; }`,
		`  map learned { typeof ${RECEIVER} : ip daddr; flags timeout; size ${s.learnedMax}; `
		+ `timeout ${s.learnedSeconds}s; }`,
		'  set locals { typeof ip saddr . udp sport; }',
		// The same, as ICMP errors quote them.
		'  set quoted { typeof @th,192,32 . @th,240,16; }',
		'  map backs { typeof ip saddr . udp sport : udp sport; }',
		'  map own_backs { typeof udp sport : udp sport; }',
		...s.ports.slice(1).map((port) =>
			`  set from_${port} { typeof ${RECEIVER} . ip saddr . udp sport; `
			+ `flags dynamic,timeout; size 65536; timeout ${s.changedPortSeconds}s; }`),
		...rateSet('sources', 'ip saddr', s.sourceRate),
		...rateSet('targets', 'ip daddr', s.targetRate),
		'}',
	]
	if (s.lanMac !== undefined) {
		lines.push(`table netdev ${s.table} {`, `  comment "${s.comment}"`, ...shapeSets(),
			`  map macs { typeof ${RECEIVER} : ether daddr; }`, '}')
	}
	return `${lines.join('\n')}\n`
}

function rateSet(name: string, key: string, rate: Rate | undefined): string[] {
	if (rate === undefined) return []
	return [`  set ${name} { typeof ${key}; flags dynamic,timeout; size 65536; timeout 10s; }`]
}

/** Every legal combination of IP length, UDP length and kind. */
function shapeSets(): string[] {
	return [
		`  set to_server { typeof ${SHAPE}; elements = { ${toServerShapes().join(', ')} } }`,
		`  set to_client { typeof ${SHAPE}; elements = { ${toClientShapes().join(', ')} } }`,
	]
}

/** The chains: from this transaction on the kernel forwards. */
export function nftChains(s: NftSettings): string {
	const lines = [
		`table ip ${s.table} {`,
		...chain('leaving', leaving(s)),
		...s.targetRate === undefined ? []
			: chain('targeted', limit('targets', 'ip daddr', s.targetRate), 'counter name c_in accept'),
		...chain('divert_now', divertNow(s)),
		...chain('divert', divert(s), 'counter name c_route drop'),
		...chain('route', route(s)),
		...chain('refused', [
			`udp length < ${TO_CLIENT_MIN + UDP_BYTES} counter name c_length drop`,
			`udp length > ${TO_SERVER_MAX + UDP_BYTES} counter name c_length drop`,
			`${MAGIC} ${TO_SERVER} ${KIND} ${kinds(TO_SERVER_KINDS)} counter name c_length drop`,
			`${MAGIC} ${TO_CLIENT} ${KIND} ${kinds(TO_CLIENT_KINDS)} counter name c_length drop`,
			'counter name c_magic drop',
		]),
		...chain('inward', HEADERS, gate('goto route'), 'goto refused'),
		...chain('outward', HEADERS, gate('notrack accept'), 'goto refused'),
		...chain('pre', prerouting(s)),
		...chain('output', output(s)),
		...chain('post', postrouting(s)),
		'}',
	]
	if (s.lanMac !== undefined && s.direct) lines.push(...netdev(s, s.lanMac))
	return `${lines.join('\n')}\n`
}

function chain(name: string, ...parts: (readonly string[] | string)[]): string[] {
	return [`  chain ${name} {`, ...parts.flat().map((rule) => `    ${rule}`), '  }']
}

function prerouting(s: NftSettings): string[] {
	const wan = `iifname "${s.wan}" ip daddr ${formatIpv4(s.address)}`
	const lan = `iifname "${s.lan}"`
	const fenced = fenceSources(s)
	const rules = [
		// Before defragmentation (-400), so that fragments are seen for what they are.
		'type filter hook prerouting priority -450; policy accept;',
		`${wan} udp dport ${list(s.ports)} goto inward`,
		`${lan} ip saddr . udp sport @locals goto outward`,
		...(fenced === undefined ? [] : [`${lan} ${fenced} goto outward`]),
		...(s.divertPorts.length === 0
			? [] : [`${wan} udp dport ${list(s.divertPorts)} counter name c_policy drop`]),
	]
	// An error that quotes a local address leaves only as userspace has rewritten it.
	const error = `${lan} icmp type { 3, 11, 12 } @th,64,8 0x45 @th,136,8 17`
	rules.push(`${error} @th,192,32 . @th,240,16 @quoted counter name c_policy drop`)
	for (const entry of s.fence?.entries ?? []) {
		if (entry.kind !== 'ipv4') continue
		const { base, bits } = entry.prefix
		rules.push(`${error} @th,192,32 & ${hex32(mask4(bits))} == ${hex32(base)} `
			+ `@th,240,16 ${list(s.fence!.ports)} counter name c_policy drop`)
	}
	return rules
}

function fenceSources(s: NftSettings): string | undefined {
	const prefixes = (s.fence?.entries ?? []).flatMap((entry) =>
		entry.kind === 'ipv4' ? [`${formatIpv4(entry.prefix.base)}/${entry.prefix.bits}`] : [])
	if (s.fence === undefined || prefixes.length === 0) return undefined
	return `ip saddr { ${prefixes.join(', ')} } udp sport ${list(s.fence.ports)}`
}

/** Legal CurveCP packets go to `verdict`; what is left is none. */
function gate(verdict: string): string[] {
	return [
		`${MAGIC} ${TO_SERVER} ${SHAPE} @to_server ${verdict}`,
		`${MAGIC} ${TO_CLIENT} ${SHAPE} @to_client ${verdict}`,
		`ip length > ${TRAIN_LENGTH} ${MAGIC} { ${TO_SERVER}, ${TO_CLIENT} } ${verdict}`,
	]
}

function route(s: NftSettings): string[] {
	const found = s.targetRate === undefined ? 'counter name c_in accept' : 'goto targeted'
	return [
		'notrack',
		...limit('sources', 'ip saddr', s.sourceRate),
		...s.ports.slice(1).map((port) => `udp dport ${port} ${RECEIVER} @changed `
			+ `update @from_${port} { ${RECEIVER} . ip saddr . udp sport }`),
		`ip daddr set ${RECEIVER} map @servers ${found}`,
		`ip daddr set ${RECEIVER} map @learned ${found}`,
		`udp dport set ${RECEIVER} map @ports`,
		`ip daddr set ${RECEIVER} map @ported ${found}`,
		`${RECEIVER} @own counter name c_in accept`,
		'goto divert',
	]
}

/** To userspace: IPv6 servers, and extensions that carry an address and are not yet learnt. */
function divert(s: NftSettings): string[] {
	if (s.divertPorts.length === 0) return []
	const rules = [`${RECEIVER} @upward goto divert_now`]
	if (s.fence !== undefined) {
		rules.push(`${TYPE} ${s.sealed ? '& 0x1f == 0x10' : '{ 1, 2, 3 }'} goto divert_now`)
	}
	return rules
}

function divertNow(s: NftSettings): string[] {
	return [
		...s.divertPorts.map((port, i) =>
			`udp dport ${s.ports[i]!} limit rate ${DIVERT_RATE.perSecond}/second `
			+ `burst ${DIVERT_RATE.burst} packets counter name c_divert udp dport set ${port} accept`),
		'counter name c_rate drop',
	]
}

/** Servers on this machine answer from the public port, whatever port they listen on. */
function output(s: NftSettings): string[] {
	return [
		'type filter hook output priority raw; policy accept;',
		`ip saddr ${formatIpv4(s.address)} meta l4proto udp ${MAGIC} ${TO_CLIENT} notrack`,
	]
}

function leaving(s: NftSettings): string[] {
	const address = `ip saddr set ${formatIpv4(s.address)} counter name c_out accept`
	return [
		...s.ports.slice(1).map((port) => `${fromPort(port)} udp sport set ${port} ${address}`),
		'udp sport set ip saddr . udp sport map @backs',
		address,
	]
}

function postrouting(s: NftSettings): string[] {
	const wan = `oifname "${s.wan}"`
	const own = `${wan} ip saddr ${formatIpv4(s.address)} meta l4proto udp ${MAGIC} ${TO_CLIENT}`
	const fenced = fenceSources(s)
	return [
		'type filter hook postrouting priority raw; policy accept;',
		`${wan} ip saddr . udp sport @locals goto leaving`,
		...(fenced === undefined ? [] : [`${wan} ${fenced} goto leaving`]),
		...s.ports.slice(1).map((port) =>
			`${own} ${fromPort(port)} udp sport set ${port} counter name c_out accept`),
		`${own} udp sport set udp sport map @own_backs counter name c_out accept`,
	]
}

function fromPort(port: number): string {
	return `${SENDER} . ip daddr . udp dport @from_${port}`
}

function limit(name: string, key: string, rate: Rate | undefined): string[] {
	if (rate === undefined) return []
	const { perSecond, burst } = rate
	return [`update @${name} { ${key} limit rate over ${perSecond}/second burst ${burst} packets } `
		+ 'counter name c_rate drop']
}

function netdev(s: NftSettings, lanMac: string): string[] {
	return [
		`table netdev ${s.table} {`,
		...chain('pre', [
			`type filter hook ingress device "${s.wan}" priority 0; policy accept;`,
			`ip daddr ${formatIpv4(s.address)} udp dport ${list(s.ports)} ip frag-off & 0x3fff == 0 `
			+ `ip hdrlength 5 ip ttl > 1 ${MAGIC} ${TO_SERVER} ${SHAPE} @to_server `
			+ `ether daddr set ${RECEIVER} map @macs ether saddr set ${lanMac} fwd to "${s.lan}"`,
		]),
		'}',
	]
}

const TO_SERVER_KINDS = [KIND_HELLO, KIND_INITIATE, KIND_MESSAGE]
const TO_CLIENT_KINDS = [KIND_COOKIE, KIND_MESSAGE]

function toServerShapes(): string[] {
	const shapes = [shape(HELLO_BYTES, KIND_HELLO)]
	for (let n = INITIATE_MESSAGE + MESSAGE_MIN; n <= TO_SERVER_MAX; n += 16) {
		shapes.push(shape(n, KIND_INITIATE))
	}
	for (let n = CLIENT_MESSAGE_BOX + MESSAGE_MIN; n <= TO_SERVER_MAX; n += 16) {
		shapes.push(shape(n, KIND_MESSAGE))
	}
	return shapes
}

function toClientShapes(): string[] {
	const shapes = [shape(COOKIE_PACKET_BYTES, KIND_COOKIE)]
	for (let n = SERVER_MESSAGE_BOX + MESSAGE_MIN; n <= TO_CLIENT_MAX; n += 16) {
		shapes.push(shape(n, KIND_MESSAGE))
	}
	return shapes
}

function shape(n: number, kind: number): string {
	return `${n + IPV4_BYTES + UDP_BYTES} . ${n + UDP_BYTES} . 0x${kind.toString(16)}`
}

function kinds(values: readonly number[]): string {
	return `{ ${values.map((kind) => `0x${kind.toString(16)}`).join(', ')} }`
}

function hexMagic(magic: readonly number[]): string {
	return `0x${magic.map((octet) => octet.toString(16).padStart(2, '0')).join('')}`
}

function hex32(value: number): string {
	return `0x${(value >>> 0).toString(16).padStart(8, '0')}`
}

/** A single value costs a comparison, a set a look-up. */
function list(values: readonly number[]): string {
	return values.length === 1 ? String(values[0]) : `{ ${values.join(', ')} }`
}
