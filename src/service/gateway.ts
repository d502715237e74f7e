// A running gateway: tables from flags and files, the best datapath that works, another one when it
// stops working, reloads by differences, and everything removed at the end. spec: product.md 2, 6

import { toHex } from '../base/hex.ts'
import type { Rate } from '../gateway/buckets.ts'
import { Fence, FENCE_MAX } from '../gateway/fence.ts'
import { Forwarder } from '../gateway/forward.ts'
import { PORTION } from '../gateway/nft-elements.ts'
import { Sealer } from '../gateway/sealed.ts'
import { Tables } from '../gateway/tables.ts'
import { formatTarget } from '../gateway/target.ts'
import type { Datapath, DatapathName } from '../platform/datapath.ts'
import { findInterface, ownAddresses } from '../platform/network.ts'
import type { Platform } from '../platform/platform.ts'
import { readSealKeys } from '../platform/sealdir.ts'
import { causeOf, messageOf, Trouble, Usage } from '../platform/trouble.ts'
import { DROPS, type Drop } from '../wire/drop.ts'
import { formatIpv4 } from '../wire/ip.ts'
import { chooseDatapath, type Choice } from './gateway-datapath.ts'
import type { GatewaySpec } from './gateway-spec.ts'
import { Follower, forbiddenFor } from './gateway-surroundings.ts'
import type { Log } from './log.ts'
import { loadRoutes, type ReloadResult } from './routes-file.ts'

/** How often a datapath in the kernel is looked at: others may have flushed it. */
const WATCH_MS = 2000
/** How long the kernel's counters are good: all of it, and for each route. */
const COUNTERS_MS = 500
const ROUTE_COUNTERS_MS = 5000
/** Above this the kernel's counters for each route would cost too much memory. */
const COUNTED_ROUTES_MAX = 65_536

export interface GatewayStatus {
	readonly wan: string
	readonly lan: string
	readonly address: number
	readonly ports: readonly number[]
	readonly datapath: DatapathName | 'none'
	/** Why this one. */
	readonly reason: string
	readonly routes: number
	readonly forwardedIn: number
	readonly forwardedOut: number
	readonly drops: Readonly<Record<Drop, number>>
	/** What got lost below the decision. */
	readonly losses: Readonly<Record<string, number>>
	/** Packets by extension in hex, of those that had any. */
	readonly packets: Readonly<Record<string, number>>
	readonly notes: readonly string[]
}

export interface RoutePage {
	readonly routes: readonly { extension: string, target: string, packets: number }[]
	readonly next: number | undefined
}

export interface Gateway {
	/**
	 * Reads routes, fence and keys again; a mistake leaves everything as it was. spec: routes, their
	 * file and the fence of it count.
	 */
	reload(spec?: GatewaySpec): Promise<ReloadResult>
	/** byRoute: ask the kernel for each route's packets too. */
	status(byRoute: boolean): GatewayStatus
	/** limit routes, from this row on, with their packets; next: where to go on. */
	routes(from: number, limit: number): RoutePage
	stop(): void
}

export interface GatewayParts {
	readonly spec: GatewaySpec
	readonly tables: Tables
	readonly forwarder: Forwarder
}

/** Tables that are complete and checked, without any datapath: what --dry-run shows. */
export async function prepareGateway(spec: GatewaySpec, platform: Platform): Promise<GatewayParts> {
	const wan = findInterface(spec.wan)
	findInterface(spec.lan)
	const address = spec.address ?? wan.address
	if (address === undefined) {
		throw new Trouble('find', `address of ${spec.wan}`, 'it has no IPv4 address (--address IP)')
	}
	const { fence, sealer } = readFence(spec)
	const tables = new Tables({
		address, ports: spec.ports, clientsPrefix: spec.clientsPrefix,
		forbidden: forbiddenFor(spec, address, ownAddresses()),
		fence, sealer, routesMax: spec.routesMax,
		...spec.sourceRate === undefined ? {} : { sourceRate: rateOf(spec.sourceRate) },
		...spec.targetRate === undefined ? {} : { targetRate: rateOf(spec.targetRate) },
	}, platform.random)
	await loadRoutes(tables, spec.routes, spec.routesFile, async () => undefined)
	return { spec, tables, forwarder: new Forwarder(tables) }
}

/** A quarter of a second's packets at once. */
function rateOf(perSecond: number): Rate {
	return { perSecond, burst: Math.max(16, perSecond >> 2) }
}

function readFence({ encoded, ports }: GatewaySpec): { fence?: Fence, sealer?: Sealer } {
	if (encoded === undefined) return {}
	if (encoded.allow.length === 0) {
		throw new Usage('encoded extensions need allow: where may they lead?')
	}
	if (encoded.allow.length > FENCE_MAX) throw new Usage(`allow: more than ${FENCE_MAX} entries`)
	const fence = new Fence(encoded.allow, encoded.ports.length === 0 ? ports : encoded.ports)
	if (encoded.sealKeys === undefined) return { fence }
	return { fence, sealer: new Sealer(readSealKeys(encoded.sealKeys)) }
}

