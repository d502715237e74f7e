// The decision as an nftables ruleset: the same checks in the same order as forward.ts, in the
// kernel. Text only; platform/nft.ts hands it to nft. This is the table in the ip family; that in
// netdev is nft-near.ts. spec: gateway.md 1

import { formatIpv4, mask4 } from '../wire/ip.ts'
import {
	CLIENT_MAGIC, KIND_COOKIE, KIND_HELLO, KIND_INITIATE, KIND_MESSAGE, SERVER_MAGIC, TO_CLIENT_MIN,
	TO_SERVER_MAX,
} from '../wire/packets.ts'
import { IPV4_BYTES, UDP_BYTES } from './frame.ts'
import { nearChains, nearTable } from './nft-near.ts'
import {
	chain, hex32, KIND, limit, list, magicIs, TO_CLIENT_SHAPES, TO_SERVER_SHAPES, TRAIN_LENGTH,
	type NftSettings,
} from './nft-text.ts'

/** Names of the counters that the kernel keeps: drop reasons, and what was sent on. */
export const NFT_DROPS =
	['fragment', 'options', 'ttl', 'length', 'magic', 'route', 'rate', 'policy'] as const

// Bits count from the UDP header, whose payload starts 64 bits behind. spec: protocol.md 0.3
const RECEIVER = '@th,128,128'
const SENDER = '@th,256,128'
const TYPE = '@th,128,8'
const SHAPE = `ip length . udp length . ${KIND}`
const TO_SERVER = magicIs(CLIENT_MAGIC)
const TO_CLIENT = magicIs(SERVER_MAGIC)

// As comparisons of aligned words, which cost the kernel least.
const HEADERS = [
	'@nh,32,32 & 0x00003fff != 0 counter name c_fragment drop',
	'@nh,0,8 != 0x45 counter name c_options drop',
	'@nh,64,32 & 0xfe000000 == 0 counter name c_ttl drop',
]
/** What one port diverts to userspace at most; the rest is dropped, as in every overload. */
const DIVERTED =
	'limit rate 50000/second burst 10000 packets counter name c_divert'

/** Empty sets and maps. Elements follow in portions, and only then the chains. */
export function nftTable(s: NftSettings): string {
	const counter = s.routeCounters ? ' counter;' : ''
	const lines = [
		`table ip ${s.table} {`,
		`  comment "${s.comment}"`,
		...['in', 'out', 'divert', ...NFT_DROPS].map((name) => `  counter c_${name} { }`),
		`  set to_server { typeof ${SHAPE}; elements = { ${TO_SERVER_SHAPES.join(', ')} } }`,
		`  set to_client { typeof ${SHAPE}; elements = { ${TO_CLIENT_SHAPES.join(', ')} } }`,
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
		'  set sources { typeof ip saddr; flags dynamic,timeout; size 65536; timeout 10s; }',
		'  set targets { typeof ip daddr; flags dynamic,timeout; size 65536; timeout 10s; }',
		'}',
		...nearTable(s),
	]
	return `${lines.join('\n')}\n`
}

/** The chains: from this transaction on the kernel forwards. */
export function nftChains(s: NftSettings): string {
	const lines = [
		`table ip ${s.table} {`,
		...chain('leaving', leaving(s)),
		...s.limited
			? chain('targeted', limit('targets', 'ip daddr', s.targetRate), 'counter name c_in accept')
			: [],
		...chain('divert_now', divertNow(s)),
		...chain('divert', divert(s), 'counter name c_route drop'),
		...chain('route', route(s)),
		...chain('refused', [
			`ip length < ${TO_CLIENT_MIN + IPV4_BYTES + UDP_BYTES} counter name c_length drop`,
			`udp length < ${TO_CLIENT_MIN + UDP_BYTES} counter name c_length drop`,
			`udp length > ${TO_SERVER_MAX + UDP_BYTES} counter name c_length drop`,
			`${TO_SERVER} ${KIND} ${kinds(TO_SERVER_KINDS)} counter name c_length drop`,
			`${TO_CLIENT} ${KIND} ${kinds(TO_CLIENT_KINDS)} counter name c_length drop`,
			'counter name c_magic drop',
		]),
		...chain('inward', HEADERS, gate('goto route'), 'goto refused'),
		...chain('outward', HEADERS, gate('notrack accept'), 'goto refused'),
		...chain('pre', prerouting(s)),
		...chain('output', output(s)),
		...chain('post', postrouting(s)),
		'}',
		...nearChains(s),
	]
	return `${lines.join('\n')}\n`
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
		`${TO_SERVER} ${SHAPE} @to_server ${verdict}`,
		`${TO_CLIENT} ${SHAPE} @to_client ${verdict}`,
		`ip length > ${TRAIN_LENGTH} ${TO_SERVER} ${verdict}`,
		`ip length > ${TRAIN_LENGTH} ${TO_CLIENT} ${verdict}`,
	]
}

