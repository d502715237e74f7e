// Routes as elements of the kernel's sets: all of them in portions at start, only differences
// later. Text only. The sets are those of nft-rules.ts.

import type { Bytes } from '../base/bytes.ts'
import { toHex } from '../base/hex.ts'
import { formatIpv4 } from '../wire/ip.ts'
import { EXTENSION_BYTES } from '../wire/packets.ts'
import type { RouteChanges, Tables } from './tables.ts'
import { formatMac, type Target } from './target.ts'

/** Elements in one transaction: a million at once cost nft 764 MB. */
export const PORTION = 50_000

type Verb = 'add' | 'delete'
type Family = 'ip' | 'netdev'

/** Elements of one transaction, gathered by set. */
class Portion {
	count = 0
	readonly #table: string
	readonly #sets = new Map<string, string[]>()

	constructor(table: string) {
		this.#table = table
	}

	put(verb: Verb, family: Family, set: string, element: string): void {
		const head = `${verb} element ${family} ${this.#table} ${set}`
		const elements = this.#sets.get(head)
		if (elements === undefined) this.#sets.set(head, [element])
		else elements.push(element)
		this.count++
	}

	take(): string {
		let text = ''
		// Deletions first: a changed route is one of each, under the same key.
		for (const verb of ['delete', 'add']) {
			for (const [head, elements] of this.#sets) {
				if (head.startsWith(verb)) text += `${head} { ${elements.join(', ')} }\n`
			}
		}
		this.#sets.clear()
		this.count = 0
		return text
	}
}

/** Every element of the tables as they are, a transaction at a time. */
export function* nftPortions(tables: Tables, table: string, size = PORTION): Generator<string> {
	const portion = new Portion(table)
	const extension = new Uint8Array(EXTENSION_BYTES)
	for (let row = 0; row < tables.routes.rows; row++) {
		if (!tables.routes.isUsed(row)) continue
		tables.routes.extensionOf(row, extension, 0)
		putRoute(portion, 'add', tables.ports, extension, tables.routes.targetOf(row))
		if (portion.count >= size) yield portion.take()
	}
	for (const target of tables.locals.targets()) {
		putLocal(portion, 'add', tables.ports, target)
		if (portion.count >= size) yield portion.take()
	}
	if (portion.count > 0) yield portion.take()
}

/** Gathers what changes in the tables from now on. */
export class NftDifferences implements RouteChanges {
	readonly #ports: readonly number[]
	readonly #portion: Portion

	constructor(tables: Tables, table: string) {
		this.#ports = tables.ports
		this.#portion = new Portion(table)
	}

	get count(): number {
		return this.#portion.count
	}

	/** The transaction that brings the kernel up to date; '' when nothing has changed. */
	take(): string {
		return this.#portion.take()
	}

	routeSet(extension: Bytes, target: Target): void {
		putRoute(this.#portion, 'add', this.#ports, extension, target)
	}

	routeDeleted(extension: Bytes, target: Target): void {
		putRoute(this.#portion, 'delete', this.#ports, extension, target)
	}

	localAdded(target: Target): void {
		putLocal(this.#portion, 'add', this.#ports, target)
	}

	localRemoved(target: Target): void {
		putLocal(this.#portion, 'delete', this.#ports, target)
	}
}

function putRoute(
	to: Portion, verb: Verb, ports: readonly number[], extension: Bytes, target: Target,
): void {
	const key = `0x${toHex(extension)}`
	// Deletions name the key only.
	const value = (text: string | number): string => verb === 'add' ? `${key} : ${text}` : key
	switch (target.kind) {
		case 'ipv4':
			to.put(verb, 'ip', changesPort(target.port, ports) ? 'ported' : 'servers',
				value(formatIpv4(target.address)))
			break
		case 'own':
			to.put(verb, 'ip', 'own', key)
			// Shared by every route to that port, and harmless without one: it stays.
			if (verb === 'add' && !ports.includes(target.port)) {
				to.put('add', 'ip', 'own_backs', `${target.port} : ${ports[0]!}`)
			}
			break
		case 'ipv6':
			to.put(verb, 'ip', 'upward', key)
			return
		case 'mac':
			to.put(verb, 'netdev', 'macs', value(formatMac(target.mac)))
			return
	}
	if (!changesPort(target.port, ports)) return
	to.put(verb, 'ip', 'ports', value(target.port))
	to.put(verb, 'ip', 'changed', key)
}

function changesPort(port: number, ports: readonly number[]): boolean {
	return port !== 0 && (ports.length > 1 || port !== ports[0])
}

/** IPv6 servers are translated in userspace: the kernel does not know them. */
function putLocal(to: Portion, verb: Verb, ports: readonly number[], target: Target): void {
	if (target.kind !== 'ipv4') return
	const address = formatIpv4(target.address)
	const quoted = `0x${target.address.toString(16).padStart(8, '0')}`
	for (const port of target.port === 0 ? ports : [target.port]) {
		to.put(verb, 'ip', 'locals', `${address} . ${port}`)
		to.put(verb, 'ip', 'quoted', `${quoted} . ${port}`)
		if (ports.includes(port)) continue
		to.put(verb, 'ip', 'backs', `${address} . ${port}${verb === 'add' ? ` : ${ports[0]!}` : ''}`)
	}
}

/** Verified extensions that the kernel may forward by itself until they expire. */
export function nftLearn(table: string, extensions: readonly Bytes[],
	addresses: readonly number[]): string {
	const elements = extensions.map((e, i) => `0x${toHex(e)} : ${formatIpv4(addresses[i]!)}`)
	return `add element ip ${table} learned { ${elements.join(', ')} }\n`
}

/** After keys were revoked nothing learnt may stand. */
export function nftForget(table: string): string {
	return `flush map ip ${table} learned\n`
}