export async function startGateway(
	spec: GatewaySpec, platform: Platform, log: Log,
): Promise<Gateway> {
	const running = new RunningGateway(await prepareGateway(spec, platform), platform, log)
	await running.start()
	return running
}

class RunningGateway implements Gateway {
	readonly #parts: GatewayParts
	/** What the last reload went by. */
	#spec: GatewaySpec
	readonly #platform: Platform
	readonly #log: Log
	readonly #follower: Follower
	#choice: Choice | undefined
	#watch: NodeJS.Timeout | undefined
	#stopped = false
	/** Changes of the datapath go one after the other. */
	#changing: Promise<void> = Promise.resolve()
	/** Asking the kernel stops the process for a moment: not more often than this for any asker. */
	readonly #kernel = new Remembered(COUNTERS_MS, () => this.#choice?.counters())
	readonly #kernelRoutes = new Remembered(ROUTE_COUNTERS_MS, () => this.#choice?.routeCounters())
	/** Datapaths that stopped working. */
	readonly #broken = new Map<DatapathName, string>()
	/** Why there is none; said once, and tried again. */
	#none: string | undefined

	constructor(parts: GatewayParts, platform: Platform, log: Log) {
		this.#parts = parts
		this.#spec = parts.spec
		this.#follower = new Follower(parts.spec, parts.tables)
		this.#platform = platform
		this.#log = log
	}

	async start(): Promise<void> {
		await this.#choose()
		this.#watch = setInterval(() => this.#look(), WATCH_MS)
		this.#watch.unref()
	}

