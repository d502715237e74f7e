// Where an extension leads: a server's address in the five forms that a route line knows, and the
// addresses that no packet from the Internet is ever forwarded to. spec: gateway.md 2 and 4

import { same, type Bytes } from '../base/bytes.ts'
import { fromHex, toHex } from '../base/hex.ts'
import {
	formatIpv4, formatIpv6, IPV6_BYTES, inPrefix4, parseIpv4, parseIpv6, parsePort, parsePrefix4,
} from '../wire/ip.ts'

export const MAC_BYTES = 6

export type Target =
	/** port 0: the port stays what it was. */
	| { readonly kind: 'ipv4', readonly address: number, readonly port: number }
	/** A server on this machine. */
	| { readonly kind: 'own', readonly port: number }
	| { readonly kind: 'ipv6', readonly address: Bytes, readonly port: number }
	/** Direct server return: only the frame's destination changes. */
	| { readonly kind: 'mac', readonly mac: Bytes }

/**
 * ADDR, ADDR:PORT, :PORT, [IPV6], [IPV6]:PORT or mac:aa:bb:cc:dd:ee:ff; otherwise what is wrong.
 */
export function parseTarget(text: string): Target | string {
	if (text.startsWith('mac:')) {
		const mac = parseMac(text.slice(4))
		return mac === undefined ? `${text}: not mac: and six octets aa:bb:cc:dd:ee:ff`
			: { kind: 'mac', mac }
	}
	if (text.startsWith(':')) {
		const port = parsePort(text.slice(1))
		return port === undefined ? `${text}: not a port from 1 to 65535` : { kind: 'own', port }
	}
	const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
	const plain = /^([^:[\]]*)(?::(.*))?$/.exec(text)
	const portText = bracketed?.[2] ?? plain?.[2]
	const port = portText === undefined ? 0 : parsePort(portText)
	if (port === undefined) return `${text}: the port is not a number from 1 to 65535`
	if (bracketed !== null) {
		const address = parseIpv6(bracketed[1]!)
		return address === undefined ? `${text}: not an IPv6 address` : { kind: 'ipv6', address, port }
	}
	const address = parseIpv4(plain?.[1] ?? '')
	if (address !== undefined) return { kind: 'ipv4', address, port }
	return `${text}: not ADDR, ADDR:PORT, :PORT, [IPV6], [IPV6]:PORT or mac:aa:bb:cc:dd:ee:ff`
}

export function formatTarget(target: Target): string {
	switch (target.kind) {
		case 'ipv4': return formatIpv4(target.address) + portSuffix(target.port)
		case 'own': return `:${target.port}`
		case 'ipv6': return `[${formatIpv6(target.address)}]${portSuffix(target.port)}`
		case 'mac': return `mac:${formatMac(target.mac)}`
	}
}

function portSuffix(port: number): string {
	return port === 0 ? '' : `:${port}`
}

export function parseMac(text: string): Bytes | undefined {
	return /^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/.test(text)
		? fromHex(text.replaceAll(':', ''), MAC_BYTES)
		: undefined
}

export function formatMac(p: Bytes, at = 0): string {
	return toHex(p, at, MAC_BYTES).replace(/(..)(?=.)/g, '$1:')
}

// Each with the reason that a refused route line gives.
const NEVER4 = ([
	['0.0.0.0/8', 'unspecified'], ['127.0.0.0/8', 'loopback'], ['169.254.0.0/16', 'link-local'],
	['224.0.0.0/4', 'multicast'], ['240.0.0.0/4', 'broadcast or reserved'],
] as const).map(([text, why]) => ({ prefix: parsePrefix4(text)!, why }))

/**
 * What no table and no fence can allow: known ranges, and this machine's own and peers' addresses.
 */
export class Forbidden {
	readonly #exact4: Int32Array
	readonly #exact6: Bytes

	/**
	 * own: every address of this machine, the broadcast addresses of its networks, other gateways.
	 */
	constructor(own4: readonly number[], own6: readonly Bytes[]) {
		this.#exact4 = Int32Array.from(own4)
		this.#exact6 = new Uint8Array(own6.length * IPV6_BYTES)
		own6.forEach((address, i) => this.#exact6.set(address, i * IPV6_BYTES))
	}

	/** Why nothing goes there; undefined when it may. */
	why4(address: number): string | undefined {
		for (const { prefix, why } of NEVER4) if (inPrefix4(prefix, address)) return why
		for (const own of this.#exact4) if (own === (address | 0)) return 'an address of a gateway'
		return undefined
	}

	why6(p: Bytes, at: number): string | undefined {
		if (p[at] === 0xff) return 'multicast'
		if (p[at] === 0xfe && (p[at + 1]! & 0xc0) === 0x80) return 'link-local'
		// ::, ::1 and all that stands for an IPv4 address (::a.b.c.d, ::ffff:a.b.c.d).
		let zeros = 0
		while (zeros < 10 && p[at + zeros] === 0) zeros++
		if (zeros === 10) return 'unspecified, loopback or an embedded IPv4 address'
		for (let i = 0; i < this.#exact6.length; i += IPV6_BYTES) {
			if (same(this.#exact6, i, p, at, IPV6_BYTES)) return 'an address of a gateway'
		}
		return undefined
	}

	whyMac(p: Bytes, at: number): string | undefined {
		if ((p[at]! & 1) !== 0) return 'a multicast or broadcast MAC'
		for (let i = 0; i < MAC_BYTES; i++) if (p[at + i] !== 0) return undefined
		return 'an unspecified MAC'
	}

	why(target: Target): string | undefined {
		switch (target.kind) {
			case 'ipv4': return this.why4(target.address)
			case 'ipv6': return this.why6(target.address, 0)
			case 'mac': return this.whyMac(target.mac, 0)
			case 'own': return undefined
		}
	}
}
