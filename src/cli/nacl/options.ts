// The command lines of NaCl's tools: single letters that may be bundled, then words in a fixed
// order. spec: protocol.md 6.3

import { writeSync } from 'node:fs'
import type { Bytes } from '../../base/bytes.ts'
import { fromHex } from '../../base/hex.ts'
import { EXIT_USAGE, Trouble } from '../../platform/trouble.ts'
import { Log } from '../../service/log.ts'
import { SERVER_NAME_BYTES } from '../../wire/packets.ts'
import { writeServerName } from '../../wire/server-name.ts'

/** Returns the exit code; throws Trouble and Misuse. */
export type Run = (tool: string, words: readonly string[]) => number | Promise<number>

/** What was typed cannot be meant: the usage text, and what is wrong when that is known. */
export class Misuse extends Error {
	readonly #usage: readonly string[]

	constructor(usage: readonly string[], fault?: string) {
		super(fault ?? '')
		this.#usage = usage
	}

	say(tool: string): number {
		const lines = ['how to use:', ...this.#usage.map((line) => `  ${line}`)]
		tell(lines.map((line) => `${tool}: ${line}\n`).join(''))
		if (this.message !== '') tell(`${tool}: fatal: ${this.message}\n`)
		return EXIT_USAGE
	}
}

/** Not process.stderr: that makes a pipe non-blocking, also for the programs that share it. */
export function tell(text: string): void {
	try {
		writeSync(2, text)
	} catch {
		// Nobody listens.
	}
}

/** 0: nothing is said; 1: what is fatal; 2: more. */
let verbosity: 0 | 1 | 2 = 1

export function sayFatal(tool: string, text: string): void {
	if (verbosity > 0) tell(`${tool}: fatal: ${text}\n`)
}

export function logOf(tool: string): Log {
	return new Log({
		level: verbosity === 2 ? 'info' : 'error',
		format: 'text',
		write: (line) => {
			if (verbosity > 0) tell(`${tool}: ${line}\n`)
		},
	})
}

export interface Options {
	/** The last of those letters that were asked for and found. */
	readonly flag: string | undefined
	/** What followed -c, where that takes something. */
	readonly value: string | undefined
	readonly words: readonly string[]
}

export const COMMON_USAGE = [
	'-q (optional): no error messages',
	'-Q (optional): print error messages (default)',
	'-v (optional): print extra information',
]

/** flags: letters that stand alone beside -q, -Q and -v; valued: the one that takes a value. */
export function readOptions(
	words: readonly string[], flags: string, valued: string, usage: readonly string[],
): Options {
	let flag: string | undefined
	let value: string | undefined
	let at = 0
	for (; words[at]?.startsWith('-') === true; at++) {
		const word = words[at]!
		if (word === '-' || word === '--') {
			at++
			break
		}
		for (let i = 1; i < word.length; i++) {
			const letter = word[i]!
			if ('qQv'.includes(letter)) verbosity = letter === 'q' ? 0 : letter === 'Q' ? 1 : 2
			else if (flags.includes(letter)) flag = letter
			else if (letter !== valued) throw new Misuse(usage)
			else {
				value = i + 1 < word.length ? word.slice(i + 1) : words[++at]
				if (value === undefined) throw new Misuse(usage)
				break
			}
		}
	}
	return { flag, value, words: words.slice(at) }
}

/** The words that name a server, each checked in its order; usage is what a fault shows. */
export class Words {
	readonly #words: readonly string[]
	readonly #usage: readonly string[]
	#at = 0

	constructor(words: readonly string[], usage: readonly string[]) {
		this.#words = words
		this.#usage = usage
	}

	name(): Bytes {
		const text = this.#next()
		const name = new TextEncoder().encode(text)
		const fits = text !== undefined
			&& writeServerName(new Uint8Array(SERVER_NAME_BYTES), 0, name)
		if (fits) return name
		throw this.#fault('sname must be at most 255 bytes, at most 63 bytes between dots')
	}

	keyDirectory(): string {
		const dir = this.#next()
		if (dir === undefined) throw this.#fault('missing keydir')
		return demandFolder(dir)
	}

	hex(bytes: number, what: string): Bytes {
		const value = fromHex(this.#next() ?? '', bytes)
		if (value !== undefined) return value
		throw this.#fault(`${what} must be exactly ${2 * bytes} hex characters`)
	}

	address(): number {
		const address = addressOf(this.#next() ?? '')
		if (address !== undefined) return address
		throw this.#fault('ip must be an IPv4 address')
	}

	addresses(): number[] {
		const addresses = (this.#next() ?? '').split(',').map(addressOf)
		const known = addresses.filter((one) => one !== undefined)
		if (known.length === addresses.length) return known
		throw this.#fault('ip must be a comma-separated series of IPv4 addresses')
	}

	/** Up to five digits, of which the lower 16 bits count. */
	port(): number {
		const text = this.#next() ?? ''
		if (/^\d{1,5}$/.test(text)) return Number(text) & 0xffff
		throw this.#fault('port must be an integer between 0 and 65535')
	}

	program(): readonly string[] {
		const words = this.#words.slice(this.#at)
		if (words.length === 0) throw this.#fault('missing prog')
		return words
	}

	#next(): string | undefined {
		return this.#words[this.#at++]
	}

	#fault(text: string): Misuse {
		return new Misuse(this.#usage, text)
	}
}

/** An empty word is no folder here, whatever it would mean to the system. */
export function demandFolder(dir: string): string {
	if (dir !== '') return dir
	throw new Trouble('use', "key directory ''", 'no such file or folder')
}

/** Four octets of up to three digits, of which the lower 8 bits count. */
function addressOf(text: string): number | undefined {
	if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return undefined
	return text.split('.').reduce((sum, octet) => sum * 256 + (Number(octet) & 0xff), 0)
}
