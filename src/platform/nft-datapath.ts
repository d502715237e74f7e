// The nftables datapath: the kernel forwards by a copy of the tables that this keeps in step. What
// the kernel cannot do goes to a helper in userspace; extensions that the helper has verified are
// learnt by the kernel. Several gateways' tables never touch each other.

import type { Bytes } from '../base/bytes.ts'
import { SECOND } from '../base/time.ts'
import type { Forwarder } from '../gateway/forward.ts'
import { FRAME_AT, IPV4_BYTES, UDP_BYTES, type Frame } from '../gateway/frame.ts'
import {
	NftDifferences, nftForget, nftLearn, nftMoves, nftPortions,
} from '../gateway/nft-elements.ts'
import { nftChains, nftTable } from '../gateway/nft-rules.ts'
import type { NftSettings } from '../gateway/nft-text.ts'
import { KIND_IPV4 } from '../gateway/route.ts'
import { CHANGED_PORT_LIFE, LEARNED_LIFE, LEARNED_MAX } from '../limits.ts'
import type { Prefix4 } from '../wire/ip.ts'
import { EXTENSION_BYTES, PACKET_RECEIVER_EXTENSION, TO_SERVER_MAX } from '../wire/packets.ts'
import { Crowd } from './crowd.ts'
import type { Datapath } from './datapath.ts'
import type { PacketDatapath } from './linux/packet-datapath.ts'
import { findInterface, mtuOf, networksOf, readSysctl } from './network.ts'
import {
	nftApply, nftApplyNow, nftCheck, nftCounters, nftDelete, nftFilters, nftMissing, nftOwnTables,
	nftTableName,
	type NftTable,
} from './nft.ts'
import { causeOf, messageOf, Trouble } from './trouble.ts'

export interface NftOptions {
	readonly wan: string
	readonly lan: string
	readonly routeCounters: boolean
	/** undefined: what the kernel cannot forward is dropped. */
	readonly helper: PacketDatapath | undefined
	/** Rules that nobody waits for; they are tried again. */
	refused?(error: unknown): void
}

/** The longest packet that goes inward. */
const PACKET_MAX = IPV4_BYTES + UDP_BYTES + TO_SERVER_MAX
/** How long learnt extensions are gathered for one transaction. */
const GATHER_MS = 20

export class NftDatapath implements Datapath {
	readonly name = 'nftables'
	readonly table: string
	readonly #forwarder: Forwarder
	readonly #options: NftOptions
	readonly #crowd: Crowd
	readonly #notes: string[] = []
	#near: readonly Prefix4[] = []
	/** Why no server goes the short way. */
	#noShortWay: string | undefined
	/** The kernel has none. */
	#isLong = false
	#settings: NftSettings | undefined
	#differences: NftDifferences | undefined
	#learnt = new Map<string, { readonly extension: Bytes, readonly address: number }>()
	#gathering: NodeJS.Timeout | undefined
	/** Transactions go one after the other. */
	#queue: Promise<void> = Promise.resolve()

