// Addresses as people pass them on: curvecp://KEY@HOST,HOST:PORT/NAME?extension=…&check=…
// Text to value and back; every refusal says the column and what was expected. Asks no name server.
// spec: product.md 3, protocol.md 8

import { createHash } from 'node:crypto'
import { fromKeyLabel } from '../base/base32.ts'
import type { Bytes } from '../base/bytes.ts'
import { fromHex, toHex } from '../base/hex.ts'
import { HOSTS_MAX } from '../limits.ts'
import { Usage } from '../platform/trouble.ts'
import { hexFault, hostFault, nameFault, portFault } from './address-parts.ts'

export const SCHEME = 'curvecp://'
export const DEFAULT_PORT = 4000
const EXTENSION_BYTES = 16
const CHECK_BYTES = 4
export const NO_EXTENSION: Bytes = new Uint8Array(EXTENSION_BYTES)
const QUERY_PARTS = ['extension', 'check']

export interface Address {
	/** The server's long-term public key; undefined: a CNAME of the hosts must tell. */
	readonly key: Bytes | undefined
	/** IPv4 addresses or DNS names as given, the preferred one first; never empty. */
	readonly hosts: readonly string[]
	readonly port: number
	/** The server's name, byte for byte. */
	readonly name: Bytes
	/** 16 bytes; zeros also when nothing was said. */
	readonly extension: Bytes
}

/** A piece of the address and where it starts, from 0. */
interface Piece {
	readonly text: string
	readonly at: number
}

/** Throws Usage, with the column in its place. */
export function parseAddress(text: string): Address {
	const { authority, path, query } = split(text)
	const at = authority.text.indexOf('@')
	const user = at < 0 ? undefined : cut(authority, 0, at)
	const server = at < 0 ? authority : cut(authority, at + 1)
	const colon = server.text.indexOf(':')
	const hosts = readHosts(colon < 0 ? server : cut(server, 0, colon))
	const port = colon < 0 ? DEFAULT_PORT : readPort(cut(server, colon + 1))
	const parts = readQuery(query)
	const labels = hosts.map(readLabels)
	const address: Address = {
		key: agreed('key', [user === undefined ? undefined : readKey(user),
			...labels.map(({ key }) => key)]),
		hosts: hosts.map((host) => host.text),
		port,
		name: path.text === '' ? encode(hosts[0]!.text) : readName(path),
		extension: agreed('extension', [readExtension(parts.get('extension')),
			...labels.map(({ extension }) => extension)]) ?? NO_EXTENSION,
	}
	const check = parts.get('check')
	if (check !== undefined) verify(address, check)
	return address
}

/** Without check: what the check is computed over. */
export function canonicalAddress(address: Address): string {
	const { key, hosts, port, name, extension } = address
	const user = key === undefined ? '' : `${toHex(key)}@`
	const query = extension.every((byte) => byte === 0) ? '' : `?extension=${toHex(extension)}`
	return `${SCHEME}${user}${hosts.join(',')}:${port}/${percentEncode(name)}${query}`
}

/** What we print: with check, so that every wrong character is caught. */
export function formatAddress(address: Address): string {
	const text = canonicalAddress(address)
	return `${text}${text.includes('?') ? '&' : '?'}check=${checkOf(text)}`
}

export function checkOf(canonical: string): string {
	return createHash('sha256').update(canonical).digest('hex').slice(0, 2 * CHECK_BYTES)
}

export function percentEncode(name: Bytes): string {
	let text = ''
	for (const byte of name) {
		const character = String.fromCharCode(byte)
		text += /[\w.-]/.test(character) ? character : `%${toHex(Uint8Array.of(byte))}`
	}
	return text
}

/** found: the text there, or how many characters there are. */
function refuse(at: number, expected: string, found?: string | number): never {
	const text = found === '' ? 'nothing' : `'${found}'`
	const what = typeof found === 'number' ? `${found} characters` : text
	const tail = found === undefined ? '' : `, found ${what}`
	throw new Usage(`address, column ${at + 1}: expected ${expected}${tail}`, { column: at + 1 })
}

function cut({ text, at }: Piece, start: number, end = text.length): Piece {
	return { text: text.slice(start, end), at: at + start }
}

function split(text: string): { authority: Piece, path: Piece, query: Piece | undefined } {
	for (let i = 0; i < SCHEME.length; i++) {
		if (text[i]?.toLowerCase() !== SCHEME[i]) refuse(i, `${SCHEME} at the start`, text[i] ?? '')
	}
	const whole: Piece = { text, at: 0 }
	const mark = text.indexOf('?')
	const end = mark < 0 ? text.length : mark
	const slash = text.slice(0, end).indexOf('/', SCHEME.length)
	return {
		authority: cut(whole, SCHEME.length, slash < 0 ? end : slash),
		path: slash < 0 ? cut(whole, end, end) : cut(whole, slash + 1, end),
		query: mark < 0 ? undefined : cut(whole, mark + 1),
	}
}

