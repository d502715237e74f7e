// curvegate address make: from a key directory and options, or from a configuration, one address
// for each name.

import type { Bytes } from '../base/bytes.ts'
import { toHex } from '../base/hex.ts'
import { parseTarget, type Target } from '../gateway/target.ts'
import { makeEntropy } from '../platform/entropy.ts'
import { ExtensionSource } from '../platform/extension-source.ts'
import { readPublicKey } from '../platform/keydir.ts'
import { EXIT_DONE, Usage } from '../platform/trouble.ts'
import { addressText } from '../platform/udp.ts'
import { HOSTS_MAX } from '../limits.ts'
import {
	DEFAULT_PORT, NO_EXTENSION, formatAddress, percentEncode, type Address,
} from '../service/address.ts'
import { carry, type Carrier } from '../service/carried.ts'
import { listenText } from '../service/config-check.ts'
import { loadConfig, type Config, type ServerConfig } from '../service/config.ts'
import { Expected, type Arguments } from './arguments.ts'
import type { Run } from './command.ts'
import { didYouMean } from './nearest.ts'
import { printJson, printLine } from './output.ts'
import { readExtension, readFenceEntry, readHosts, readKey, readName, readPort } from './values.ts'

export const run: Run = async (args) => {
	const file = args.text('config')
	const config = file === undefined ? undefined
		: await loadConfig(file, { boards: args.text('boards') })
	const hosts = args.values('host', readHosts)?.flat()
	if ((hosts?.length ?? 0) > HOSTS_MAX) {
		throw new Usage(`--host: at most ${HOSTS_MAX} in one address`)
	}
	const target = args.value('target', readTarget)
	if (target === undefined && args.has('seal')) {
		throw new Usage('--seal needs --target ADDR: where the gateway finds the server')
	}
	if (target !== undefined && args.has('extension')) {
		throw new Usage('--extension and --target exclude each other: the target makes the extension')
	}
	const extension = (port: number): Bytes | undefined => target === undefined
		? args.value('extension', readExtension)
		: carry(target, port, carrierOf(args, config), makeEntropy())
	const options: MakeOptions = { args, hosts, extension }
	if (args.has('key') && args.has('keys')) {
		throw new Usage('--key and --keys exclude each other: both say the server\'s key')
	}
	if (config === undefined || config.servers.length === 0 || args.has('key')) {
		print(args, [single(options, config)], false)
	} else {
		print(args, ofConfig(options, config), true)
	}
	return EXIT_DONE
}

interface MakeOptions {
	readonly args: Arguments
	readonly hosts: readonly string[] | undefined
	/** As the options say; undefined: they do not. */
	extension(port: number): Bytes | undefined
}

/** One address, from the options; a gateway's configuration tells where it is. */
function single({ args, hosts, extension }: MakeOptions, config: Config | undefined): Address {
	const key = args.value('key', readKey) ?? readPublicKey(args.demand('keys'))
	const { address, ports } = config?.gateway ?? {}
	const all = hosts ?? (address === undefined ? undefined : [addressText(address)])
	if (all === undefined) args.demand('host')
	const port = args.value('port', readPort) ?? ports?.[0] ?? DEFAULT_PORT
	return {
		key, hosts: all!, port,
		name: args.value('name', readName) ?? new TextEncoder().encode(all![0]),
		extension: extension(port) ?? NO_EXTENSION,
	}
}

/** Every name of every server, or the one that was asked for. */
function ofConfig(options: MakeOptions, config: Config): Address[] {
	const { args } = options
	const wanted = args.text('name')
	const names = config.servers.flatMap((server) =>
		server.names.map(({ name }) => ({ name, server })))
	const chosen = names.filter(({ name }) => wanted === undefined || name === wanted)
	if (chosen.length > 0) return chosen.map((one) => addressOf(options, config, one))
	if (wanted === undefined) throw new Usage(`${config.file}: its servers have no names`)
	throw new Usage(`--name '${wanted}': no server of ${config.file} has it`
		+ didYouMean(wanted, names))
}

function addressOf(
	options: MakeOptions, config: Config,
	{ name, server }: { name: string, server: ServerConfig },
): Address {
	const { args, hosts } = options
	const { listen } = server
	if (hosts === undefined && listen.address === 0) {
		throw new Usage(`--host HOST is missing: ${config.file} listens on ${listenText(server)}, `
			+ 'which is every address of this machine; under which one do clients reach it?')
	}
	const port = args.value('port', readPort) ?? listen.port
	const keys = args.text('keys') ?? server.keys
	return {
		key: readPublicKey(keys),
		hosts: hosts ?? [addressText(listen.address)],
		port,
		name: new TextEncoder().encode(name),
		extension: options.extension(port) ?? ownExtension(server, config),
	}
}

/** any: whoever reaches it directly needs none. */
function ownExtension({ extension }: ServerConfig, { extensionSource }: Config): Bytes {
	if (extension === 'any') return NO_EXTENSION
	return extension === 'from-source' ? new ExtensionSource(extensionSource).value : extension
}

/** --seal and --allow go over the configuration. */
function carrierOf(args: Arguments, config: Config | undefined): Carrier {
	const { encoded, address } = config?.gateway ?? {}
	const allow = args.values('allow', readFenceEntry) ?? encoded?.allow
	if (allow === undefined) {
		throw new Usage('--target needs --allow PREFIX, every one that the gateway has and in its '
			+ 'order, or --config FILE with the [gateway.encoded] of the gateway')
	}
	return {
		allow, ports: encoded?.ports ?? [], sealKeys: args.text('seal') ?? encoded?.sealKeys,
		own: address === undefined ? [] : [address],
	}
}

function readTarget(text: string): Target | Expected {
	const target = parseTarget(text)
	return typeof target === 'string'
		? new Expected('ADDR, ADDR:PORT, [IPV6], [IPV6]:PORT or mac:aa:bb:cc:dd:ee:ff') : target
}

function print(args: Arguments, addresses: readonly Address[], isList: boolean): void {
	if (!args.has('json')) for (const address of addresses) printLine(formatAddress(address))
	else if (isList) printJson({ addresses: addresses.map(describe) })
	else printJson(describe(addresses[0]!))
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
