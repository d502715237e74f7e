// From an address as given to hosts that can be asked: DNS names become IPv4 addresses, and what
// the address leaves out, the key and the extension, may stand in the names behind a CNAME. spec:
// product.md 3, protocol.md 8

import { promises as dns } from 'node:dns'
import { fromKeyLabel } from '../base/base32.ts'
import { same, type Bytes } from '../base/bytes.ts'
import { fromHex } from '../base/hex.ts'
import { SECOND, type Nanos } from '../base/time.ts'
import type { Host } from '../endpoint/race.ts'
import { HOSTS_MAX } from '../limits.ts'
import { Trouble, Usage, causeOf, codeOf } from '../platform/trouble.ts'
import { addressOf } from '../platform/udp.ts'
import { EXTENSION_BYTES } from '../wire/packets.ts'
import { NO_EXTENSION, type Address } from './address.ts'

export interface Resolved {
	readonly key: Bytes
	/** In the order of the address, then of the name server's answers; never empty. */
	readonly hosts: readonly Host[]
	/** How long this may be believed. */
	readonly life: Nanos
}

/** What is asked of the name service; a test brings its own. */
export interface Names {
	/** IPv4 addresses, by whatever this machine uses: files, multicast, name servers. */
	lookup(name: string): Promise<string[]>
	/** Seconds for which the name servers' answer holds; undefined: they did not give it. */
	lifetime(name: string): Promise<number | undefined>
	/** What the name stands for; empty: itself. */
	alias(name: string): Promise<string[]>
}

const ALIASES_MAX = 8
/** When nobody says how long: from /etc/hosts, or from a name server that gives no time. */
const USUAL_LIFE: Nanos = 60 * SECOND
const ASK_MILLISECONDS = 2000

export const systemNames: Names = {
	async lookup(name) {
		const found = await dns.lookup(name, { all: true, family: 4, verbatim: true })
		return found.map(({ address }) => address)
	},
	async lifetime(name) {
		try {
			const records = await resolver().resolve4(name, { ttl: true })
			return Math.min(...records.map(({ ttl }) => ttl))
		} catch {
			return undefined
		}
	},
	async alias(name) {
		try {
			return await resolver().resolveCname(name)
		} catch {
			return []
		}
	},
}

export async function resolve(address: Address, names: Names = systemNames): Promise<Resolved> {
	const told = address.key === undefined
		? await Promise.all(address.hosts.map(async (host) => await followAliases(host, names))) : []
	const first = told.find((one) => one !== undefined)
	const key = address.key ?? first?.key
	if (key === undefined) {
		throw new Usage('the address has no key: expected KEY@ before the host, or a label uz7… in '
			+ `${address.hosts.join(' or ')} or in what it is an alias of`)
	}
	const own = address.extension.some((byte) => byte !== 0) ? address.extension : undefined
	const extensions = address.hosts.map((_, i) =>
		own ?? told[i]?.extension ?? first?.extension ?? NO_EXTENSION)
	return { key, ...await findHosts(address, extensions, names) }
}

async function findHosts(
	address: Address, extensions: readonly Bytes[], names: Names,
): Promise<{ hosts: Host[], life: Nanos }> {
	const answers = await Promise.all(address.hosts.map(async (name) => {
		if (addressOf(name) !== undefined) return { found: [name], life: Infinity }
		try {
			const [found, seconds] = await Promise.all([names.lookup(name), names.lifetime(name)])
			return { found, life: seconds === undefined ? USUAL_LIFE : seconds * SECOND }
		} catch (error) {
			return { found: [], life: USUAL_LIFE, error }
		}
	}))
	const hosts: Host[] = []
	for (const [i, { found }] of answers.entries()) {
		const extension = extensions[i]!
		for (const text of found) {
			const host = { address: addressOf(text)!, port: address.port, extension }
			if (!hosts.some((one) => isSame(one, host))) hosts.push(host)
		}
	}
	if (hosts.length === 0) {
		const cause = answers.find(({ error }) => error !== undefined)?.error
		const words = cause === undefined ? 'it has no IPv4 address' : causeOf(cause)
		throw new Trouble('find', address.hosts.join(', '), words, codeOf(cause))
	}
	return { hosts: hosts.slice(0, HOSTS_MAX), life: Math.min(...answers.map(({ life }) => life)) }
}

function isSame(a: Host, b: Host): boolean {
	return a.address === b.address && same(a.extension, 0, b.extension, 0, EXTENSION_BYTES)
}

/** What the first alias of a host says that has a key in one of its labels. */
async function followAliases(
	host: string, names: Names,
): Promise<{ key: Bytes, extension: Bytes | undefined } | undefined> {
	let name: string | undefined = addressOf(host) === undefined ? host : undefined
	for (let i = 0; i < ALIASES_MAX && name !== undefined; i++) {
		const labels: string[] = name.split('.')
		const at = labels.findIndex((label) => fromKeyLabel(label) !== undefined)
		if (at >= 0) {
			const extension = fromHex(labels[at + 1] ?? '', EXTENSION_BYTES)
				?? fromHex(labels[at - 1] ?? '', EXTENSION_BYTES)
			return { key: fromKeyLabel(labels[at]!)!, extension }
		}
		name = (await names.alias(name))[0]
	}
	return undefined
}

function resolver(): dns.Resolver {
	return new dns.Resolver({ timeout: ASK_MILLISECONDS, tries: 1 })
}
