// Readers for the values of options: a value, or what was expected instead.

import type { Bytes } from '../base/bytes.ts'
import { fromHex } from '../base/hex.ts'
import { SECOND, type Nanos } from '../base/time.ts'
import { parseFenceEntry, type FenceEntry } from '../gateway/fence.ts'
import { hexFault, hostFault, nameFault, portFault, type Fault } from '../service/address-parts.ts'
import { Expected } from './arguments.ts'

export function readPort(text: string): number | Expected {
	return expectation(portFault(text)) ?? Number(text)
}

/** One, or several with commas, as in an address. */
export function readHosts(text: string): string[] | Expected {
	const hosts = text.split(',')
	let at = 0
	for (const host of hosts) {
		const fault = hostFault(host)
		if (fault !== undefined) return expectation({ ...fault, at: at + fault.at })!
		at += host.length + 1
	}
	return hosts
}

/** A server's name as typed: its UTF-8 bytes. */
export function readName(text: string): Bytes | Expected {
	const name = new TextEncoder().encode(text)
	return expectation(nameFault(name)) ?? name
}

/** or: what else is right there. */
export function readExtension(text: string, or = ''): Bytes | Expected {
	return expectation(hexFault(text, 16), or) ?? fromHex(text, 16)!
}

export function readKey(text: string): Bytes | Expected {
	return expectation(hexFault(text, 32)) ?? fromHex(text, 32)!
}

/** Seconds, with fractions: 2.5 */
export function readSeconds(text: string): Nanos | Expected {
	const seconds = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : 0
	return seconds > 0 ? seconds * SECOND : new Expected('seconds, more than zero: 60 or 2.5')
}

export function readCount(text: string): number | Expected {
	const valid = /^[1-9]\d{0,8}$/.test(text)
	return valid ? Number(text) : new Expected('a whole number from 1 to 999999999')
}

/** What extensions that carry an address may name. */
export function readFenceEntry(text: string): FenceEntry | Expected {
	const entry = parseFenceEntry(text)
	return typeof entry === 'string' ? new Expected('ADDR/BITS, IPV6/BITS or mac:aa:bb:cc') : entry
}

export interface Endpoint {
	/** IPv4, dotted. */
	readonly ip: string
	readonly port: number
}

/** IP:PORT of this machine; port 0 lets the system choose. */
export function readEndpoint(text: string): Endpoint | Expected {
	const [ip, port, more] = text.split(':')
	const isAddress = ip !== undefined && /^[0-9.]+$/.test(ip) && hostFault(ip) === undefined
	const isPort = port !== undefined && (port === '0' || portFault(port) === undefined)
	if (!isAddress || !isPort || more !== undefined) {
		return new Expected('IP:PORT with an IPv4 address, as 0.0.0.0:4000')
	}
	return { ip, port: Number(port) }
}

function expectation(fault: Fault | undefined, or = ''): Expected | undefined {
	return fault && new Expected(`${fault.expected}${or} (column ${fault.at + 1})`)
}