	constructor(forwarder: Forwarder, options: NftOptions) {
		this.#forwarder = forwarder
		this.#options = options
		this.table = nftTableName(options.wan, process.pid)
		this.#lookNear()
		const { sourceRate, targetRate } = forwarder.tables
		const most = Math.min(sourceRate.perSecond, targetRate.perSecond)
		this.#crowd = new Crowd(options.wan, most, () => this.#limit())
		if (options.helper === undefined) {
			this.#notes.push('no packet sockets: sealed and encoded extensions, IPv6 servers and '
				+ 'ICMP errors are not forwarded')
		}
	}

	get notes(): readonly string[] {
		if (this.#noShortWay === undefined) return this.#notes
		const { lan } = this.#options
		return [...this.#notes, `no short way to servers in the segment of ${lan}: ${this.#noShortWay}`]
	}

	/** Networks whose servers the kernel may reach without routing; none where that skips others. */
	#lookNear(): void {
		if (this.#isLong) return
		const { lan } = this.#options
		const mtu = mtuOf(lan)
		const filters = nftMissing() === undefined ? nftFilters() : []
		this.#noShortWay = filters.length > 0 ? `it would pass by ${filters.join(', ')}`
			: mtu < PACKET_MAX ? `its MTU is ${mtu}` : undefined
		this.#near = this.#noShortWay === undefined ? networksOf(lan) : []
	}

	async start(): Promise<void> {
		try {
			const divertPorts = this.#options.helper?.openDiverts() ?? []
			this.#settings = this.#checked(divertPorts)
			await this.#load(this.#settings)
			this.#differences = new NftDifferences(this.#forwarder.tables, this.#settings)
			this.#forwarder.tables.changes = this.#differences
			await this.#options.helper?.start()
			this.#crowd.start()
		} catch (error) {
			this.#stopAfter(error)
			throw error
		}
	}

	/** What refused the rules may refuse their removal too: both are said. */
	#stopAfter(error: unknown): void {
		try {
			this.stop()
		} catch (left) {
			throw new Trouble('load', 'nft rules', `${messageOf(error)}; ${messageOf(left)}`)
		}
	}

	/** A kernel without the short way forwards all the same. */
	#checked(divertPorts: readonly number[]): NftSettings {
		const settings = this.#settingsFor(divertPorts)
		try {
			nftCheck(nftTable(settings) + nftChains(settings))
			return settings
		} catch (error) {
			if (this.#near.length === 0) throw error
			this.#noShortWay = causeOf(error)
			this.#isLong = true
		}
		this.#near = []
		const without = this.#settingsFor(divertPorts)
		nftCheck(nftTable(without) + nftChains(without))
		return without
	}

	#settingsFor(divertPorts: readonly number[]): NftSettings {
		const { tables } = this.#forwarder
		const { wan, lan } = this.#options
		return {
			table: this.table, comment: `curvegate pid ${process.pid}`, wan, lan,
			address: tables.address >>> 0, ports: tables.ports,
			fence: tables.fence, sealed: tables.sealer !== undefined, divertPorts,
			lanMac: findInterface(lan).mac,
			near: this.#near, sourceCheck: sourceCheck(wan), limited: this.#crowd.isThere,
			sourceRate: tables.sourceRate, targetRate: tables.targetRate,
			direct: tables.routes.directCount > 0,
			routeCounters: this.#options.routeCounters, learnedMax: LEARNED_MAX,
			learnedSeconds: LEARNED_LIFE / SECOND, changedPortSeconds: CHANGED_PORT_LIFE / SECOND,
		}
	}

	/** What --dry-run prints: the whole ruleset as it would be loaded. */
	* ruleset(divertPorts: readonly number[]): Generator<string> {
		const settings = this.#settingsFor(divertPorts)
		yield nftTable(settings)
		yield* nftPortions(this.#forwarder.tables, settings)
		yield nftChains(settings)
	}

	/** A predecessor's table forwards until ours does, and goes in the same transaction. */
	async #load(settings: NftSettings): Promise<void> {
		const before = nftOwnTables(this.#options.wan)
		const living = before.filter(({ pid }) => pid !== process.pid && isAlive(pid))
		for (const { pid } of living) {
			this.#notes.push(`another gateway forwards for ${this.#options.wan} already: pid ${pid}`)
		}
		const mine = before.filter(({ pid }) => pid === process.pid)
		await nftApply(nftDelete(mine) + nftTable(settings))
		for (const portion of nftPortions(this.#forwarder.tables, settings)) await nftApply(portion)
		const dead = before.filter((table) => !living.includes(table) && !mine.includes(table))
		await nftApply(nftDelete(dead) + nftChains(settings))
	}

	/** The helper has verified an extension: from now on the kernel may do it. */
	noteForwarded(frame: Frame, publicPort: number): void {
		const { to, row } = this.#forwarder.tables
		if (row >= 0 || to.kind !== KIND_IPV4) return
		if (to.port !== 0 && to.port !== publicPort) return
		const at = FRAME_AT + IPV4_BYTES + UDP_BYTES + PACKET_RECEIVER_EXTENSION
		const extension = frame.bytes.slice(at, at + EXTENSION_BYTES)
		this.#learnt.set(extension.join(), { extension, address: to.address >>> 0 })
		this.#gathering ??= setTimeout(() => this.#learn(), GATHER_MS)
	}

	#learn(): void {
		this.#gathering = undefined
		const learnt = [...this.#learnt.values()]
		this.#learnt.clear()
		if (learnt.length === 0 || this.#settings === undefined) return
		const text = nftLearn(this.#settings, learnt.map(({ extension }) => extension),
			learnt.map(({ address }) => address))
		// A full map is no trouble: userspace goes on with these.
		this.#inTurn(() => nftApply(text)).catch(() => undefined)
	}

	#inTurn(work: () => Promise<void>): Promise<void> {
		const done = this.#queue.then(work)
		this.#queue = done.catch(() => undefined)
		return done
	}

	/** Sends the differences since the last time. */
	async refresh(rules = false): Promise<void> {
		await this.#options.helper?.refresh()
		await this.#inTurn(async () => {
			if (this.#settings === undefined) return
			const elements = this.#differences?.take() ?? ''
			// Rules for direct servers are there only when such servers are.
			const direct = this.#forwarder.tables.routes.directCount > 0
			if (rules || direct !== this.#settings.direct) await this.#replaceRules(elements)
			else if (elements !== '') await nftApply(elements)
			this.#differences?.accepted()
		})
	}

	/** After a refresh that was refused: the tables become again what the kernel has. */
	undo(): void {
		this.#differences?.undo()
	}

	/** A large reload does not wait for its end to begin. */
	get pending(): number {
		return this.#differences?.count ?? 0
	}

	/**
	 * The public address, the LAN's networks or its MTU are others: new rules, and only those
	 * elements anew that belong elsewhere. What is still right is forwarded all the while.
	 */
	async follow(): Promise<void> {
		await this.#options.helper?.refresh()
		await this.#inTurn(async () => {
			const { tables } = this.#forwarder
			const before = this.#settings
			if (before === undefined) return
			const elements = this.#differences?.take() ?? ''
			if (elements !== '') await nftApply(elements)
			this.#lookNear()
			const after = this.#settingsFor(before.divertPorts)
			for (const portion of nftMoves(tables, 'add', before, after)) await nftApply(portion)
			await this.#replaceRules()
			for (const portion of nftMoves(tables, 'delete', before, after)) await nftApply(portion)
			this.#differences = new NftDifferences(tables, after)
			tables.changes = this.#differences
		})
	}

	/** New rules over the same elements, in one transaction. */
	async #replaceRules(elements = ''): Promise<void> {
		if (this.#settings === undefined) return
		const settings = this.#settingsFor(this.#settings.divertPorts)
		const flush = `flush table ip ${this.table}\nflush table netdev ${this.table}\n`
		await nftApply(elements + nftForget(this.table) + flush + nftChains(settings))
		this.#settings = settings
	}

	async #limit(): Promise<void> {
		try {
			await this.#inTurn(() => this.#replaceRules())
		} catch (error) {
			this.#options.refused?.(error)
			throw error
		}
	}

	stopKernel(): void {
		const mine = nftOwnTables(this.#options.wan).filter(({ pid }) => pid === process.pid)
		if (mine.length > 0) nftApplyNow(nftDelete(mine))
	}

	counters(): Map<string, number> {
		return this.#settings === undefined ? new Map() : nftCounters(this.table)
	}

	losses(): Map<string, number> {
		return this.#options.helper?.losses() ?? new Map<string, number>()
	}

	stop(): void {
		clearTimeout(this.#gathering)
		this.#crowd.stop()
		const { tables } = this.#forwarder
		if (tables.changes === this.#differences) tables.changes = undefined
		this.#options.helper?.stop()
		if (this.#settings !== undefined) this.stopKernel()
		this.#settings = undefined
	}
}

/** The stricter of the two values counts. */
function sourceCheck(wan: string): NftSettings['sourceCheck'] {
	const values = ['all', wan].map((name) => readSysctl(`net.ipv4.conf.${name}.rp_filter`))
	if (values.includes('2')) return 'loose'
	return values.includes('1') ? 'strict' : 'none'
}

/**
 * Removes what a gateway for this interface left when it was killed, or this one when it could not
 * remove it: it would forward beside another datapath. Why it is still there; undefined: it is not.
 */
export function nftSweep(wan: string): string | undefined {
	let left: NftTable[] = []
	try {
		left = nftOwnTables(wan).filter(({ pid }) => pid === process.pid || !isAlive(pid))
		if (left.length > 0) nftApplyNow(nftDelete(left))
		return undefined
	} catch (error) {
		// Where nobody can ask, nobody knows of any.
		const [first] = left
		return first && `rules that pid ${first.pid} left forward too: ${messageOf(error)}; `
			+ `cure: nft delete table ip ${first.name}, and the same in netdev`
	}
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0)
		return true
	} catch (error) {
		return error instanceof Error && 'code' in error && error.code === 'EPERM'
	}
}
