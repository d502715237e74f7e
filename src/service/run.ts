// Everything that a configuration declares, in one process: opens what needs rights, gives the
// rights up, serves, takes a changed configuration without dropping a connection, drains and stops.
// spec: product.md 2, 6

import type { ExtensionSource } from '../platform/extension-source.ts'
import type { Keys } from '../platform/keydir.ts'
import { keepDescriptors } from '../platform/linux/rights.ts'
import type { Platform } from '../platform/platform.ts'
import { causeOf, Trouble, Usage } from '../platform/trouble.ts'
import type { Udp } from '../platform/udp.ts'
import { findUser, settle } from '../platform/user.ts'
import type { ServerLimits } from './budget.ts'
import { changesOf, withoutRestart, type Changes } from './config-changes.ts'
import { extentOf, listenText } from './config-check.ts'
import type { Config, ServerConfig } from './config.ts'
import { gatewaySpec, type GatewaySpec } from './gateway-spec.ts'
import type { Gateway } from './gateway.ts'
import type { Log } from './log.ts'
import { isBehindGateway, ownRoutes } from './own-routes.ts'
import { isShortage, planOf, serverLimits, shortageText, type Plan } from './plan.ts'
import { formatSize } from './quantities.ts'
import { makeShared, openServerUdp, Server, type Shared } from './server.ts'
import { ServerSpecs, type Group } from './server-specs.ts'
import type { StartConsole } from './service.ts'

/** What else runs beside servers and gateway (console, metrics, control socket). */
export interface Part {
	readonly name: string
	/** Takes the values that have changed; must not throw. */
	reload(config: Config): void
	status(): object
	/** Ends at once; called when servers and gateway have ended. */
	stop(): void
}

export interface RunOptions {
	readonly config: Config
	readonly platform: Platform
	readonly log: Log
	/** Serves the console's names. */
	readonly console?: StartConsole | undefined
	/** What only the user who starts us may do: on ports that are bound, before anybody is served. */
	readonly prepare?: ((ports: readonly number[]) => Promise<void>) | undefined
}

/** Throws Trouble and Usage, and then nothing of it runs. */
export async function startRun(options: RunOptions): Promise<Run> {
	const { config, platform, log } = options
	const user = config.user === undefined ? undefined : findUser(config.user)
	const plan = planFor(config)
	const limits = plan.server
	const specs = new ServerSpecs(platform, log)
	const groups = specs.read(config)
	const opened = new Opened(platform, limits)
	let note: string | undefined
	try {
		await opened.open(config, groups, specs, log)
		await options.prepare?.([...opened.sockets.values()].map(({ port }) => port))
		// Nobody is served as root, not even the first client.
		keepDescriptors()
		note = settle(user, config.gateway !== undefined)
	} catch (error) {
		opened.close()
		throw error
	}
	if (note !== undefined) log.say('warn', 'note', { note })
	log.say('info', 'memory', {
		budget: formatSize(plan.totalBytes), beside: formatSize(plan.outsideBytes),
		connections: limits.connections,
	})
	return new Run(options, specs, groups, opened)
}

/** For a start: the limits of [limits] made into sizes. */
function planFor(config: Config): Plan {
	const plan = planOf(config.limits, extentOf(config))
	if (isShortage(plan)) throw new Usage(shortageText(plan, config.limits))
	return plan
}

/** Sockets and gateway, as long as a failure may still undo them. */
class Opened {
	readonly sockets = new Map<string, Udp>()
	gateway: Gateway | undefined
	readonly limits: ServerLimits
	readonly #platform: Platform

	constructor(platform: Platform, limits: ServerLimits) {
		this.#platform = platform
		this.limits = limits
	}

	async open(
		config: Config, groups: readonly Group[], specs: ServerSpecs, log: Log,
	): Promise<void> {
		const own = specs.source(config.extensionSource)
		if (config.gateway?.datapath === 'relay') {
			return await this.#openBehindRelay(config, groups, own, log)
		}
		await this.#bind(groups)
		if (config.gateway === undefined) return
		const spec = gatewaySpec(config, ownRoutes(config, own.value))
		try {
			await this.#startGateway(spec, log)
		} catch (error) {
			// The relay wants the public ports for itself.
			if (config.gateway.datapath !== 'auto' || !(error instanceof Trouble)) throw error
			log.say('warn', 'datapath-auto', { cause: causeOf(error), doing: 'relay' })
			this.close()
			await this.#openBehindRelay(config, groups, own, log)
		}
	}