	async #choose(): Promise<void> {
		const routeCounters = this.#parts.tables.routes.count <= COUNTED_ROUTES_MAX
		const choice = await chooseDatapath(this.#parts, {
			platform: this.#platform, broken: this.#broken, routeCounters,
			onBroken: (name, error) => this.#fallBack(name, error),
			onRefused: (error) => this.#say('rules-refused', error),
		})
		if (this.#stopped) return choice.datapath.stop()
		this.#choice = choice
		this.#none = undefined
		this.#tell(choice)
	}

	#tell({ datapath, reason }: Choice): void {
		this.#log.say('info', 'gateway', { datapath: datapath.name, reason })
		for (const note of datapath.notes) this.#log.say('warn', 'gateway', { note })
	}

	/** The others get their turn; the one that broke is not tried again. */
	#fallBack(name: DatapathName, error: unknown): void {
		this.#changing = this.#changing.then(async () => {
			if (this.#stopped || this.#choice?.datapath.name !== name) return
			this.#log.say('error', 'datapath-broken', { datapath: name, cause: causeOf(error) })
			this.#broken.set(name, `stopped working: ${causeOf(error)}`)
			await this.#restart()
		}).catch((failure: unknown) => this.#sayNone(failure))
	}

	#say(event: string, error: unknown): void {
		this.#log.say('error', event, { cause: messageOf(error), doing: 'try again' })
	}

	#sayNone(error: unknown): void {
		if (this.#none === messageOf(error)) return
		this.#none = messageOf(error)
		this.#say('no-datapath', error)
	}

	/** Is what we put into the kernel still there, and is this machine still what it was? */
	#look(): void {
		const choice = this.#choice
		const follows = this.#follower.look()
		if (!follows && choice !== undefined && this.#isThere(choice)) return
		this.#changing = this.#changing.then(async () => {
			if (this.#stopped) return
			if (this.#follower.look()) await this.#follow()
			if (this.#choice !== choice) return
			if (choice !== undefined) {
				if (this.#isThere(choice)) return
				this.#log.say('warn', 'rules-gone',
					{ datapath: choice.datapath.name, doing: 'load them again' })
			}
			await this.#restart()
		}).catch((error: unknown) => this.#sayNone(error))
	}

	async #follow(): Promise<void> {
		const { restart, moved, gone, withdrawn, restored } = this.#follower.follow()
		const { tables } = this.#parts
		this.#log.say('info', 'addresses',
			{ address: formatIpv4(tables.address >>> 0), withdrawn, restored })
		for (const name of gone) {
			this.#log.say('warn', 'gateway', { note: `interface ${name} is gone: waiting for it` })
		}
		if (gone.length === 0 && (restart || moved)) {
			if (!restart && await this.#goOn()) return
			this.#broken.clear()
			return await this.#restart()
		}
		try {
			await this.#choice?.datapath.refresh(tables.fence !== undefined)
		} catch (error) {
			// What may not be forwarded to any more is in force still.
			this.#say('rules-refused', error)
			await this.#restart()
		}
	}

	/** Without a stop, where the datapath can. */
	async #goOn(): Promise<boolean> {
		const choice = this.#choice
		try {
			if (choice === undefined || !await choice.follow()) return false
		} catch (error) {
			this.#say('rules-refused', error)
			return false
		}
		this.#tell(choice)
		return true
	}

	async #restart(): Promise<void> {
		if (this.#choice !== undefined) stopQuietly(this.#choice.datapath)
		this.#choice = undefined
		await this.#choose()
	}

	/** A kernel that cannot be asked just now forwards all the same; the next look will tell. */
	#isThere(choice: Choice): boolean {
		try {
			return choice.isThere()
		} catch (error) {
			if (!(error instanceof Trouble)) throw error
			this.#log.say('warn', 'gateway', { note: error.message })
			return true
		}
	}

	async reload(fresh?: GatewaySpec): Promise<ReloadResult> {
		const { tables } = this.#parts
		const spec = fresh ?? this.#spec
		const fences = readFence(spec)
		let result: ReloadResult = { routes: 0, added: 0, changed: 0, removed: 0 }
		const changing = this.#changing.then(async () => {
			const { fence, sealer } = tables
			try {
				result = await loadRoutes(tables, spec.routes, spec.routesFile, async () => {
					if ((this.#choice?.pending() ?? 0) >= PORTION) await this.#choice?.datapath.refresh()
				})
				tables.setFence(fences.fence, fences.sealer)
				await this.#choice?.datapath.refresh((fences.fence ?? fence) !== undefined)
			} catch (error) {
				tables.setFence(fence, sealer)
				this.#choice?.undo()
				throw error
			}
			this.#follower.forget()
			this.#spec = spec
		})
		this.#changing = changing.catch(() => undefined)
		await changing
		this.#log.say('info', 'routes', { ...result })
		return result
	}

	status(byRoute: boolean): GatewayStatus {
		const { spec, tables, forwarder } = this.#parts
		const choice = this.#choice
		const kernel = this.#kernel.get()
		const drops = { ...forwarder.drops }
		for (const drop of DROPS) drops[drop] += kernel.get(`c_${drop}`) ?? 0
		return {
			wan: spec.wan, lan: spec.lan, address: tables.address >>> 0, ports: tables.ports,
			datapath: choice?.datapath.name ?? 'none', reason: choice?.reason ?? this.#none ?? 'starts',
			routes: tables.routes.count,
			forwardedIn: forwarder.forwardedIn + (kernel.get('c_in') ?? 0),
			forwardedOut: forwarder.forwardedOut + (kernel.get('c_out') ?? 0),
			drops, losses: Object.fromEntries(choice?.datapath.losses() ?? []),
			packets: byRoute ? this.#packets() : {}, notes: choice?.datapath.notes ?? [],
		}
	}

	routes(from: number, limit: number): RoutePage {
		const table = this.#parts.tables.routes
		const kernel = this.#kernelRoutes.get()
		const routes: RoutePage['routes'][number][] = []
		const bytes = new Uint8Array(16)
		let row = from
		for (; row < table.rows && routes.length < limit; row++) {
			if (!table.isUsed(row)) continue
			table.extensionOf(row, bytes, 0)
			const extension = toHex(bytes)
			const packets = table.packetsOf(row) + (kernel.get(extension) ?? 0)
			routes.push({ extension, target: formatTarget(table.targetOf(row)), packets })
		}
		return { routes, next: row < table.rows ? row : undefined }
	}

	#packets(): Record<string, number> {
		const { routes } = this.#parts.tables
		const packets: Record<string, number> = {}
		const extension = new Uint8Array(16)
		for (let row = 0; row < routes.rows; row++) {
			if (!routes.isUsed(row) || routes.packetsOf(row) === 0) continue
			routes.extensionOf(row, extension, 0)
			packets[toHex(extension)] = routes.packetsOf(row)
		}
		for (const [key, n] of this.#kernelRoutes.get()) {
			if (n > 0) packets[key] = (packets[key] ?? 0) + n
		}
		return packets
	}

	stop(): void {
		this.#stopped = true
		clearInterval(this.#watch)
		this.#choice?.datapath.stop()
		this.#choice = undefined
	}
}

/** An answer that costs something, asked for again only when it is old. */
class Remembered {
	readonly #ask: () => ReadonlyMap<string, number> | undefined
	readonly #life: number
	#answer: ReadonlyMap<string, number> = new Map()
	#askedAt = -Infinity

	constructor(life: number, ask: () => ReadonlyMap<string, number> | undefined) {
		this.#life = life
		this.#ask = ask
	}

	get(): ReadonlyMap<string, number> {
		if (performance.now() - this.#askedAt < this.#life) return this.#answer
		this.#askedAt = performance.now()
		try {
			this.#answer = this.#ask() ?? new Map()
		} catch (error) {
			// Somebody has flushed the rules; they will be loaded again.
			if (!(error instanceof Trouble)) throw error
		}
		return this.#answer
	}
}

/** What is broken may also fail to stop; what comes next starts clean anyway. */
function stopQuietly(datapath: Datapath): void {
	try {
		datapath.stop()
	} catch {
		// Its successor removes what it left.
	}
}
