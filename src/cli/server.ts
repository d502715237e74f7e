// curvegate server: one server on one port, each of its names with a service.

import { mkdirSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { relative } from 'node:path'
import type { Bytes } from '../base/bytes.ts'
import { shellQuote } from '../base/shell.ts'
import { toHex } from '../base/hex.ts'
import { DEFAULT_SOURCE, ExtensionSource } from '../platform/extension-source.ts'
import { createKeys, readKeys, type Keys } from '../platform/keydir.ts'
import { openPlatform, type Platform } from '../platform/platform.ts'
import { EXIT_DONE, Usage, codeOf } from '../platform/trouble.ts'
import { addressOf, addressText } from '../platform/udp.ts'
import { becomeUser, findUser } from '../platform/user.ts'
import { formatAddress } from '../service/address.ts'
import { HOST_LIMITS, budgetJson, budgetOf, budgetText } from '../service/budget.ts'
import { stderrLog, type Log } from '../service/log.ts'
import { manage } from '../service/manage.ts'
import type { NameSpec } from '../service/name.ts'
import { sumOf } from '../service/plan.ts'
import { startServer, wireNameOf, type Server } from '../service/server.ts'
import { isFault, readService } from '../service/spec.ts'
import { Expected, type Arguments } from './arguments.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'
import { readEndpoint, readExtension, readName } from './values.ts'

/** The embedded default: a newcomer's first start makes what it needs. */
const DEFAULT_FOLDER = '.curvegate'
const DEFAULT_KEYS = '.curvegate/keys'
const DEFAULT_LISTEN = '127.0.0.1:4000'
const DEFAULT_SERVE = 'localhost=welcome'

export const run: Run = async (args) => {
	const listen = args.value('listen', readEndpoint) ?? readEndpoint(DEFAULT_LISTEN)
	if (listen instanceof Expected) throw new Usage(listen.what)
	const names = readNames(args.texts('serve') ?? [DEFAULT_SERVE])
	const extension = readExtensionOption(args)
	if (args.has('plan')) return printPlan(args)
	const userName = args.text('user')
	const user = userName === undefined ? undefined : findUser(userName)
	const platform = await openPlatform()
	const keys = openKeys(args.text('keys'), platform)
	const log = stderrLog('info')
	sayExtension(extension, log)
	const server = await startServer({
		platform, log, address: addressOf(listen.ip)!, port: listen.port, limits: HOST_LIMITS,
		servers: [{ keys, extension, names }],
	})
	try {
		if (user !== undefined) becomeUser(user)
	} catch (error) {
		server.stopNow()
		throw error
	}
	const management = await manage({
		process: 'server', log, servers: [server], gateway: undefined, fixedBytes: 0,
		budgetBytes: sumOf(budgetOf(HOST_LIMITS, 1)),
	}, { control: args.text('control'), name: `server-${server.port}` }, platform.clock)
	stopOnSignals(server, log)
	printAddresses(server, keys.publicKey, extension, names, args)
	await server.stopped
	management.close()
	return EXIT_DONE
}

function readNames(texts: readonly string[]): NameSpec[] {
	const seen = new Set<string>()
	return texts.map((text) => {
		const equals = text.indexOf('=')
		if (equals < 1) {
			throw new Usage(`--serve '${text}': expected NAME=SERVICE, as ssh.example=tcp:127.0.0.1:22`)
		}
		const name = readName(text.slice(0, equals))
		if (name instanceof Expected) throw new Usage(`--serve '${text}': expected ${name.what}`)
		const service = readService(text.slice(equals + 1))
		if (isFault(service)) {
			const column = equals + 1 + service.at
			throw new Usage(`--serve '${text}', column ${column}: ${service.message}`, { column })
		}
		const wire = toHex(wireNameOf(name))
		if (seen.has(wire)) throw new Usage(`--serve '${text}': this name is served already`)
		seen.add(wire)
		return { name, service }
	})
}

function readExtensionOption(args: Arguments): ExtensionSource | 'any' {
	const extension = args.value('extension', (text): Bytes | 'any' | Expected => {
		const value = text === 'any' ? text : readExtension(text)
		return value instanceof Expected ? new Expected(`${value.what}, or any`) : value
	})
	if (extension === 'any') return extension
	return new ExtensionSource(extension === undefined ? DEFAULT_SOURCE : `hex:${toHex(extension)}`)
}

/** That nobody has made the file is how it usually is. */
function sayExtension(extension: ExtensionSource | 'any', log: Log): void {
	if (extension === 'any' || extension.note === undefined) return
	if (extension.note.endsWith('is absent')) return
	log.say('warn', 'extension', { source: extension.text, note: extension.note })
}

function printPlan(args: Arguments): number {
	const terms = budgetOf(HOST_LIMITS, 1)
	if (args.has('json')) printJson(budgetJson(terms))
	else printLine(budgetText(terms))
	return EXIT_DONE
}

function openKeys(dir: string | undefined, { box, random }: Platform): Keys {
	if (dir !== undefined) return readKeys(dir, box)
	try {
		return readKeys(DEFAULT_KEYS, box)
	} catch (error) {
		if (codeOf(error) !== 'ENOENT') throw error
	}
	mkdirSync(DEFAULT_FOLDER, { recursive: true })
	createKeys(DEFAULT_KEYS, box, random)
	return readKeys(DEFAULT_KEYS, box)
}

function stopOnSignals(server: Server, log: Log): void {
	let asked = false
	const stop = (): void => {
		if (asked) server.stopNow()
		else server.stop()
		asked = true
	}
	process.on('SIGTERM', stop)
	process.on('SIGINT', stop)
	process.on('SIGHUP', () => log.say('info', 'nothing-to-reload', { why: 'no configuration file' }))
	// The handlers keep no process alive, but a third signal is to have its usual effect.
	void server.stopped.then(() => {
		process.removeListener('SIGTERM', stop)
		process.removeListener('SIGINT', stop)
	})
}

function printAddresses(
	server: Server, key: Bytes, extension: ExtensionSource | 'any', names: readonly NameSpec[],
	args: Arguments,
): void {
	const host = addressText(server.address === 0 ? ownAddress() : server.address)
	const addresses = names.map(({ name }) => formatAddress({
		key, hosts: [host], port: server.port, name,
		extension: extension === 'any' ? new Uint8Array(16) : extension.value,
	}))
	for (const address of addresses) printLine(address)
	const welcome = names.findIndex(({ service }) => service.kind === 'welcome')
	if (welcome < 0 || !(process.stderr.isTTY || !args.has('serve'))) return
	const connect = `${ownCommand()} connect ${shellQuote(addresses[welcome]!)}`
	process.stderr.write(`try it in another terminal: echo | ${connect}\n`)
}

/** The address under which others may find this machine, when it listens on all of its own. */
function ownAddress(): number {
	const all = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
	const outward = all.find(({ family, internal }) => family === 'IPv4' && !internal)
	return addressOf(outward?.address ?? '127.0.0.1')!
}

/** As the user would type it from here. */
function ownCommand(): string {
	const path = relative(process.cwd(), process.argv[1] ?? '')
	return path === '' || path.startsWith('..') ? 'curvegate' : path
}