	/** The relay has the public ports, so its own servers listen on others, which it knows. */
	async #openBehindRelay(
		config: Config, groups: readonly Group[], own: ExtensionSource, log: Log,
	): Promise<void> {
		const behind = groups.filter(({ configs }) => isBehindGateway(config, configs[0]!))
		await this.#bind(groups.filter((group) => !behind.includes(group)))
		await this.#bind(behind, 0)
		const spec = gatewaySpec(config, ownRoutes(config, own.value, (one) => this.portOf(one)))
		await this.#startGateway({ ...spec, datapath: 'relay' }, log)
	}

	/** Whoever has no gateway does not load it. */
	async #startGateway(spec: GatewaySpec, log: Log): Promise<void> {
		const { startGateway } = await import('./gateway.ts')
		this.gateway = await startGateway(spec, this.#platform, log)
	}

	async #bind(groups: readonly Group[], port?: number): Promise<void> {
		for (const { id, listen } of groups) {
			const place = { address: listen.address, port: port ?? listen.port }
			this.sockets.set(id, await openServerUdp(this.#platform, place, this.limits))
		}
	}

	portOf(server: ServerConfig): number {
		return this.sockets.get(listenText(server))?.port ?? server.listen.port
	}

	close(): void {
		for (const udp of this.sockets.values()) udp.close()
		this.sockets.clear()
		this.gateway?.stop()
		this.gateway = undefined
	}
}

export class Run {
	readonly gateway: Gateway | undefined
	/** Those that join in; stopped in the opposite order. */
	readonly parts: Part[] = []
	/** Resolves when everything has ended; rejects when something could not be undone. */
	readonly stopped: Promise<void>
	readonly #o: RunOptions
	readonly #specs: ServerSpecs
	readonly #shared: Shared
	#config: Config
	#groups: readonly Group[] = []
	#limits: ServerLimits
	/** By listen address; without servers of its own any more: until its connections are over. */
	readonly #servers = new Map<string, Server>()
	#state: 'running' | 'draining' | 'cut' = 'running'
	#unwatch = (): void => undefined
	/** Reloads go one after the other. */
	#reloading: Promise<unknown> = Promise.resolve()
	/** The kernel may forward without us: only a signal ends this process. */
	readonly #alive: NodeJS.Timeout
	#stop: () => void = () => undefined

