// Where this machine's own 16-byte extension comes from, and how its changes are noticed. A source
// never blocks and never throws: what it cannot read is said in a note, and the last good value
// stays. spec: addressing page, Client addresses; protocol.md 7

import { createHash } from 'node:crypto'
import {
	closeSync, constants, fstatSync, openSync, readFileSync, readSync, readdirSync, realpathSync,
	watch, type FSWatcher,
} from 'node:fs'
import { networkInterfaces } from 'node:os'
import { basename, dirname } from 'node:path'
import { copy, same, type Bytes } from '../base/bytes.ts'
import { fromHex } from '../base/hex.ts'
import { EXTENSION_BYTES } from '../wire/packets.ts'

export const DEFAULT_SOURCE = 'file:/etc/curvecpextension'

/** What one look yielded; a value and a note together: usable, but not as it should be. */
export interface Reading {
	value: Bytes | undefined
	note: string | undefined
}

type Read = () => Reading

/** The encoded extension of gateway.md section 3 for a MAC address, epoch 0. */
const ENCODED_MAC = 3
/** Files are looked at this often even when no watch reports a change. */
const POLL_MILLISECONDS = 2000
/**
 * Changes that follow each other are taken together: a file may be replaced 1,000 times a second.
 */
const SETTLE_MILLISECONDS = 20

/** The reader of a configured source; a string says what is wrong with the text. */
export function parseSource(text: string): { read: Read, path: string | undefined } | string {
	const colon = text.indexOf(':')
	const kind = colon < 0 ? text : text.slice(0, colon)
	const rest = colon < 0 ? '' : text.slice(colon + 1)
	switch (kind) {
		case 'file':
			return rest === '' ? 'file: wants a path' : { read: () => readExtension(rest), path: rest }
		case 'hex': {
			const value = fromHex(rest, EXTENSION_BYTES)
			if (value === undefined) return `hex: wants 32 hexadecimal digits, not "${rest}"`
			return { read: () => ({ value, note: undefined }), path: undefined }
		}
		case 'mac':
			return rest === '' ? 'mac: wants an interface' : { read: () => ofMac(rest), path: undefined }
		case 'serial-number': return { read: ofSerialNumber, path: undefined }
		case 'cmdline': return { read: () => ofCommandLine('/proc/cmdline'), path: undefined }
		case 'dhcp': {
			const option = Number(rest)
			return Number.isInteger(option) && option > 0 && option < 255
				? { read: () => ofLease(option, LEASES), path: undefined }
				: `dhcp: wants an option number from 1 to 254, not "${rest}"`
		}
		default:
			return `unknown source "${text}": file:PATH, hex:DIGITS, mac:IFACE, serial-number, cmdline `
				+ 'or dhcp:OPTION'
	}
}

/** A watched source. value is always 16 usable bytes, the same array for ever. */
export class ExtensionSource {
	readonly text: string
	readonly value: Bytes = new Uint8Array(EXTENSION_BYTES)
	/** Why value is zeros, or the last good one, or filled up; undefined: all is well. */
	note: string | undefined
	readonly #read: Read
	readonly #path: string | undefined
	readonly #listeners = new Set<() => void>()
	#watcher: FSWatcher | undefined
	#poll: NodeJS.Timeout | undefined
	#settling: NodeJS.Timeout | undefined

	/** text must have passed parseSource. */
	constructor(text: string) {
		const source = parseSource(text)
		if (typeof source === 'string') throw new Error(`bug: ${source}`)
		this.text = text
		this.#read = source.read
		this.#path = source.path
		this.look()
	}

	/** Reads again; true when the value has changed. */
	look(): boolean {
		const { value, note } = this.#read()
		this.note = note
		if (value === undefined || same(value, 0, this.value, 0, EXTENSION_BYTES)) return false
		copy(this.value, 0, value, 0, EXTENSION_BYTES)
		return true
	}

