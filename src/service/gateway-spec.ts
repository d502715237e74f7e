// What a gateway is to be, from a configuration; flags go over it. What a reload can change is read
// again, the rest needs a new start.

import type { Bytes } from '../base/bytes.ts'
import type { FenceEntry } from '../gateway/fence.ts'
import type { DatapathName } from '../platform/datapath.ts'
import { Usage } from '../platform/trouble.ts'
import type { Config } from './config.ts'
import type { Route } from './routes-file.ts'

export interface GatewaySpec {
	readonly wan: string
	/** The same as wan: one interface for both sides. */
	readonly lan: string
	/** The public address; undefined: that of the wan interface. */
	readonly address: number | undefined
	readonly ports: readonly number[]
	/** Routes that stand in no file of routes. */
	readonly routes: readonly Route[]
	readonly routesFile: string | undefined
	readonly datapath: DatapathName | 'auto'
	readonly applySysctl: boolean
	/** Twelve bytes: where IPv6 servers see the IPv4 clients; undefined: no such servers. */
	readonly clientsPrefix: Bytes | undefined
	/** Packets a second of one client address, and to one server; undefined: the default. */
	readonly sourceRate: number | undefined
	readonly targetRate: number | undefined
	readonly encoded: EncodedSpec | undefined
	readonly routesMax: number
	/** Other gateways: nothing is forwarded to them. */
	readonly gateways?: readonly number[]
}

export interface EncodedSpec {
	readonly allow: readonly FenceEntry[]
	/** Empty: the public ports. */
	readonly ports: readonly number[]
	readonly sealKeys: string | undefined
}

/** own: routes to the servers of the same file. Throws Usage when there is no [gateway]. */
export function gatewaySpec(config: Config, own: readonly Route[]): GatewaySpec {
	const { gateway, limits } = config
	if (gateway === undefined) throw new Usage('there is no [gateway] in the configuration')
	const { wan, routes, route, ...same } = gateway
	if (wan === undefined) throw new Usage('[gateway]: wan is missing')
	return {
		...same, wan, lan: gateway.lan ?? wan, routes: [...own, ...route], routesFile: routes,
		applySysctl: false, routesMax: limits.routes,
	}
}
