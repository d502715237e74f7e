// The nftables datapath: the kernel forwards by a copy of the tables that this keeps in step. What
// the kernel cannot do goes to a helper in userspace; extensions that the helper has verified are
// learnt by the kernel. Several gateways' tables never touch each other.

import type { Bytes } from '../base/bytes.ts'
import { SECOND } from '../base/time.ts'
import type { Forwarder } from '../gateway/forward.ts'
import { FRAME_AT, IPV4_BYTES, UDP_BYTES, type Frame } from '../gateway/frame.ts'
import { NftDifferences, nftForget, nftLearn, nftPortions } from '../gateway/nft-elements.ts'
import { nftChains, nftTable, type NftSettings } from '../gateway/nft-rules.ts'
import { KIND_IPV4, KIND_MAC } from '../gateway/route.ts'
import { CHANGED_PORT_LIFE, LEARNED_LIFE, LEARNED_MAX } from '../limits.ts'
import { EXTENSION_BYTES, PACKET_RECEIVER_EXTENSION } from '../wire/packets.ts'
import type { Datapath } from './datapath.ts'
import type { PacketDatapath } from './linux/packet-datapath.ts'
import {
	nftApply, nftApplyNow, nftCheck, nftCounters, nftDelete, nftOwnTables, nftTableName,
	type NftTable,
} from './nft.ts'

export interface NftOptions {
	readonly wan: string
	readonly lan: string
	readonly lanMac: string
	readonly routeCounters: boolean
	/** The kernel's own limits by client address and by server; undefined: none. */
	readonly limits: Pick<NftSettings, 'sourceRate' | 'targetRate'>
	/** undefined: what the kernel cannot forward is dropped. */
	readonly helper: PacketDatapath | undefined
}

/** How long learnt extensions are gathered for one transaction. */
const GATHER_MS = 20

export class NftDatapath implements Datapath {
	readonly name = 'nftables'
	readonly notes: string[] = []
	readonly table: string
	readonly #forwarder: Forwarder
	readonly #options: NftOptions
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
		if (options.helper === undefined) {
			this.notes.push('no packet sockets: sealed and encoded extensions, IPv6 servers and '
				+ 'ICMP errors are not forwarded')
		}
	}

	async start(): Promise<void> {
		try {
			const divertPorts = this.#options.helper?.openDiverts() ?? []
			this.#settings = this.#settingsFor(divertPorts)
			await this.#load(this.#settings)
			this.#differences = new NftDifferences(this.#forwarder.tables, this.table)
			this.#forwarder.tables.changes = this.#differences
			await this.#options.helper?.start()
		} catch (error) {
			this.stop()
			throw error
		}
	}

	#settingsFor(divertPorts: readonly number[]): NftSettings {
		const { tables } = this.#forwarder
		return {
			...this.#options.limits, table: this.table, comment: `curvegate pid ${process.pid}`,
			wan: this.#options.wan, lan: this.#options.lan, address: tables.address >>> 0,
			ports: tables.ports,
			fence: tables.fence, sealed: tables.isSealed, divertPorts, lanMac: this.#options.lanMac,
			direct: tables.routes.kinds.includes(KIND_MAC),
			routeCounters: this.#options.routeCounters, learnedMax: LEARNED_MAX,
			learnedSeconds: LEARNED_LIFE / SECOND, changedPortSeconds: CHANGED_PORT_LIFE / SECOND,
		}
	}

	/** What --dry-run prints: the whole ruleset as it would be loaded. */
	* ruleset(divertPorts: readonly number[]): Generator<string> {
		const settings = this.#settingsFor(divertPorts)
		yield nftTable(settings)
		yield* nftPortions(this.#forwarder.tables, this.table)
		yield nftChains(settings)
	}

	/** A predecessor's table forwards until ours does, and goes in the same transaction. */
	async #load(settings: NftSettings): Promise<void> {
		nftCheck(nftTable(settings) + nftChains(settings))
		const before = nftOwnTables(this.#options.wan)
		const living = before.filter(({ pid }) => pid !== process.pid && isAlive(pid))
		for (const { pid } of living) {
			this.notes.push(`another gateway forwards for ${this.#options.wan} already: pid ${pid}`)
		}
		const mine = before.filter(({ pid }) => pid === process.pid)
		await nftApply(nftDelete(mine) + nftTable(settings))
		for (const portion of nftPortions(this.#forwarder.tables, this.table)) await nftApply(portion)
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
		const text = nftLearn(this.table, learnt.map((l) => l.extension), learnt.map((l) => l.address))
		// A full map is no trouble: userspace goes on with these.
		void this.#apply(text).catch(() => undefined)
	}

	#apply(text: string): Promise<void> {
		const done = this.#queue.then(() => text === '' ? undefined : nftApply(text))
		this.#queue = done.catch(() => undefined)
		return done
	}

	/** Sends the differences since the last time. */
	async refresh(): Promise<void> {
		await this.#options.helper?.refresh()
		await this.#apply(this.#differences?.take() ?? '')
		// Rules for direct servers are there only when such servers are.
		const direct = this.#forwarder.tables.routes.kinds.includes(KIND_MAC)
		if (this.#settings !== undefined && direct !== this.#settings.direct) await this.refence()
	}

	/** A large reload does not wait for its end to begin. */
	get pending(): number {
		return this.#differences?.count ?? 0
	}

	/** After the fence or the keys changed: new rules over the same elements, in one transaction. */
	async refence(): Promise<void> {
		if (this.#settings === undefined) return
		this.#settings = this.#settingsFor(this.#settings.divertPorts)
		const flush = `flush table ip ${this.table}\nflush table netdev ${this.table}\n`
		await this.#apply(nftForget(this.table) + flush + nftChains(this.#settings))
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
		const { tables } = this.#forwarder
		if (tables.changes === this.#differences) tables.changes = undefined
		this.#options.helper?.stop()
		if (this.#settings !== undefined) this.stopKernel()
		this.#settings = undefined
	}
}

/** Tables that a gateway for this interface left when it was killed. */
export function nftLeftovers(wan: string): NftTable[] {
	return nftOwnTables(wan).filter(({ pid }) => pid !== process.pid && !isAlive(pid))
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0)
		return true
	} catch (error) {
		return error instanceof Error && 'code' in error && error.code === 'EPERM'
	}
}
