// The short way of the nftables datapath: servers in the local segment are forwarded where packets
// come in, past the kernel's routing. Only what is right in every respect goes this way; all else
// goes on to the rules of nft-rules.ts, which say what is wrong with it. Text only.
//
// Written for speed: comparisons of aligned words are done inside the kernel's loop, anything else
// is a call of its own.

import {
	CLIENT_MAGIC, CLIENT_MESSAGE_BOX, KIND_MESSAGE, SERVER_MAGIC, TO_SERVER_MAX,
} from '../wire/packets.ts'
import { IPV4_BYTES, UDP_BYTES } from './frame.ts'
import {
	chain, hex32, KIND, limit, list, magicIs, TO_CLIENT_SHAPES, TO_SERVER_SHAPES, TRAIN_LENGTH,
	type NftSettings,
} from './nft-text.ts'

/** The receiver's extension as four words. */
export const NEAR_KEY = '@th,128,32 . @th,160,32 . @th,192,32 . @th,224,32'
const SHAPE = `@nh,16,16 . @th,32,16 . ${KIND}`

/**
 * Client Messages that transfers consist of, ours and the reference's: a full block, and an
 * acknowledgment. They need no look-up of their shape.
 */
const FREQUENT = [1072, 64, 1088, 192].map((message) => CLIENT_MESSAGE_BOX + message)

const NEAR_DROPS = ['rate', 'policy']

/** The table in the netdev family: sets and maps, empty but for the shapes. */
export function nearTable(s: NftSettings): string[] {
	const counter = s.routeCounters ? ' counter;' : ''
	return [
		`table netdev ${s.table} {`,
		`  comment "${s.comment}"`,
		...['in', ...NEAR_DROPS].map((name) => `  counter c_${name} { }`),
		`  set to_server { typeof ${SHAPE}; elements = { ${TO_SERVER_SHAPES.join(', ')} } }`,
		`  set to_client { typeof ${SHAPE}; elements = { ${TO_CLIENT_SHAPES.join(', ')} } }`,
		`  map near { typeof ${NEAR_KEY} : ip daddr;${counter} }`,
		`  map learned { typeof ${NEAR_KEY} : ip daddr; flags timeout; size ${s.learnedMax}; `
		+ `timeout ${s.learnedSeconds}s; }`,
		`  map macs { typeof ${NEAR_KEY} : ether daddr; }`,
		'  set sources { typeof ip saddr; flags dynamic,timeout; size 65536; timeout 10s; }',
		'  set targets { typeof ip daddr; flags dynamic,timeout; size 65536; timeout 10s; }',
		'}',
	]
}

export function nearChains(s: NftSettings): string[] {
	if (s.near.length === 0 && !s.direct) return []
	return [
		`table netdev ${s.table} {`,
		...s.limited ? chain('send', limit('targets', 'ip daddr', s.targetRate), send(s)) : [],
		...chain('legal', legal(s)),
		...chain('others', [
			`${magicIs(CLIENT_MAGIC)} ${SHAPE} @to_server goto legal`,
			`${magicIs(SERVER_MAGIC)} ${SHAPE} @to_client goto legal`,
			`@nh,16,16 > ${TRAIN_LENGTH} ${magicIs(CLIENT_MAGIC)} goto legal`,
			`@nh,16,16 > ${TRAIN_LENGTH} ${magicIs(SERVER_MAGIC)} goto legal`,
		]),
		...chain('pre', [
			`type filter hook ingress device "${s.wan}" priority 0; policy accept;`,
			...isPlain(s) ? FREQUENT.map((n) => frequent(s, n)) : [],
			`${head(s, '0xff000000', '0x45000000')} ${FOR_US} goto others`,
		]),
		'}',
	]
}

/** Nothing but the look-up stands between a legal packet and its server. */
function isPlain(s: NftSettings): boolean {
	return s.near.length > 0 && !s.limited && s.sourceCheck === 'none'
}

/** Not somebody else's frame on the same wire. */
const FOR_US = 'meta pkttype host'

/**
 * To our address and ports, whole, without options, and not at the end of its
 * days. first: what the mask leaves of the header's first word.
 */
function head(s: NftSettings, mask: string, first: string): string {
	return `@nh,128,32 ${hex32(s.address)} @nh,0,32 & ${mask} == ${first} @nh,72,8 17 `
		+ `@nh,32,32 & 0x00003fff == 0 @nh,64,32 & 0xfe000000 != 0 @th,16,16 ${list(s.ports)}`
}

function frequent(s: NftSettings, n: number): string {
	const first = hex32(0x45000000 + IPV4_BYTES + UDP_BYTES + n)
	const magic = magicIs(CLIENT_MAGIC, KIND_MESSAGE)
	return `${head(s, '0xff00ffff', first)} @th,32,16 ${UDP_BYTES + n} ${magic} ${FOR_US} `
		+ `${toNear('near')} ${send(s)}`
}

function legal(s: NftSettings): string[] {
	const found = s.limited ? 'goto send' : send(s)
	return [
		...SOURCE_RULES[s.sourceCheck],
		...s.limited ? limit('sources', 'ip saddr', s.sourceRate) : [],
		...s.near.length === 0 ? [] : [`${toNear('near')} ${found}`],
		...s.near.length === 0 || s.fence === undefined ? [] : [`${toNear('learned')} ${found}`],
		...s.direct ? [`@nh,16,16 <= ${IPV4_BYTES + UDP_BYTES + TO_SERVER_MAX} `
			+ `ether daddr set ${NEAR_KEY} map @macs ether saddr set ${s.lanMac} `
			+ `counter name c_in fwd to "${s.lan}"`] : [],
	]
}

/** The kernel's own look at a source, which routing would have had. */
const SOURCE_RULES = {
	none: [],
	loose: ['fib saddr oif missing counter name c_policy drop'],
	strict: ['fib saddr . iif oif missing counter name c_policy drop'],
} as const satisfies Record<NftSettings['sourceCheck'], readonly string[]>

function toNear(map: 'near' | 'learned'): string {
	return `ip daddr set ${NEAR_KEY} map @${map}`
}

function send(s: NftSettings): string {
	return `counter name c_in fwd ip to ip daddr device "${s.lan}"`
}
