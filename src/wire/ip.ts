// Internet addresses as text. IPv4 addresses are numbers, first octet highest; IPv6 addresses are
// 16 bytes. Nothing here asks a resolver.

import type { Bytes } from '../base/bytes.ts'

export const IPV6_BYTES = 16

/** undefined unless text is four decimal octets without leading zeros. */
export function parseIpv4(text: string): number | undefined {
	const parts = text.split('.')
	if (parts.length !== 4) return undefined
	let address = 0
	for (const part of parts) {
		if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined
		address = address * 256 + Number(part)
	}
	return address
}

export function formatIpv4(address: number): string {
	return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`
}

/** undefined unless text is an IPv6 address, without zone and without brackets. */
export function parseIpv6(text: string): Bytes | undefined {
	const halves = text.split('::')
	if (halves.length > 2) return undefined
	const head = groups(halves[0]!)
	const tail = groups(halves[1] ?? '')
	if (head === undefined || tail === undefined) return undefined
	const missing = 8 - head.length - tail.length
	if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
	const bytes = new Uint8Array(IPV6_BYTES)
	const all = [...head, ...new Array<number>(missing).fill(0), ...tail]
	all.forEach((group, i) => {
		bytes[2 * i] = group >> 8
		bytes[2 * i + 1] = group
	})
	return bytes
}

/** The 16-bit groups of one side of '::'; the last may be a dotted IPv4 address. */
function groups(text: string): number[] | undefined {
	if (text === '') return []
	const values: number[] = []
	const parts = text.split(':')
	for (const [i, part] of parts.entries()) {
		if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
			values.push(parseInt(part, 16))
			continue
		}
		const address = i === parts.length - 1 ? parseIpv4(part) : undefined
		if (address === undefined) return undefined
		values.push(address >>> 16, address & 0xffff)
	}
	return values
}

/** The canonical form of RFC 5952: lower case, the longest run of zero groups as '::'. */
export function formatIpv6(p: Bytes, at = 0): string {
	const values = Array.from({ length: 8 }, (_, i) => (p[at + 2 * i]! << 8) | p[at + 2 * i + 1]!)
	let best = 0
	let bestLength = 1
	for (let i = 0; i < 8; i++) {
		let n = 0
		while (i + n < 8 && values[i + n] === 0) n++
		if (n > bestLength) {
			best = i
			bestLength = n
		}
	}
	const text = (list: number[]): string => list.map((value) => value.toString(16)).join(':')
	if (bestLength < 2) return text(values)
	return `${text(values.slice(0, best))}::${text(values.slice(best + bestLength))}`
}

export interface Prefix4 {
	readonly base: number
	/** Leading bits that count, 0 to 32. */
	readonly bits: number
}

/**
 * undefined unless text is ADDR/BITS (or ADDR alone, all of it) with no bit set beyond the prefix.
 */
export function parsePrefix4(text: string): Prefix4 | undefined {
	const [address, bitsText, ...rest] = text.split('/')
	const base = parseIpv4(address ?? '')
	const bits = bitsText === undefined ? 32 : decimal(bitsText, 32)
	if (base === undefined || bits === undefined || rest.length > 0) return undefined
	return (base & ~mask4(bits)) === 0 ? { base, bits } : undefined
}

export interface Prefix6 {
	readonly base: Bytes
	/** Leading bits that count, 0 to 128. */
	readonly bits: number
}

export function parsePrefix6(text: string): Prefix6 | undefined {
	const [address, bitsText, ...rest] = text.split('/')
	const base = parseIpv6(address ?? '')
	const bits = bitsText === undefined ? 128 : decimal(bitsText, 128)
	if (base === undefined || bits === undefined || rest.length > 0) return undefined
	for (let i = bits; i < 128; i++) if ((base[i >> 3]! >> (7 - (i & 7))) & 1) return undefined
	return { base, bits }
}

/** The netmask of a prefix length, as a signed 32-bit integer. */
export function mask4(bits: number): number {
	return bits === 0 ? 0 : -1 << (32 - bits)
}

export function inPrefix4(prefix: Prefix4, address: number): boolean {
	return ((prefix.base ^ address) & mask4(prefix.bits)) === 0
}

export function inPrefix6(prefix: Prefix6, p: Bytes, at: number): boolean {
	for (let i = 0; i < prefix.bits; i += 8) {
		const mask = prefix.bits - i >= 8 ? 255 : (255 << (8 - (prefix.bits - i))) & 255
		if (((p[at + (i >> 3)]! ^ prefix.base[i >> 3]!) & mask) !== 0) return false
	}
	return true
}

/** A port from 1 to 65,535 in decimal. */
export function parsePort(text: string): number | undefined {
	const port = decimal(text, 65535)
	return port === 0 ? undefined : port
}

function decimal(text: string, max: number): number | undefined {
	return /^(0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= max ? Number(text) : undefined
}
