// The names that a run serves, each with the address to give to its users.

import { networkInterfaces } from 'node:os'
import { toHex } from '../base/hex.ts'
import { addressOf, addressText } from '../platform/udp.ts'
import { formatAddress, NO_EXTENSION } from './address.ts'
import { isBehindGateway } from './own-routes.ts'
import type { Run } from './run.ts'

export interface Served {
	readonly name: string
	/** Of curvecp:// */
	readonly address: string
	readonly service: string
	readonly listen: string
	readonly publicKey: string
}

/** One for each name, in the order of the file. */
export function servedNames({ servers, gateway, config }: Run): Served[] {
	const publicAddress = gateway?.status(false).address
	return servers.flatMap(({ group, server }) => group.specs.flatMap((spec, i) => {
		const { publicKey } = spec.keys
		const isBehind = isBehindGateway(config, group.configs[i]!, publicAddress)
		const where = isBehind ? publicAddress : undefined
		const host = where ?? (server.address === 0 ? ownAddress() : server.address)
		const extension = spec.extension === 'any' ? NO_EXTENSION : spec.extension.value
		const port = isBehind ? group.listen.port : server.port
		return spec.names.map(({ name, service }) => ({
			name: new TextDecoder().decode(name),
			address: formatAddress({
				key: publicKey, hosts: [addressText(host)], port, name, extension,
			}),
			service: service.kind,
			listen: `${addressText(server.address)}:${server.port}`,
			publicKey: toHex(publicKey),
		}))
	}))
}

/** The address under which others may find this machine, when it listens on all of its own. */
function ownAddress(): number {
	const all = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
	const outward = all.find(({ family, internal }) => family === 'IPv4' && !internal)
	return addressOf(outward?.address ?? '127.0.0.1')!
}
