// What a process with servers, gateway or console of its own can be asked and told beside its
// status: addresses and keys, this machine's network and troubles, its end. Whatever is rarely
// wanted is loaded when it is.

import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { toHex } from '../base/hex.ts'
import type { ExtensionSource } from '../platform/extension-source.ts'
import type { Platform } from '../platform/platform.ts'
import { Usage } from '../platform/trouble.ts'
import { Refusal, type Command, type Request } from './control-commands.ts'
import { listenText } from './config-check.ts'
import type { Run } from './run.ts'
import { servedNames, type Served } from './served.ts'
import { askSupervisor } from './supervisor.ts'

const PINGS = 4
const PINGS_MAX = 20
const PING_PATIENCE = 15e9

export interface InterfaceStatus {
	readonly name: string
	/** As the kernel says it: up, down, unknown. */
	readonly state: string
	readonly mac: string
	readonly addresses: readonly string[]
	readonly receivedBytes: number
	readonly sentBytes: number
}

export interface KeyStatus {
	readonly listen: string
	/** The folder. */
	readonly keys: string
	readonly publicKey: string
}

export interface ExtensionStatus {
	readonly source: string
	readonly extension: string
	/** That it yielded nothing, or not what it should. */
	readonly note: string | null
}

export function runCommands(run: Run, platform: Platform): Map<string, Command> {
	return new Map<string, Command>([
		['address', () => ({ names: servedNames(run) })],
		['qr', async (request) => await drawn(find(servedNames(run), request))],
		['keys', () => ({ servers: keysOf(run) })],
		['extension', () => extensionOf(run.ownExtension)],
		['interface', () => ({ interfaces: interfaces() })],
		['doctor', async () => await examined(run)],
		['ping', async (request) => await pinged(request, run, platform)],
		['reboot', () => askSupervisor('reboot')],
		['factory-reset', ({ confirm }) => {
			if (confirm === 'erase') return askSupervisor('factory-reset')
			throw new Refusal('keys, configuration and addresses would be gone: say "erase" to confirm')
		}],
	])
}

/** The name that was asked for, or the only one. */
function find(served: readonly Served[], { name }: Request): Served {
	const known = served.map((one) => one.name)
	const found = name === undefined ? served[0] : served.find((one) => one.name === name)
	if (name === undefined && served.length > 1) {
		throw new Refusal(`several names are served, say which: ${known.join(', ')}`)
	}
	if (found !== undefined) return found
	throw new Refusal(served.length === 0 ? 'no name is served yet'
		: `no such name; there are: ${known.join(', ')}`)
}

async function drawn({ address }: Served): Promise<object> {
	const { drawBlocks, modulesOf } = await import('./qr.ts')
	const modules = await modulesOf(address)
	// Terminals write light on dark: there the light modules are the drawn ones.
	const rows = drawBlocks(modules.map((row) => row.map((dark) => !dark)))
	return { address, lines: rows.split('\n') }
}

function keysOf({ servers }: Run): KeyStatus[] {
	return servers.flatMap(({ group }) => group.configs.map((config, i) => ({
		listen: listenText(config), keys: config.keys,
		publicKey: toHex(group.specs[i]!.keys.publicKey),
	})))
}

function extensionOf({ text, value, note }: ExtensionSource): ExtensionStatus {
	return { source: text, extension: toHex(value), note: note ?? null }
}

function interfaces(): InterfaceStatus[] {
	return Object.entries(networkInterfaces()).map(([name, list]) => ({
		name,
		state: fact(name, 'operstate') || 'unknown',
		mac: list?.[0]?.mac ?? '',
		addresses: (list ?? []).map(({ address, cidr }) => cidr ?? address),
		receivedBytes: Number(fact(name, 'statistics/rx_bytes')),
		sentBytes: Number(fact(name, 'statistics/tx_bytes')),
	}))
}

function fact(name: string, file: string): string {
	try {
		return readFileSync(`/sys/class/net/${name}/${file}`, 'latin1').trim()
	} catch {
		return ''
	}
}

async function examined({ config }: Run): Promise<object> {
	const { lookAround } = await import('./doctor-facts.ts')
	const { examine } = await import('./doctor-checks.ts')
	const facts = await lookAround({ config, boards: undefined, address: undefined })
	return { findings: examine(facts) }
}

async function pinged({ address, count = PINGS }: Request, run: Run, platform: Platform) {
	const fits = typeof count === 'number' && Number.isInteger(count) && count >= 1
	if (!fits || count > PINGS_MAX) throw new Refusal(`count is a number from 1 to ${PINGS_MAX}`)
	if (typeof address !== 'string') throw new Refusal('address is missing: curvecp://…')
	const { parseAddress } = await import('./address.ts')
	const { Client } = await import('./client.ts')
	const { measure } = await import('./ping.ts')
	const { ExtensionSource } = await import('../platform/extension-source.ts')
	const parsed = readAddress(() => parseAddress(address))
	const client = new Client({
		platform, address: parsed, keys: undefined,
		// Of its own, since the client ends it.
		extension: new ExtensionSource(run.ownExtension.text),
		bind: { address: 0, port: 0 }, connectTimeout: PING_PATIENCE,
	}, 1)
	try {
		return await measure(client, parsed, { count })
	} finally {
		client.close()
	}
}

/** A wrong address is the caller's mistake. */
function readAddress<T>(read: () => T): T {
	try {
		return read()
	} catch (error) {
		if (error instanceof Usage) throw new Refusal(error.message)
		throw error
	}
}
