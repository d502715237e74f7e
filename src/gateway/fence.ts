// The fence: which local addresses and ports an extension may name by itself. Everything else is
// refused, whatever the extension says. spec: gateway.md 3 and 4

import { copy, type Bytes } from '../base/bytes.ts'
import {
	inPrefix4, inPrefix6, IPV6_BYTES, mask4, parsePrefix4, parsePrefix6, type Prefix4, type Prefix6,
} from '../wire/ip.ts'
import { MAC_BYTES } from './target.ts'

/** A sealed extension names its entry in one byte. */
export const FENCE_MAX = 256
/** A sealed extension names a host by so many bits below its entry's prefix. */
const HOST_BITS = 24

export type FenceEntry =
	| { readonly kind: 'ipv4', readonly prefix: Prefix4 }
	| { readonly kind: 'ipv6', readonly prefix: Prefix6 }
	/** The first octets of MACs. */
	| { readonly kind: 'mac', readonly octets: Bytes }

/** ADDR/BITS, IPV6/BITS, or mac: and one to six octets; otherwise what is wrong. */
export function parseFenceEntry(text: string): FenceEntry | string {
	if (text.startsWith('mac:')) {
		if (/^mac:[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){0,5}$/.test(text)) {
			const octets = Uint8Array.from(text.slice(4).split(':'), (octet) => parseInt(octet, 16))
			return { kind: 'mac', octets }
		}
		return `${text}: not mac: and one to six octets`
	}
	const prefix6 = parsePrefix6(text)
	if (prefix6 !== undefined) return { kind: 'ipv6', prefix: prefix6 }
	const prefix4 = parsePrefix4(text)
	if (prefix4 !== undefined) return { kind: 'ipv4', prefix: prefix4 }
	return `${text}: not ADDR/BITS with zeros after the prefix, IPV6/BITS or mac:aa:bb:cc`
}

export class Fence {
	readonly entries: readonly FenceEntry[]
	readonly ports: readonly number[]

	constructor(entries: readonly FenceEntry[], ports: readonly number[]) {
		this.entries = entries
		this.ports = ports
	}

	allowsPort(port: number): boolean {
		for (const allowed of this.ports) if (allowed === port) return true
		return false
	}

	allows4(address: number): boolean {
		for (const entry of this.entries) {
			if (entry.kind === 'ipv4' && inPrefix4(entry.prefix, address)) return true
		}
		return false
	}

	allows6(p: Bytes, at: number): boolean {
		for (const entry of this.entries) {
			if (entry.kind === 'ipv6' && inPrefix6(entry.prefix, p, at)) return true
		}
		return false
	}

	allowsMac(p: Bytes, at: number): boolean {
		for (const entry of this.entries) {
			if (entry.kind !== 'mac') continue
			let i = 0
			while (i < entry.octets.length && entry.octets[i] === p[at + i]) i++
			if (i === entry.octets.length) return true
		}
		return false
	}

	/** The first IPv6 entry: interface identifiers are completed by its 64 leading bits. */
	prefix6(): Prefix6 | undefined {
		for (const entry of this.entries) if (entry.kind === 'ipv6') return entry.prefix
		return undefined
	}
}

/** Whether host number `host` exists in the prefix of an entry. */
export function hostFits(entry: FenceEntry, host: number): boolean {
	const bits = hostBits(entry)
	return host >= 0 && host < 2 ** Math.min(bits, HOST_BITS)
}

function hostBits(entry: FenceEntry): number {
	switch (entry.kind) {
		case 'ipv4': return 32 - entry.prefix.bits
		case 'ipv6': return 128 - entry.prefix.bits
		case 'mac': return 8 * (MAC_BYTES - entry.octets.length)
	}
}

/** As a signed integer. */
export function host4(prefix: Prefix4, host: number): number {
	return (prefix.base & mask4(prefix.bits)) | host
}

/** The address (16) or MAC (6) of host number `host`, into to[at]. */
export function placeOfHost(
	entry: FenceEntry & { kind: 'ipv6' | 'mac' }, host: number, to: Bytes, at: number,
): void {
	const n = entry.kind === 'ipv6' ? IPV6_BYTES : MAC_BYTES
	const base = entry.kind === 'ipv6' ? entry.prefix.base : entry.octets
	for (let i = 0; i < n; i++) to[at + i] = i < base.length ? base[i]! : 0
	to[at + n - 3]! |= (host >>> 16) & 255
	to[at + n - 2]! |= (host >>> 8) & 255
	to[at + n - 1]! |= host & 255
}

/** The host number of an address or MAC in an entry; -1 when it is outside or beyond 24 bits. */
export function hostOf(entry: FenceEntry, address: number | Bytes): number {
	if (typeof address === 'number') {
		if (entry.kind !== 'ipv4' || !inPrefix4(entry.prefix, address)) return -1
		const host = (address & ~mask4(entry.prefix.bits)) >>> 0
		return hostFits(entry, host) ? host : -1
	}
	if (entry.kind === 'ipv4') return -1
	const n = address.length
	const host = (address[n - 3]! << 16) | (address[n - 2]! << 8) | address[n - 1]!
	const low = host & (2 ** Math.min(hostBits(entry), HOST_BITS) - 1)
	const back = new Uint8Array(IPV6_BYTES)
	if (n !== (entry.kind === 'ipv6' ? IPV6_BYTES : MAC_BYTES)) return -1
	placeOfHost(entry, low, back, 0)
	for (let i = 0; i < n; i++) if (back[i] !== address[i]) return -1
	return low
}

export function copyPrefix64(prefix: Prefix6, to: Bytes, at: number): void {
	copy(to, at, prefix.base, 0, 8)
}
