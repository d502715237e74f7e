// Which datapath: the best that works, and why not a better one. Looks before it starts one: the
// commands, the privileges, the kernel's switches.

import type { Tables } from '../gateway/tables.ts'
import type { Datapath, DatapathName } from '../platform/datapath.ts'
import { libc } from '../platform/linux/libc.ts'
import { PacketDatapath } from '../platform/linux/packet-datapath.ts'
import { readSysctl, writeSysctl } from '../platform/network.ts'
import { NftDatapath, nftSweep } from '../platform/nft-datapath.ts'
import { nftMissing, nftOwnTables, nftRouteCounters } from '../platform/nft.ts'
import type { Platform } from '../platform/platform.ts'
import { RawDatapath, rawMissing } from '../platform/portable/raw.ts'
import { RelayDatapath } from '../platform/portable/relay-datapath.ts'
import { messageOf, Trouble } from '../platform/trouble.ts'
import type { GatewayParts } from './gateway.ts'

export interface Choice {
	readonly datapath: Datapath
	readonly reason: string
	/** Changes that the kernel does not know yet. */
	pending(): number
	/** After a refresh that was refused: the tables are what the datapath goes by. */
	undo(): void
	/** The public address or what the LAN reaches is another; false: it must be started anew. */
	follow(): Promise<boolean>
	/** Whether what was put into the kernel is still there. */
	isThere(): boolean
	/** The kernel's counters, by name. */
	counters(): Map<string, number>
	routeCounters(): Map<string, number>
}

export interface ChooseOptions {
	readonly platform: Platform
	/** Those that are not to be tried, and why. */
	readonly broken: ReadonlyMap<DatapathName, string>
	readonly routeCounters: boolean
	/** Something beside the routes was refused; it is tried again. */
	onRefused(error: unknown): void
	onBroken(name: DatapathName, error: unknown): void
}

const IP_FORWARD = 'net.ipv4.ip_forward'
const ORDER: readonly DatapathName[] = ['nftables', 'packet', 'raw', 'relay']

export async function chooseDatapath(parts: GatewayParts, options: ChooseOptions): Promise<Choice> {
	const wanted = parts.spec.datapath
	const reasons: string[] = []
	for (const name of wanted === 'auto' ? ORDER : [wanted]) {
		const why = options.broken.get(name) ?? missing(name, parts)
		if (why !== undefined) {
			reasons.push(`${name}: ${why}`)
			continue
		}
		try {
			return await start(name, parts, options,
				reasonOf(wanted, name, reasons) + beside(name, parts.spec.wan))
		} catch (error) {
			reasons.push(`${name}: ${messageOf(error)}`)
		}
	}
	if (wanted === 'auto') throw new Trouble('start', 'any datapath', reasons.join('; '))
	const why = reasons.join('; ').slice(`${wanted}: `.length)
	throw new Trouble('start', `datapath ${wanted}`, `${why}; cure: ${cureOf(why)}`)
}

function cureOf(why: string): string {
	const rights = /not permitted/.test(why) ? 'root or CAP_NET_ADMIN and CAP_NET_RAW, or ' : ''
	return `${rights}--datapath auto, which takes the best that works`
}

function reasonOf(wanted: string, name: DatapathName, reasons: readonly string[]): string {
	if (wanted === name) return 'asked for'
	return reasons.length === 0 ? 'the fastest, and it works here' : `not ${reasons.join('; not ')}`
}

/** What the kernel does beside a datapath that is not its own. */
function beside(name: DatapathName, wan: string): string {
	if (name === 'nftables') return ''
	const left = nftSweep(wan)
	return (left === undefined ? '' : `; ${left}`) + leak(name)
}

/** Packet and raw sockets only see copies: what the kernel does with its own is the kernel's. */
function leak(name: DatapathName): string {
	if (name === 'relay' || readSysctl(IP_FORWARD) !== '1') return ''
	return `; ${IP_FORWARD} is on, so the kernel also forwards what local servers send, untranslated `
		+ `and under local addresses; cure: sysctl -w ${IP_FORWARD}=0`
}

/** What stands in the way of a datapath, as far as it can be seen before it is tried. */
function missing(name: DatapathName, { spec }: GatewayParts): string | undefined {
	switch (name) {
		case 'nftables':
			return nftMissing() ?? forwarding(spec.applySysctl)
		case 'packet':
			try {
				libc()
				return undefined
			} catch (error) {
				return messageOf(error)
			}
		case 'raw':
			return rawMissing()
		case 'relay':
			return undefined
	}
}

function forwarding(apply: boolean): string | undefined {
	if (readSysctl(IP_FORWARD) === '1') return undefined
	if (!apply) return `${IP_FORWARD} is off (sysctl -w ${IP_FORWARD}=1, or --apply-sysctl)`
	try {
		writeSysctl(IP_FORWARD, '1')
		return undefined
	} catch (error) {
		return messageOf(error)
	}
}

async function start(
	name: DatapathName, parts: GatewayParts, options: ChooseOptions, reason: string,
): Promise<Choice> {
	if (name === 'nftables') return startNft(parts, options, reason)
	const datapath = make(name, parts, options)
	await datapath.start()
	return {
		datapath, reason, pending: () => 0, undo: () => undefined, follow: async () => false,
		isThere: () => true, counters: () => new Map(), routeCounters: () => new Map(),
	}
}

function make(
	name: 'packet' | 'raw' | 'relay', { spec, tables, forwarder }: GatewayParts,
	options: ChooseOptions,
): Datapath {
	const sides = { wan: spec.wan, lan: spec.lan, lanPorts: () => lanPorts(tables) }
	const { random, openUdp } = options.platform
	const broken = (error: unknown): void => options.onBroken(name, error)
	switch (name) {
		case 'packet': return new PacketDatapath(forwarder, { ...sides, udp: true }, random, broken)
		case 'raw': return new RawDatapath(forwarder, sides, broken)
		case 'relay': return new RelayDatapath(forwarder, openUdp, random)
	}
}

async function startNft(
	{ spec, tables, forwarder }: GatewayParts, options: ChooseOptions, reason: string,
): Promise<Choice> {
	const broken = (error: unknown): void => options.onBroken('nftables', error)
	const sides = { wan: spec.wan, lan: spec.lan, lanPorts: () => [] }
	const helper = missing('packet', { spec, tables, forwarder }) === undefined
		? new PacketDatapath(forwarder, {
			...sides, udp: false, forwarded: (frame, port) => datapath.noteForwarded(frame, port),
		}, options.platform.random, broken)
		: undefined
	const datapath: NftDatapath = new NftDatapath(forwarder, {
		...sides, routeCounters: options.routeCounters, helper, refused: options.onRefused,
	})
	await datapath.start()
	const { table } = datapath
	return {
		datapath, reason,
		pending: () => datapath.pending,
		undo: () => datapath.undo(),
		follow: async () => {
			await datapath.follow()
			return true
		},
		isThere: () => nftOwnTables(spec.wan).some(({ name }) => name === table),
		counters: () => datapath.counters(),
		routeCounters: () =>
			options.routeCounters ? nftRouteCounters(table) : new Map<string, number>(),
	}
}

/** Every port from which local servers and clients send; some more do no harm. */
export function lanPorts(tables: Tables): number[] {
	const ports = new Set(tables.ports)
	for (const port of tables.fence?.ports ?? []) ports.add(port)
	for (let row = 0; row < tables.routes.rows; row++) {
		const port = tables.routes.portOf(row)
		if (port !== 0 && tables.routes.isUsed(row)) ports.add(port)
	}
	return [...ports]
}