function route(s: NftSettings): string[] {
	const found = s.limited ? 'goto targeted' : 'counter name c_in accept'
	return [
		'notrack',
		...s.limited ? limit('sources', 'ip saddr', s.sourceRate) : [],
		...s.ports.slice(1).map((port) => `udp dport ${port} ${RECEIVER} @changed `
			+ `update @from_${port} { ${RECEIVER} . ip saddr . udp sport }`),
		`ip daddr set ${RECEIVER} map @servers ${found}`,
		`ip daddr set ${RECEIVER} map @learned ${found}`,
		...port('', `dport set ${RECEIVER} map @ports`),
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
		...s.divertPorts.flatMap((to, i) =>
			port(`udp dport ${s.ports[i]!}`, `dport set ${to}`, 'accept', DIVERTED)),
		'counter name c_rate drop',
	]
}

/** Servers on this machine answer from the public port, whatever port they listen on. */
function output(s: NftSettings): string[] {
	return [
		'type filter hook output priority raw; policy accept;',
		`ip saddr ${formatIpv4(s.address)} meta l4proto udp ${TO_CLIENT} notrack`,
	]
}

function leaving(s: NftSettings): string[] {
	const address = `ip saddr set ${formatIpv4(s.address)} counter name c_out accept`
	return [
		...s.ports.slice(1).flatMap((from) => port(fromPort(from), `sport set ${from}`, address)),
		...port('', 'sport set ip saddr . udp sport map @backs'),
		address,
	]
}

function postrouting(s: NftSettings): string[] {
	const wan = `oifname "${s.wan}"`
	const own = `${wan} ip saddr ${formatIpv4(s.address)} meta l4proto udp ${TO_CLIENT}`
	const fenced = fenceSources(s)
	return [
		'type filter hook postrouting priority raw; policy accept;',
		`${wan} ip saddr . udp sport @locals goto leaving`,
		...(fenced === undefined ? [] : [`${wan} ${fenced} goto leaving`]),
		...s.ports.slice(1).flatMap((from) =>
			port(`${own} ${fromPort(from)}`, `sport set ${from}`, 'counter name c_out accept')),
		...port(own, 'sport set udp sport map @own_backs', 'counter name c_out accept'),
	]
}

/** Rules that set a port. The kernel would adjust a checksum that is none as if it were one. */
function port(match: string, set: string, verdict = '', before = ''): string[] {
	return [['udp checksum 0', `${set} udp checksum set 0`], ['udp checksum != 0', set]].map(
		([which, how]) => [match, which, before, `udp ${how}`, verdict]
			.filter((part) => part !== '').join(' '))
}

function fromPort(port: number): string {
	return `${SENDER} . ip daddr . udp dport @from_${port}`
}

const TO_SERVER_KINDS = [KIND_HELLO, KIND_INITIATE, KIND_MESSAGE]
const TO_CLIENT_KINDS = [KIND_COOKIE, KIND_MESSAGE]

function kinds(values: readonly number[]): string {
	return `{ ${values.map((kind) => `0x${kind.toString(16)}`).join(', ')} }`
}
