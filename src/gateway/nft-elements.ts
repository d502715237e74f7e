// Routes as elements of the kernel's sets: all of them in portions at start, only differences
// later. Text only. The sets are those of nft-rules.ts and nft-near.ts.

import type { Bytes } from '../base/bytes.ts'
import { toHex } from '../base/hex.ts'
import { formatIpv4, inPrefix4, type Prefix4 } from '../wire/ip.ts'
import { EXTENSION_BYTES } from '../wire/packets.ts'
import type { RouteChanges, Tables } from './tables.ts'
import { formatMac, type Target } from './target.ts'

/** Elements in one transaction: a million at once cost nft 764 MB. */
export const PORTION = 50_000

/** Which set of which table an element belongs to. */
export interface NftLayout {
	readonly table: string
	/** The public ports. */
	readonly ports: readonly number[]
	/** Networks whose servers go the short way. */
	readonly near: readonly Prefix4[]
}

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
export function* nftPortions(
	tables: Tables, layout: NftLayout, size = PORTION,
): Generator<string> {
	const portion = new Portion(layout.table)
	const extension = new Uint8Array(EXTENSION_BYTES)
	for (let row = 0; row < tables.routes.rows; row++) {
		if (!tables.routes.isUsed(row)) continue
		tables.routes.extensionOf(row, extension, 0)
		putRoute(portion, 'add', layout, extension, tables.routes.targetOf(row))
		if (portion.count >= size) yield portion.take()
	}
	for (const target of tables.locals.targets()) {
		putLocal(portion, 'add', layout, target)
		if (portion.count >= size) yield portion.take()
	}
	if (portion.count > 0) yield portion.take()
}

/**
 * Elements whose set is another in the new layout: 'add' puts them there, 'delete' takes them from
 * where they were. Between the two either place is right.
 */
export function* nftMoves(
	tables: Tables, verb: Verb, before: NftLayout, after: NftLayout, size = PORTION,
): Generator<string> {
	// Another address moves nothing, and a million rows take a while to look at.
	if (isSame(before.near, after.near)) return
	const portion = new Portion(after.table)
	const extension = new Uint8Array(EXTENSION_BYTES)
	for (let row = 0; row < tables.routes.rows; row++) {
		if (!tables.routes.isUsed(row)) continue
		const target = tables.routes.targetOf(row)
		if (isNear(before, target) === isNear(after, target)) continue
		tables.routes.extensionOf(row, extension, 0)
		putRoute(portion, verb, verb === 'add' ? after : before, extension, target)
		if (portion.count >= size) yield portion.take()
	}
	if (portion.count > 0) yield portion.take()
}

function isSame(some: readonly Prefix4[], others: readonly Prefix4[]): boolean {
	return some.length === others.length
		&& some.every(({ base, bits }, i) => base === others[i]!.base && bits === others[i]!.bits)
}

/** A route that came or went. */
interface Step {
	readonly extension: Bytes
	readonly target: Target
	readonly isThere: boolean
}

/** Gathers what changes in the tables from now on, and can undo what the kernel refuses of it. */
export class NftDifferences implements RouteChanges {
	readonly #tables: Tables
	readonly #layout: NftLayout
	readonly #portion: Portion
	/** Since the last transaction that was accepted. */
	readonly #steps: Step[] = []

	constructor(tables: Tables, layout: NftLayout) {
		this.#tables = tables
		this.#layout = layout
		this.#portion = new Portion(layout.table)
	}

	get count(): number {
		return this.#portion.count
	}

	/** The transaction that brings the kernel up to date; '' when nothing has changed. */
	take(): string {
		return this.#portion.take()
	}

	/** The kernel has what was taken. */
	accepted(): void {
		this.#steps.length = 0
	}

	/** The tables become again what the kernel has. */
	undo(): void {
		const tables = this.#tables
		tables.changes = undefined
		for (const { extension, target, isThere } of this.#steps.reverse()) {
			if (isThere) tables.deleteRoute(extension)
			else tables.putBack(extension, target)
		}
		this.#steps.length = 0
		this.#portion.take()
		tables.changes = this
	}