	constructor(
		options: RunOptions, specs: ServerSpecs, groups: readonly Group[], opened: Opened,
	) {
		this.#o = options
		this.#config = options.config
		this.#specs = specs
		this.#limits = opened.limits
		this.gateway = opened.gateway
		this.#shared = makeShared(options.platform, opened.limits)
		this.#alive = setInterval(() => undefined, 1 << 30)
		const asked = new Promise<void>((resolve) => {
			this.#stop = resolve
		})
		this.stopped = asked.then(() => this.#end())
		this.#serve(groups, opened.sockets)
		this.#watch()
	}

	/** What is in force: the values that only a new start changes are those of the start. */
	get config(): Config {
		return this.#config
	}

	/** This machine's. */
	get ownExtension(): ExtensionSource {
		return this.#specs.source(this.#config.extensionSource)
	}

	/** Those that listen, with what each was made from. */
	get servers(): readonly { readonly group: Group, readonly server: Server }[] {
		return this.#groups.map((group) => ({ group, server: this.#servers.get(group.id)! }))
	}

	/** All or nothing: throws Trouble and Usage, and then all is as it was. */
	reload(read: () => Promise<Config>): Promise<Changes> {
		const done = this.#reloading.then(async () => await this.#whole(await read()))
		this.#reloading = done.catch(() => undefined)
		return done
	}

	/** Takes nobody new, lets open connections end, for as long as [limits] drain says. */
	stop(): void {
		if (this.#state !== 'running') return
		this.#state = 'draining'
		for (const server of this.#servers.values()) server.stop()
		this.#stop()
	}

	/** Open streams end as failures. */
	stopNow(): void {
		this.stop()
		this.#state = 'cut'
		for (const server of this.#servers.values()) server.stopNow()
	}

	/** Whoever listens now does so until it is known who goes on. */
	async #whole(read: Config): Promise<Changes> {
		const releases = [...this.#servers.values()].map((server) => server.hold())
		try {
			return await this.#reload(read)
		} finally {
			for (const release of releases) release()
		}
	}

	async #reload(read: Config): Promise<Changes> {
		const changes = changesOf(this.#config, read)
		const config = withoutRestart(this.#config, read)
		const groups = this.#specs.read(config)
		const fresh = await this.#openFresh(groups)
		try {
			if (this.#state !== 'running') throw new Trouble('reload', 'the configuration', 'stopping')
			const own = this.#specs.source(config.extensionSource).value
			await this.gateway?.reload(gatewaySpec(config,
				ownRoutes(config, own, (one) => this.#portOf(one))))
		} catch (error) {
			for (const udp of fresh.values()) udp.close()
			throw error
		}
		const rekeyed = keyChanges(this.#groups, groups)
		for (const keys of rekeyed.values()) this.#o.platform.box.purge(keys.secretKey)
		this.#config = config
		this.#limits = { ...this.#limits, ...freeLimits(config, this.#limits) }
		this.#shared.programs.max = this.#limits.programs
		this.#o.log.change(config.log)
		this.#serve(groups, fresh)
		this.#watch()
		for (const part of this.parts) part.reload(config)
		return {
			...changes,
			applied: [...changes.applied, ...[...rekeyed.keys()].map((dir) => `keys in ${dir}`)],
		}
	}

	/** Sockets of addresses that are new. */
	async #openFresh(groups: readonly Group[]): Promise<Map<string, Udp>> {
		const fresh = new Map<string, Udp>()
		try {
			for (const { id, listen } of groups) {
				const server = this.#servers.get(id)
				if (server?.isStopping === true) await server.stopped
				else if (server !== undefined) continue
				fresh.set(id, await openServerUdp(this.#o.platform, listen, this.#limits))
			}
			return fresh
		} catch (error) {
			for (const udp of fresh.values()) udp.close()
			throw error
		}
	}

	#serve(groups: readonly Group[], sockets: ReadonlyMap<string, Udp>): void {
		const limits = this.#limits
		this.#groups = groups
		for (const { id, specs } of groups) {
			const udp = sockets.get(id)
			if (udp === undefined) this.#servers.get(id)!.reload(specs, limits)
			else this.#start(id, new Server({ ...this.#o, servers: specs, limits, shared: this.#shared },
				udp))
		}
		for (const [id, server] of this.#servers) {
			if (!groups.some((group) => group.id === id)) server.reload([], limits)
		}
	}

	#start(id: string, server: Server): void {
		this.#servers.set(id, server)
		void server.stopped.then(() => {
			if (this.#servers.get(id) === server) this.#servers.delete(id)
		})
	}

	#portOf(server: ServerConfig): number {
		return this.#servers.get(listenText(server))?.port ?? server.listen.port
	}

	/** A changed extension is routed anew. */
	#watch(): void {
		this.#unwatch()
		this.#unwatch = () => undefined
		const { gateway } = this
		if (gateway === undefined) return
		const source = this.#specs.source(this.#config.extensionSource)
		this.#unwatch = source.start(() => {
			gateway.reload(gatewaySpec(this.#config,
				ownRoutes(this.#config, source.value, (one) => this.#portOf(one))))
				.catch((error: unknown) => {
					this.#o.log.say('error', 'routes', { cause: causeOf(error) })
				})
		})
	}

	async #end(): Promise<void> {
		await Promise.all([...this.#servers.values()].map((server) => server.stopped))
		await this.#reloading
		for (const [, keys] of pairs(this.#groups)) this.#o.platform.box.purge(keys.secretKey)
		this.#unwatch()
		clearInterval(this.#alive)
		for (const part of this.parts.toReversed()) part.stop()
		this.gateway?.stop()
	}
}

/** What takes effect without new memory. */
function freeLimits(config: Config, { pieces, records }: ServerLimits): Partial<ServerLimits> {
	const { programs, liveness, drain } = serverLimits(config.limits, 1, pieces, records)
	return { programs, liveness, drain }
}

/** The former keys of folders that hold others now, although the file says the same. */
function keyChanges(before: readonly Group[], after: readonly Group[]): Map<string, Keys> {
	const now = new Map(pairs(after))
	return new Map(pairs(before).filter(([dir, keys]) => {
		const other = now.get(dir)
		return other !== undefined && other !== keys
	}))
}

function pairs(groups: readonly Group[]): [dir: string, keys: Keys][] {
	return groups.flatMap(({ configs, specs }) =>
		configs.map((config, i): [string, Keys] => [config.keys, specs[i]!.keys]))
}
