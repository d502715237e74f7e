// The rules for the parts of an address, each alone: for addresses, for flags, for configurations.

import type { Bytes } from '../base/bytes.ts'
import { SERVER_NAME_BYTES } from '../wire/packets.ts'
import { writeServerName } from '../wire/server-name.ts'

const LABEL_MAX = 63
const HOST_MAX = 253
const DOT = 0x2e

/** Where in the text it is wrong, from 0. */
export interface Fault {
	readonly at: number
	readonly expected: string
	readonly found?: string
}

/** An IPv4 address or a DNS name, perhaps with the final dot. */
export function hostFault(host: string): Fault | undefined {
	if (host === '') return { at: 0, expected: 'an IPv4 address or a DNS name', found: '' }
	if (/^[0-9.]+$/.test(host)) return ipv4Fault(host)
	const wrong = host.search(/[^\w.-]/)
	if (wrong >= 0) {
		const found = String.fromCodePoint(host.codePointAt(wrong)!)
		return { at: wrong, expected: 'an IPv4 address or a DNS name', found }
	}
	if (host.length > HOST_MAX) {
		return { at: HOST_MAX, expected: `a DNS name of at most ${HOST_MAX} characters` }
	}
	let at = 0
	for (const label of host.replace(/\.$/, '').split('.')) {
		if (label === '') return { at, expected: 'a DNS label between the dots', found: '' }
		if (label.length > LABEL_MAX) {
			return { at: at + LABEL_MAX, expected: `DNS labels of at most ${LABEL_MAX} characters` }
		}
		at += label.length + 1
	}
	return undefined
}

/** Strict: 010 or 1.2.3 mean one thing here and another there. */
function ipv4Fault(host: string): Fault | undefined {
	const expected = 'an IPv4 address: four numbers from 0 to 255, without leading zeros'
	let at = 0
	const numbers = host.split('.')
	for (const number of numbers.slice(0, 4)) {
		if (!/^(0|[1-9][0-9]{0,2})$/.test(number) || Number(number) > 255) {
			return { at, expected, found: number }
		}
		at += number.length + 1
	}
	return numbers.length === 4 ? undefined : { at: Math.min(at, host.length), expected, found: host }
}

export function portFault(text: string): Fault | undefined {
	if (/^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65_535) return undefined
	return { at: 0, expected: 'a UDP port from 1 to 65535', found: text }
}

/** n bytes. */
export function hexFault(text: string, n: number): Fault | undefined {
	const expected = `${2 * n} hexadecimal digits`
	const wrong = text.search(/[^0-9a-f]/i)
	if (wrong >= 0) {
		return { at: wrong, expected, found: String.fromCodePoint(text.codePointAt(wrong)!) }
	}
	return text.length === 2 * n ? undefined : { at: Math.min(text.length, 2 * n), expected }
}

/** A name that fits the wire. */
export function nameFault(name: Bytes): Fault | undefined {
	if (writeServerName(new Uint8Array(SERVER_NAME_BYTES), 0, name)) return undefined
	let start = 0
	for (let i = 0; i <= name.length; i++) {
		if (i < name.length && name[i] !== DOT) {
			if (i - start < LABEL_MAX) continue
			return { at: i, expected: `labels of at most ${LABEL_MAX} bytes in the server's name` }
		}
		start = i + 1
	}
	return { at: name.length, expected: 'a server\'s name of at most 255 bytes in DNS form' }
}
