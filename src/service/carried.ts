// The extension that carries a server's local address for a gateway, in the open or sealed: what
// this writes the gateway reads, and it is asked before the extension leaves this house.

import type { Bytes } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import { decodeExtension, encodeExtension, Place } from '../gateway/encoding.ts'
import { Fence, hostOf, type FenceEntry } from '../gateway/fence.ts'
import { Sealer } from '../gateway/sealed.ts'
import { Forbidden, formatTarget, type Target } from '../gateway/target.ts'
import { readSealKeys } from '../platform/sealdir.ts'
import { Usage } from '../platform/trouble.ts'
import { EXTENSION_BYTES } from '../wire/packets.ts'

export interface Carrier {
	/** In the gateway's order: a sealed extension names its entry by number. */
	readonly allow: readonly FenceEntry[]
	/** To which ports; empty: the address's own. */
	readonly ports: readonly number[]
	/** undefined: in the open. */
	readonly sealKeys: string | undefined
	/** The gateway's own addresses, where they are known. */
	readonly own: readonly number[]
}

/** Sealed: another one each time. Throws Usage when the gateway would refuse it. */
export function carry(target: Target, port: number, carrier: Carrier, random: Random): Bytes {
	const { allow, ports, sealKeys, own } = carrier
	const sealer = sealKeys === undefined ? undefined : new Sealer(readSealKeys(sealKeys))
	const extension = sealer === undefined ? encodeExtension(target)
		: sealTo(target, allow, sealer, random)
	const text = formatTarget(target)
	if (extension === undefined) {
		throw new Usage(`--target ${text}: a server on the gateway itself has a route, not this`)
	}
	const fence = new Fence(allow, ports.length === 0 ? [port] : ports)
	const decoder = { fence, forbidden: new Forbidden(own, []), sealer }
	const refused = decodeExtension(decoder, extension, 0, port, new Place())
	sealer?.purge()
	if (refused === undefined) return extension
	throw new Usage(`--target ${text}: the gateway would refuse it, by its allow and ports`)
}

function sealTo(
	target: Target, allow: readonly FenceEntry[], sealer: Sealer, random: Random,
): Bytes | undefined {
	const text = formatTarget(target)
	if (target.kind === 'own') return undefined
	if (target.kind !== 'mac' && target.port !== 0) {
		throw new Usage(`--target ${text}: a sealed extension carries no port; the port stays what the `
			+ 'client asked for')
	}
	const place = target.kind === 'mac' ? target.mac : target.address
	const entry = allow.findIndex((one) => hostOf(one, place) >= 0)
	if (entry < 0) {
		throw new Usage(`--target ${text}: in no prefix of allow, or beyond the 2^24 hosts of one`)
	}
	const extension = new Uint8Array(EXTENSION_BYTES)
	sealer.seal(extension, 0, entry, hostOf(allow[entry]!, place), random)
	return extension
}