	routeSet(extension: Bytes, target: Target): void {
		this.#steps.push({ extension: extension.slice(), target, isThere: true })
		putRoute(this.#portion, 'add', this.#layout, extension, target)
	}

	routeDeleted(extension: Bytes, target: Target): void {
		this.#steps.push({ extension: extension.slice(), target, isThere: false })
		putRoute(this.#portion, 'delete', this.#layout, extension, target)
	}

	localAdded(target: Target): void {
		putLocal(this.#portion, 'add', this.#layout, target)
	}

	localRemoved(target: Target): void {
		// A server may be named with the public port and without: one element stands for both.
		putLocal(this.#portion, 'delete', this.#layout, target,
			(address, port) => !this.#tables.isRouted4(address, port))
	}
}

function putRoute(
	to: Portion, verb: Verb, layout: NftLayout, extension: Bytes, target: Target,
): void {
	const { ports } = layout
	const key = `0x${toHex(extension)}`
	// Deletions name the key only.
	const value = (text: string | number, of = key): string =>
		verb === 'add' ? `${of} : ${text}` : of
	switch (target.kind) {
		case 'ipv4':
			if (isNear(layout, target)) {
				to.put(verb, 'netdev', 'near', value(formatIpv4(target.address), nearKey(extension)))
			} else {
				to.put(verb, 'ip', changesPort(target.port, ports) ? 'ported' : 'servers',
					value(formatIpv4(target.address)))
			}
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
			to.put(verb, 'netdev', 'macs', value(formatMac(target.mac), nearKey(extension)))
			return
	}
	if (!changesPort(target.port, ports)) return
	to.put(verb, 'ip', 'ports', value(target.port))
	to.put(verb, 'ip', 'changed', key)
}

function isNear({ ports, near }: NftLayout, target: Target): boolean {
	if (target.kind !== 'ipv4' || changesPort(target.port, ports)) return false
	return near.some((prefix) => inPrefix4(prefix, target.address))
}

/** An extension as four words. */
function nearKey(extension: Bytes): string {
	return [0, 4, 8, 12].map((at) => `0x${toHex(extension, at, 4)}`).join(' . ')
}

function changesPort(port: number, ports: readonly number[]): boolean {
	return port !== 0 && (ports.length > 1 || port !== ports[0])
}

/** IPv6 servers are translated in userspace: the kernel does not know them. */
function putLocal(
	to: Portion, verb: Verb, { ports }: NftLayout, target: Target,
	isWanted = (_address: number, _port: number): boolean => true,
): void {
	if (target.kind !== 'ipv4') return
	const address = formatIpv4(target.address)
	const quoted = `0x${target.address.toString(16).padStart(8, '0')}`
	for (const port of target.port === 0 ? ports : [target.port]) {
		if (!isWanted(target.address, port)) continue
		to.put(verb, 'ip', 'locals', `${address} . ${port}`)
		to.put(verb, 'ip', 'quoted', `${quoted} . ${port}`)
		if (ports.includes(port)) continue
		to.put(verb, 'ip', 'backs', `${address} . ${port}${verb === 'add' ? ` : ${ports[0]!}` : ''}`)
	}
}

/** Verified extensions that the kernel may forward by itself until they expire. */
export function nftLearn(
	layout: NftLayout, extensions: readonly Bytes[], addresses: readonly number[],
): string {
	const portion = new Portion(layout.table)
	extensions.forEach((extension, i) => {
		const address = addresses[i]!
		const near = isNear(layout, { kind: 'ipv4', address, port: 0 })
		const key = near ? nearKey(extension) : `0x${toHex(extension)}`
		portion.put('add', near ? 'netdev' : 'ip', 'learned', `${key} : ${formatIpv4(address)}`)
	})
	return portion.take()
}

/** After keys were revoked nothing learnt may stand. */
export function nftForget(table: string): string {
	return `flush map ip ${table} learned\nflush map netdev ${table} learned\n`
}
