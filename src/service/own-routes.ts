// The servers that stand behind the gateway of the same file: on its address, on its ports. They
// are routed by their extension, without a line of their own. spec: product.md 6

import type { Bytes } from '../base/bytes.ts'
import { toHex } from '../base/hex.ts'
import type { Config, ServerConfig } from './config.ts'
import type { Route } from './routes-file.ts'

const LOOPBACK = 127

/** address: the gateway's, when it is known. */
export function isBehindGateway(
	{ gateway }: Config, { listen }: ServerConfig, address = gateway?.address,
): boolean {
	if (gateway === undefined || !gateway.ports.includes(listen.port)) return false
	if (listen.address === 0) return true
	return address === undefined ? listen.address >>> 24 !== LOOPBACK
		: listen.address >>> 0 === address >>> 0
}

/** own: the machine's extension now. portOf: where a server listens in truth. */
export function ownRoutes(
	config: Config, own: Bytes, portOf = ({ listen }: ServerConfig): number => listen.port,
): Route[] {
	return config.servers.flatMap((server): Route[] => {
		const { extension } = server
		if (extension === 'any' || !isBehindGateway(config, server)) return []
		const value = extension === 'from-source' ? own : extension
		return [{ extension: value.slice(), target: { kind: 'own', port: portOf(server) } }]
	})
}

/** In hex; own: the machine's. */
export function extensionOf({ extension }: ServerConfig, own: string): string {
	if (extension === 'any') return 'any'
	return extension === 'from-source' ? own : toHex(extension)
}
