// The console's password as the configuration keeps it: scrypt:LOG2N:R:P:SALT:HASH, both in base64.
// Node's own scrypt makes it and compares, on a thread of its own: packets do not wait for it.

import { randomBytes, scrypt, timingSafeEqual, type ScryptOptions } from 'node:crypto'
import { promisify } from 'node:util'

/** 16 MB and some 50 ms for one try; a slow board needs half a second. */
const LOG2_COST = 14
const BLOCK = 8
const SALT_BYTES = 16
const HASH_BYTES = 32
/** A file may ask for no more than the board has: 64 MB. */
const LOG2_COST_MAX = 16
export const PASSWORD_MAX = 256

interface Parts {
	readonly options: ScryptOptions
	readonly salt: Buffer
	readonly hash: Buffer
}

/** What is wrong with a new password; undefined: nothing. */
export function passwordFault(password: string): string | undefined {
	if (password.length < 8) return 'a password has at least 8 characters'
	if (password.length > PASSWORD_MAX) return `a password has at most ${PASSWORD_MAX} characters`
	if (/\p{Cc}/u.test(password)) return 'a password has no control characters'
	return password.startsWith('{') ? 'a password does not start with a brace' : undefined
}

export async function hashPassword(password: string): Promise<string> {
	const salt = randomBytes(SALT_BYTES)
	const options = { N: 2 ** LOG2_COST, r: BLOCK, p: 1 }
	const hash = await derive(password, salt, options)
	return ['scrypt', LOG2_COST, BLOCK, 1, salt.toString('base64'), hash.toString('base64')].join(':')
}

export async function isPassword(password: string, kept: string): Promise<boolean> {
	const parts = readHash(kept)
	if (parts === undefined || password.length > PASSWORD_MAX) return false
	return timingSafeEqual(await derive(password, parts.salt, parts.options), parts.hash)
}

/** undefined: no hash that hashPassword could have made. */
export function readHash(kept: string): Parts | undefined {
	const [, log2, r, p, salt64, hash64] =
		/^scrypt:(\d{1,2}):(\d{1,2}):(\d):([A-Za-z0-9+/]+=*):([A-Za-z0-9+/]+=*)$/.exec(kept) ?? []
	if (log2 === undefined || salt64 === undefined || hash64 === undefined) return undefined
	const salt = Buffer.from(salt64, 'base64')
	const hash = Buffer.from(hash64, 'base64')
	const cost = Number(log2)
	const fits = cost >= 10 && cost <= LOG2_COST_MAX && Number(r) === BLOCK && Number(p) === 1
	if (!fits || salt.length < SALT_BYTES || hash.length !== HASH_BYTES) return undefined
	return { options: { N: 2 ** cost, r: BLOCK, p: 1 }, salt, hash }
}

async function derive(password: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
	// Twice what it needs: Node counts some on top.
	const maxmem = 256 * (options.N ?? 0) * BLOCK
	const run = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt)
	return await run(password.normalize('NFC'), salt, HASH_BYTES, { ...options, maxmem })
}
