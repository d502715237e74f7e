// curvegate address make

import { toHex } from '../base/hex.ts'
import { readPublicKey } from '../platform/keydir.ts'
import { EXIT_DONE, Usage } from '../platform/trouble.ts'
import { HOSTS_MAX } from '../limits.ts'
import {
	DEFAULT_PORT, NO_EXTENSION, formatAddress, percentEncode, type Address,
} from '../service/address.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'
import { readExtension, readHost, readName, readPort } from './values.ts'

export const run: Run = (args) => {
	const key = readPublicKey(args.demand('keys'))
	args.demand('host')
	const hosts = args.values('host', readHost)!
	if (hosts.length > HOSTS_MAX) throw new Usage(`--host: at most ${HOSTS_MAX} in one address`)
	const address: Address = {
		key,
		hosts,
		port: args.value('port', readPort) ?? DEFAULT_PORT,
		name: args.value('name', readName) ?? new TextEncoder().encode(hosts[0]),
		extension: args.value('extension', readExtension) ?? NO_EXTENSION,
	}
	if (args.has('json')) printJson(describe(address))
	else printLine(formatAddress(address))
	return EXIT_DONE
}

export function describe(address: Address): object {
	const { key, hosts, port, name, extension } = address
	return {
		address: formatAddress(address),
		...(key === undefined ? {} : { key: toHex(key) }),
		hosts,
		port,
		name: percentEncode(name),
		extension: toHex(extension),
	}
}
