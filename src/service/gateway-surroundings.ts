// Keeps a gateway's tables in step with the machine that it runs on: the public address when that
// is the wan interface's, the addresses that nothing is forwarded to, and the routes that lead to
// one of them as long as it is ours.

import { Forbidden } from '../gateway/target.ts'
import type { Tables } from '../gateway/tables.ts'
import { surroundingsOf, type OwnAddresses, type Surroundings } from '../platform/network.ts'
import { EXTENSION_BYTES } from '../wire/packets.ts'
import type { GatewaySpec } from './gateway-spec.ts'
import type { Route } from './routes-file.ts'

export interface Followed {
	/** The datapath stands on other interfaces now. */
	readonly restart: boolean
	/** The public address is another, or what the interfaces reach. */
	readonly moved: boolean
	/** Interfaces that must come back first. */
	readonly gone: readonly string[]
	/** Routes that lead to this machine now, and those that do so no more. */
	readonly withdrawn: number
	readonly restored: number
}

export class Follower {
	readonly #spec: GatewaySpec
	readonly #tables: Tables
	#last: Surroundings
	#withdrawn: readonly Route[] = []

	constructor(spec: GatewaySpec, tables: Tables) {
		this.#spec = spec
		this.#tables = tables
		this.#last = surroundingsOf(spec.wan, spec.lan)
	}

	/** Whether there is something to follow. Costs a few reads of the kernel's files. */
	look(): boolean {
		const { addresses, links, reach } = surroundingsOf(this.#spec.wan, this.#spec.lan)
		const { addresses: before, links: linked, reach: reached } = this.#last
		return addresses !== before || links !== linked || reach !== reached
	}

	/** Brings the tables up to date, between any two packets. */
	follow(): Followed {
		const before = this.#last
		this.#last = surroundingsOf(this.#spec.wan, this.#spec.lan)
		const tables = this.#tables
		const { own, links, reach, gone } = this.#last
		const wasAt = tables.address
		const address = this.#spec.address ?? this.#last.address ?? wasAt
		tables.setAddresses(address, forbiddenFor(this.#spec, address, own))
		const restored = this.#withdrawn.filter(({ extension, target }) =>
			tables.refuses(target) === undefined && tables.routes.find(extension, 0) < 0
			&& tables.setRoute(extension, target) === undefined).length
		const withdrawn = refusedRoutes(tables)
		for (const { extension } of withdrawn) tables.deleteRoute(extension)
		this.#withdrawn = [
			...this.#withdrawn.filter(({ target }) => tables.refuses(target) !== undefined), ...withdrawn,
		]
		return {
			restart: links !== before.links, gone,
			moved: reach !== before.reach || tables.address !== wasAt,
			withdrawn: withdrawn.length, restored,
		}
	}

	/** The routes have been read anew: what was withdrawn of the old ones is nothing any more. */
	forget(): void {
		this.#withdrawn = []
	}
}

export function forbiddenFor(spec: GatewaySpec, address: number, own: OwnAddresses): Forbidden {
	return new Forbidden([address, ...own.v4, ...spec.gateways ?? []], own.v6)
}

function refusedRoutes(tables: Tables): Route[] {
	const { routes } = tables
	const refused: Route[] = []
	for (let row = 0; row < routes.rows; row++) {
		if (!routes.isUsed(row)) continue
		const target = routes.targetOf(row)
		if (tables.refuses(target) === undefined) continue
		const extension = new Uint8Array(EXTENSION_BYTES)
		routes.extensionOf(row, extension, 0)
		refused.push({ extension, target })
	}
	return refused
}
