// Extensions that carry the local address themselves, in the open or sealed. Either is off unless
// the fence says what they may name. spec: gateway.md 3

import { copy, readU16BE, writeU16BE, writeU32BE, type Bytes } from '../base/bytes.ts'
import { EXTENSION_BYTES } from '../wire/packets.ts'
import { copyPrefix64, hostFits, host4, placeOfHost, type Fence } from './fence.ts'
import { readAddress } from './frame.ts'
import { KIND_IPV4, KIND_IPV6, KIND_MAC, KIND_NONE, PLACE_BYTES } from './route.ts'
import { isSealed, type Sealer } from './sealed.ts'
import { MAC_BYTES, type Forbidden, type Target } from './target.ts'

// In the open; byte 0 is epoch 0 (bits 7–5), type (bits 4–0). What is not named here is zero.
//  type 1: 1 : 4 : IPv4 address       5 : 2 : port, 0: unchanged
//  type 2: 1 : 8 : interface identifier under the fence's first IPv6 prefix   9 : 2 : port
//  type 3: 1 : 6 : MAC

export const TYPE_IPV4 = 1
export const TYPE_IPV6 = 2
export const TYPE_MAC = 3

/** Where an extension leads, in the form of a route's row. */
export class Place {
	/** KIND_… of route.ts. */
	kind = KIND_NONE
	/** IPv4 address as a signed integer. */
	address = 0
	/** 0: unchanged. */
	port = 0
	/** IPv6 address or MAC. */
	readonly place: Bytes = new Uint8Array(PLACE_BYTES)
}

export interface Decoder {
	readonly fence: Fence
	readonly forbidden: Forbidden
	/** When there is one, extensions in the open are refused: they would undo what sealing hides. */
	readonly sealer: Sealer | undefined
}

/**
 * Reads the extension at p[at] into `to`. 'route': it is none of these forms; 'fence': it is, but
 * names something that is not allowed, or was tampered with. port: what the packet was sent to.
 */
export function decodeExtension(
	decoder: Decoder, p: Bytes, at: number, port: number, to: Place,
): 'route' | 'fence' | undefined {
	const { fence, forbidden, sealer } = decoder
	if (sealer === undefined) {
		const no = decodeOpen(fence, p, at, to)
		if (no !== undefined) return no
	} else {
		if (!isSealed(p, at)) return 'route'
		if (!sealer.open(p, at) || !decodeHost(fence, sealer.entry, sealer.host, to)) return 'fence'
	}
	if (!isAllowed(fence, forbidden, to)) return 'fence'
	return fence.allowsPort(to.port === 0 ? port : to.port) ? undefined : 'fence'
}

function decodeOpen(fence: Fence, p: Bytes, at: number, to: Place): 'route' | 'fence' | undefined {
	to.port = 0
	switch (p[at]) {
		case TYPE_IPV4:
			to.kind = KIND_IPV4
			to.address = readAddress(p, at + 1)
			to.port = readU16BE(p, at + 5)
			return zeros(p, at + 7, 9) ? undefined : 'fence'
		case TYPE_IPV6: {
			const prefix = fence.prefix6()
			if (prefix === undefined) return 'fence'
			to.kind = KIND_IPV6
			copyPrefix64(prefix, to.place, 0)
			copy(to.place, 8, p, at + 1, 8)
			to.port = readU16BE(p, at + 9)
			return zeros(p, at + 11, 5) ? undefined : 'fence'
		}
		case TYPE_MAC:
			to.kind = KIND_MAC
			copy(to.place, 0, p, at + 1, MAC_BYTES)
			return zeros(p, at + 7, 9) ? undefined : 'fence'
		default:
			return 'route'
	}
}

function decodeHost(fence: Fence, index: number, host: number, to: Place): boolean {
	const entry = fence.entries[index]
	if (entry === undefined || !hostFits(entry, host)) return false
	to.port = 0
	if (entry.kind === 'ipv4') {
		to.kind = KIND_IPV4
		to.address = host4(entry.prefix, host)
	} else {
		to.kind = entry.kind === 'ipv6' ? KIND_IPV6 : KIND_MAC
		placeOfHost(entry, host, to.place, 0)
	}
	return true
}

function isAllowed(fence: Fence, forbidden: Forbidden, to: Place): boolean {
	switch (to.kind) {
		case KIND_IPV4: return fence.allows4(to.address) && forbidden.why4(to.address) === undefined
		case KIND_IPV6: return fence.allows6(to.place, 0) && forbidden.why6(to.place, 0) === undefined
		default: return fence.allowsMac(to.place, 0) && forbidden.whyMac(to.place, 0) === undefined
	}
}

function zeros(p: Bytes, at: number, n: number): boolean {
	for (let i = 0; i < n; i++) if (p[at + i] !== 0) return false
	return true
}

/**
 * The extension in the open that leads to a target; undefined for a server on the gateway itself.
 */
export function encodeExtension(target: Target): Bytes | undefined {
	const extension = new Uint8Array(EXTENSION_BYTES)
	switch (target.kind) {
		case 'ipv4':
			extension[0] = TYPE_IPV4
			writeU32BE(extension, 1, target.address)
			writeU16BE(extension, 5, target.port)
			return extension
		case 'ipv6':
			extension[0] = TYPE_IPV6
			copy(extension, 1, target.address, 8, 8)
			writeU16BE(extension, 9, target.port)
			return extension
		case 'mac':
			extension[0] = TYPE_MAC
			extension.set(target.mac, 1)
			return extension
		case 'own':
			return undefined
	}
}