	/**
	 * Calls changed after each change until stop, or until the function that it returns is called;
	 * keeps no process alive.
	 */
	start(changed: () => void): () => void {
		this.#listeners.add(changed)
		if (this.#listeners.size === 1) this.#begin()
		return () => {
			this.#listeners.delete(changed)
			if (this.#listeners.size === 0) this.stop()
		}
	}

	#begin(): void {
		if (this.text.startsWith('hex:')) return
		const look = (): void => {
			this.#settling = undefined
			this.#rewatch(noticed)
			if (this.look()) for (const changed of this.#listeners) changed()
		}
		const noticed = (): void => {
			this.#settling ??= setTimeout(look, SETTLE_MILLISECONDS).unref()
		}
		this.#rewatch(noticed)
		this.#poll = setInterval(look, POLL_MILLISECONDS).unref()
	}

	stop(): void {
		this.#listeners.clear()
		this.#watcher?.close()
		this.#watcher = undefined
		clearInterval(this.#poll)
		clearTimeout(this.#settling)
	}

	/** Watches the folder of the file's target: the file itself may be replaced, or be a link. */
	#rewatch(noticed: () => void): void {
		if (this.#path === undefined || this.#watcher !== undefined) return
		try {
			const target = realpathOr(this.#path)
			const name = basename(target)
			const watcher = watch(dirname(target), { persistent: false }, (_, changed) => {
				if (changed === null || changed === name) noticed()
			})
			watcher.on('error', () => {
				watcher.close()
				this.#watcher = undefined
			})
			this.#watcher = watcher
		} catch {
			// No such folder, or no more watches to be had: the poll finds it.
		}
	}
}

/** The file of the addressing page: 16 raw bytes; shorter is filled up, longer is cut. */
export function readExtension(path: string): Reading {
	let file: number
	try {
		// Non-blocking: a FIFO of that name must not stop us.
		file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException
		const reason = code === 'ENOENT' ? 'is absent' : `cannot be read (${code})`
		return { value: undefined, note: `${path} ${reason}` }
	}
	try {
		if (!fstatSync(file).isFile()) return { value: undefined, note: `${path} is no file` }
		const value = new Uint8Array(EXTENSION_BYTES)
		const n = readSync(file, value, 0, EXTENSION_BYTES, 0)
		if (n === 0) return { value: undefined, note: `${path} is empty` }
		const short = `${path} has ${n} bytes instead of ${EXTENSION_BYTES}: zeros follow them`
		return { value, note: n < EXTENSION_BYTES ? short : undefined }
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException
		return { value: undefined, note: `${path} cannot be read (${code})` }
	} finally {
		closeSync(file)
	}
}

function ofMac(name: string): Reading {
	const mac = networkInterfaces()[name]?.[0]?.mac
	const digits = mac === undefined ? undefined : fromHex(mac.replaceAll(':', ''), 6)
	if (digits === undefined) return { value: undefined, note: `no interface ${name} with a MAC` }
	const value = new Uint8Array(EXTENSION_BYTES)
	value[0] = ENCODED_MAC
	value.set(digits, 1)
	return { value, note: undefined }
}

function ofSerialNumber(): Reading {
	const path = '/proc/device-tree/serial-number'
	const text = textOf(path)?.replace(/\0+$/, '')
	if (text === undefined || text === '') return { value: undefined, note: `${path} is absent` }
	const hash = createHash('sha256').update(text).digest()
	return { value: new Uint8Array(hash.subarray(-EXTENSION_BYTES)), note: undefined }
}

export function ofCommandLine(path: string): Reading {
	const word = /(?:^|\s)curvecp\.extension=(\S*)/.exec(textOf(path) ?? '')
	const value = fromHex(word?.[1] ?? '', EXTENSION_BYTES)
	const note = word === null ? 'the kernel command line has no curvecp.extension='
		: 'curvecp.extension= on the kernel command line is not 32 hexadecimal digits'
	return { value, note: value === undefined ? note : undefined }
}

/** Lease files of systemd-networkd, dhclient, and udhcpc's or dhcpcd's hooks. */
const LEASES = ['/run/systemd/netif/leases', '/var/lib/dhcp', '/run/curvegate/leases']

export function ofLease(option: number, folders: readonly string[]): Reading {
	for (const folder of folders) {
		for (const name of namesOf(folder)) {
			const value = leaseValue(textOf(`${folder}/${name}`) ?? '', option)
			if (value !== undefined) return { value, note: undefined }
		}
	}
	return { value: undefined, note: `no lease in ${folders.join(', ')} has option ${option}` }
}

/** `OPTION_224=hex` or dhclient's `option unknown-224 0:1:…;`; the last one counts. */
function leaseValue(text: string, option: number): Bytes | undefined {
	const lines = new RegExp(
		`^\\s*(?:OPTION_${option}=|option\\s+\\S*-${option}\\s+)"?([0-9A-Fa-f:]+)"?;?\\s*$`, 'gm')
	let value: Bytes | undefined
	for (const [, digits] of text.matchAll(lines)) {
		const octets = digits!.includes(':') ? digits!.split(':').map((octet) => octet.padStart(2, '0'))
			: [digits!]
		const raw = fromHex(octets.join(''), EXTENSION_BYTES)
		// The lease may hold the 32 digits as text instead of the 16 bytes themselves.
		const asText = fromHex(octets.join(''), 2 * EXTENSION_BYTES)
		value = raw ?? (asText && fromHex(String.fromCharCode(...asText), EXTENSION_BYTES)) ?? value
	}
	return value
}

function textOf(path: string): string | undefined {
	try {
		return readFileSync(path, 'latin1')
	} catch {
		return undefined
	}
}

function namesOf(folder: string): string[] {
	try {
		return readdirSync(folder).sort()
	} catch {
		return []
	}
}

function realpathOr(path: string): string {
	try {
		return realpathSync(path)
	} catch {
		return path
	}
}
