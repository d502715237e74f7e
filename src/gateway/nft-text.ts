// What the rules of nft-rules.ts and nft-near.ts are made of: the settings that both follow, the
// legal shapes of packets, and the pieces of their language.

import type { Prefix4 } from '../wire/ip.ts'
import {
	CLIENT_MESSAGE_BOX, COOKIE_PACKET_BYTES, HELLO_BYTES, INITIATE_MESSAGE, KIND_COOKIE, KIND_HELLO,
	KIND_INITIATE, KIND_MESSAGE, MESSAGE_MIN, SERVER_MESSAGE_BOX,
} from '../wire/packets.ts'
import type { Rate } from './buckets.ts'
import type { Fence } from './fence.ts'
import { IPV4_BYTES, UDP_BYTES } from './frame.ts'

/** Everything that the rules depend on. */
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
	/** MAC of the lan interface, for direct server return. */
	readonly lanMac: string
	/** There are such targets now; without, no packet pays for them. */
	readonly direct: boolean
	/** The lan interface's networks, whose servers go the short way; empty: none does. */
	readonly near: readonly Prefix4[]
	/** What the kernel looks at in a source (rp_filter): the short way must not pass it by. */
	readonly sourceCheck: 'none' | 'loose' | 'strict'
	readonly sourceRate: Rate
	readonly targetRate: Rate
	/** Packets are counted against the rates: only while there are enough to exceed one. */
	readonly limited: boolean
	/** Count packets for each route; costs memory in the kernel. */
	readonly routeCounters: boolean
	readonly learnedMax: number
	readonly learnedSeconds: number
	readonly changedPortSeconds: number
}

// The UDP payload starts 64 bits after @th; bits count from @th. spec: protocol.md 0.3
export const KIND = '@th,120,8'

/** Longer than any Ethernet's packet: a train of datagrams that the kernel has not yet cut up. */
export const TRAIN_LENGTH = 1500

/**
 * A train may be no longer than an Ethernet's packet, and the kernel does not tell it from a packet
 * that is too long: the receiver does.
 */
const SHORT_TRAIN_MAX = TRAIN_LENGTH - IPV4_BYTES - UDP_BYTES

/** Every combination of IP length, UDP length and kind that packets and short trains have. */
export const TO_SERVER_SHAPES = toServerShapes()
export const TO_CLIENT_SHAPES = toClientShapes()

function toServerShapes(): string[] {
	const shapes = [shape(HELLO_BYTES, KIND_HELLO)]
	for (let n = INITIATE_MESSAGE + MESSAGE_MIN; n <= SHORT_TRAIN_MAX; n += 16) {
		shapes.push(shape(n, KIND_INITIATE))
	}
	for (let n = CLIENT_MESSAGE_BOX + MESSAGE_MIN; n <= SHORT_TRAIN_MAX; n += 16) {
		shapes.push(shape(n, KIND_MESSAGE))
	}
	return shapes
}

function toClientShapes(): string[] {
	const shapes = [shape(COOKIE_PACKET_BYTES, KIND_COOKIE)]
	for (let n = SERVER_MESSAGE_BOX + MESSAGE_MIN; n <= SHORT_TRAIN_MAX; n += 16) {
		shapes.push(shape(n, KIND_MESSAGE))
	}
	return shapes
}

function shape(n: number, kind: number): string {
	return `${n + IPV4_BYTES + UDP_BYTES} . ${n + UDP_BYTES} . 0x${kind.toString(16)}`
}

/** The first seven bytes of a packet, with a kind all eight, as two words. */
export function magicIs(magic: readonly number[], kind?: number): string {
	const last = kind === undefined ? `& 0xffffff00 == ${word(magic, 4)}`
		: hex32(Number(word(magic, 4)) + kind)
	return `@th,64,32 ${word(magic, 0)} @th,96,32 ${last}`
}

function word(octets: readonly number[], at: number): string {
	const text = [0, 1, 2, 3].map((i) => (octets[at + i] ?? 0).toString(16).padStart(2, '0'))
	return `0x${text.join('')}`
}

export function chain(name: string, ...parts: (readonly string[] | string)[]): string[] {
	return [`  chain ${name} {`, ...parts.flat().map((rule) => `    ${rule}`), '  }']
}

/** A token bucket for each key, in the set of that name. */
export function limit(name: string, key: string, { perSecond, burst }: Rate): string[] {
	return [`update @${name} { ${key} limit rate over ${perSecond}/second burst ${burst} packets } `
		+ 'counter name c_rate drop']
}

export function hex32(value: number): string {
	return `0x${(value >>> 0).toString(16).padStart(8, '0')}`
}

/** A single value costs a comparison, a set a look-up. */
export function list(values: readonly number[]): string {
	return values.length === 1 ? String(values[0]) : `{ ${values.join(', ')} }`
}