function readKey({ text, at }: Piece): Told {
	const isLabel = /^uz[57]/i.test(text)
	const [form, length, digit] = isLabel
		? ['uz7 and 51 base-32 digits (no a, e, i, o)', 54, /^[0-9b-df-hj-np-z]$/i] as const
		: ['64 hexadecimal digits of the server\'s public key', 64, /^[0-9a-f]$/i] as const
	const characters = [...text]
	const wrong = characters.findIndex((one, i) => !(isLabel && i < 3) && !digit.test(one))
	if (wrong >= 0) refuse(at + wrong, form, characters[wrong])
	const bytes = isLabel ? fromKeyLabel(text) : fromHex(text, 32)
	if (bytes !== undefined) return { bytes, at }
	return refuse(at + Math.min(text.length, length), form, text.length)
}

function readHosts({ text, at }: Piece): Piece[] {
	let start = at
	const hosts = text.split(',').map((host) => {
		const piece = { text: host, at: start }
		start += host.length + 1
		return piece
	})
	for (const host of hosts) {
		const fault = hostFault(host.text)
		if (fault !== undefined) refuse(host.at + fault.at, fault.expected, fault.found)
	}
	const spare = hosts[HOSTS_MAX]
	if (spare !== undefined) refuse(spare.at, `at most ${HOSTS_MAX} hosts`)
	return hosts
}

function readPort({ text, at }: Piece): number {
	const fault = portFault(text)
	if (fault !== undefined) refuse(at + fault.at, fault.expected, fault.found)
	return Number(text)
}

interface Labels {
	readonly key: Told | undefined
	readonly extension: Told | undefined
}

/** A value and where it was told. */
interface Told {
	readonly bytes: Bytes
	readonly at: number
}

/** The key as a label of a host, the extension as the label after it, else before it. */
function readLabels({ text, at }: Piece): Labels {
	const labels = text.split('.')
	const index = labels.findIndex((label) => fromKeyLabel(label) !== undefined)
	if (index < 0) return { key: undefined, extension: undefined }
	const told = (i: number, bytes: Bytes | undefined): Told | undefined => bytes === undefined
		? undefined
		: { bytes, at: at + labels.slice(0, i).join('.').length + (i > 0 ? 1 : 0) }
	const extensionAt = (i: number): Told | undefined =>
		told(i, fromHex(labels[i] ?? '', EXTENSION_BYTES))
	return {
		key: told(index, fromKeyLabel(labels[index]!)),
		extension: extensionAt(index + 1) ?? extensionAt(index - 1),
	}
}

/** What was told in several places must be one. */
function agreed(what: string, told: readonly (Told | undefined)[]): Bytes | undefined {
	const [first, ...others] = told.filter((one) => one !== undefined)
	for (const { bytes, at } of others) {
		if (toHex(bytes) === toHex(first!.bytes)) continue
		refuse(at, `the same ${what} wherever it is told: ${toHex(first!.bytes)}`, toHex(bytes))
	}
	return first?.bytes
}

function readName({ text, at }: Piece): Bytes {
	const bytes: number[] = []
	const columns: number[] = []
	for (let i = 0; i < text.length; i++) {
		columns.push(at + i)
		if (text[i] === '%') {
			const hex = text.slice(i + 1, i + 3)
			if (!/^[0-9a-f]{2}$/i.test(hex)) refuse(at + i, '% and two hexadecimal digits', `%${hex}`)
			bytes.push(parseInt(hex, 16))
			i += 2
			continue
		}
		if (!/[\w.-]/.test(text[i]!)) {
			const character = String.fromCodePoint(text.codePointAt(i)!)
			const cure = percentEncode(encode(character))
			refuse(at + i, `A-Z a-z 0-9 . - _ in the server's name, or ${cure}`, character)
		}
		bytes.push(text.charCodeAt(i))
	}
	const name = Uint8Array.from(bytes)
	const fault = nameFault(name)
	if (fault !== undefined) refuse(columns[fault.at] ?? at + text.length, fault.expected)
	return name
}

function readQuery(query: Piece | undefined): Map<string, Piece> {
	const parts = new Map<string, Piece>()
	if (query === undefined) return parts
	let at = query.at
	for (const part of query.text.split('&')) {
		const equals = part.indexOf('=')
		const name = equals < 0 ? part : part.slice(0, equals)
		if (!QUERY_PARTS.includes(name)) refuse(at, 'extension= or check=', part)
		if (equals < 0) refuse(at + part.length, `= after ${name}`, '')
		if (parts.has(name)) refuse(at, `${name}= only once`)
		parts.set(name, { text: part.slice(equals + 1), at: at + equals + 1 })
		at += part.length + 1
	}
	return parts
}

function readExtension(piece: Piece | undefined): Told | undefined {
	return piece && { bytes: readHex(piece, EXTENSION_BYTES), at: piece.at }
}

function readHex({ text, at }: Piece, n: number): Bytes {
	const fault = hexFault(text, n)
	if (fault !== undefined) refuse(at + fault.at, fault.expected, fault.found ?? text.length)
	return fromHex(text, n)!
}

function verify(address: Address, check: Piece): void {
	const given = toHex(readHex(check, CHECK_BYTES))
	if (given === checkOf(canonicalAddress(address))) return
	refuse(check.at, 'a check that fits the rest: some character of the address is wrong', given)
}

function encode(text: string): Bytes {
	return new TextEncoder().encode(text)
}
