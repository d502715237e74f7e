// The values that configurations and board profiles share, each with what is expected in its place.

import * as v from 'valibot'
import type { Bytes } from '../base/bytes.ts'
import { fromHex } from '../base/hex.ts'
import { nearest } from '../base/nearest.ts'
import { parseSource } from '../platform/extension-source.ts'
import { addressOf } from '../platform/udp.ts'
import { found, list, text } from './toml-schema.ts'
import { readDuration, readSize } from './quantities.ts'
import { Wrong } from './wrong.ts'

/** An IPv4 address as a number, first octet highest, and a port. */
export interface Listen {
	readonly address: number
	readonly port: number
}

const LISTEN = 'IP:PORT with an IPv4 address, as "0.0.0.0:4000"'

/** Port 0: any free one. */
export const listen = text(LISTEN, (given): Listen | Wrong => {
	const colon = given.indexOf(':')
	const ip = colon < 0 ? given : given.slice(0, colon)
	const address = addressOf(ip)
	if (address === undefined) return new Wrong(`expected ${LISTEN}; found ${found(given)}`)
	const port = given.slice(colon + 1)
	if (colon < 0) return new Wrong(`expected ${LISTEN}; the port is missing`, given.length)
	if (/^(0|[1-9]\d{0,4})$/.test(port) && Number(port) <= 65_535) {
		return { address, port: Number(port) }
	}
	return new Wrong(`expected a port from 1 to 65535, or 0 for a free one; found ${found(port)}`,
		colon + 1)
})

export const path = text('a path', (given): string | Wrong => {
	if (given === '') return new Wrong('expected a path; found an empty text')
	const nul = given.indexOf('\0')
	return nul < 0 ? given : new Wrong('expected a path; found a NUL character in it', nul)
})

const INTERFACE = 'the name of a network interface, as "eth0" (ip link shows them)'

export const networkInterface = text(INTERFACE, (given): string | Wrong => {
	const valid = /^[^\s/:]{1,15}$/.test(given) && given !== '.' && given !== '..'
	return valid ? given : new Wrong(`expected ${INTERFACE}; found ${found(given)}`)
})

const SOURCES = ['file', 'mac', 'serial-number', 'cmdline', 'dhcp', 'hex']

const SOURCE = 'file:PATH, mac:IFACE, serial-number, cmdline, dhcp:OPTION or hex:DIGITS'

export const source = text(SOURCE, (given): string | Wrong => {
	const reader = parseSource(given)
	if (typeof reader !== 'string') return given
	const kind = given.split(':')[0]!
	const near = SOURCES.includes(kind) ? undefined : nearest(kind, SOURCES)
	return new Wrong(near === undefined ? reader : `${reader}; did you mean '${near}'?`)
})

/** n bytes; says where the first wrong character is. */
export function hex(given: string, n: number): Bytes | Wrong {
	const bytes = fromHex(given, n)
	if (bytes !== undefined) return bytes
	const wrong = given.search(/[^0-9a-fA-F]/)
	const expected = `expected ${2 * n} hexadecimal digits`
	if (wrong >= 0) {
		const character = String.fromCodePoint(given.codePointAt(wrong)!)
		return new Wrong(`${expected}; found ${found(character)} as character ${wrong + 1}`, wrong)
	}
	const difference = given.length - 2 * n
	const cure = difference > 0 ? `${difference} too many` : `${-difference} missing`
	return new Wrong(`${expected}; found ${given.length}: ${cure}`, Math.min(given.length, 2 * n))
}

const DURATION = 'a duration as "60s"'

export const duration = text(DURATION, (given) =>
	readDuration(given, { never: false, zero: false }))
export const durationOrZero = text(DURATION, (given) =>
	readDuration(given, { never: false, zero: true }))
export const durationOrNever = text(`${DURATION} or "never"`, (given) =>
	readDuration(given, { never: true, zero: false }))

export const size = text('a size as "48M"', readSize)

/** Bytes, or what the machine has that it runs on. */
export const ram = text('a size as "512M", or "machine"', (given): number | 'machine' | Wrong =>
	given === 'machine' ? given : readSize(given))

export const words = text('a text', (given): string | Wrong =>
	given === '' ? new Wrong('expected a text; found an empty one') : given)

export const wordList = list(words, 'a list of texts, as ["a", "b"]')

export const optional = v.optional
