// What the doctor looks at, collected and not judged: every fact may be missing, none is changed,
// and whatever could take long is given up in time.

import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SECOND, type Nanos } from '../base/time.ts'
import { holdersOf, type Holder } from '../platform/device-holder.ts'
import { ExtensionSource } from '../platform/extension-source.ts'
import { readSysctl, ownAddresses } from '../platform/network.ts'
import { nftMissing } from '../platform/nft.ts'
import { readKeys } from '../platform/keydir.ts'
import { openPlatform, type Platform } from '../platform/platform.ts'
import { causeOf, type Trouble } from '../platform/trouble.ts'
import { addressText } from '../platform/udp.ts'
import type { Address } from './address.ts'
import { boardFolders, loadBoards, mismatch, thisMachine } from './board.ts'
import { lookAtWorld } from './config-world.ts'
import type { Config } from './config.ts'
import type { Outside } from './outside.ts'
import { systemNames, type Names } from './resolve.ts'
import type { Listen } from './toml-values.ts'

export interface Facts {
	/** This process: root, and its effective capabilities by number. */
	readonly capabilities: ReadonlySet<number>
	readonly listens: readonly ListenFact[]
	readonly lowestFreePort: number
	readonly buffers: { readonly wanted: number, readonly receive: number, readonly send: number }
	/** What the platform does without, each as a sentence. */
	readonly missing: readonly string[]
	readonly gateway: GatewayFact | undefined
	/** undefined: the board is right, or cannot be known. */
	readonly boardMismatch: string | undefined
	/** Milliseconds since 1970, as this machine believes. */
	readonly clock: number
	readonly extension: { readonly source: string, readonly note: string | undefined } | undefined
	/** IPv4 addresses of this machine, without loopback. */
	readonly addresses: readonly string[]
	readonly published: readonly PublishedFact[]
	/** What helpers outside see, or why they say nothing. */
	readonly outside: readonly (Outside | Trouble)[]
	/** Who else has the console's device. */
	readonly console: { readonly device: string, readonly holder: Holder | undefined } | undefined
	readonly storage: readonly StorageFact[]
	/** Of a Raspberry Pi; undefined: nobody measures it. */
	readonly undervoltage: { readonly now: boolean, readonly before: boolean } | undefined
	/** What the configuration names and this machine lacks. */
	readonly world: readonly string[]
}

export interface ListenFact {
	readonly address: string
	readonly port: number
	/** undefined: nobody has it; pid 0: a process that we may not see. */
	readonly holder: { readonly pid: number, readonly command: string } | undefined
}

export interface GatewayFact {
	readonly datapath: string
	readonly ipForward: string | undefined
	readonly nftMissing: string | undefined
}

export interface PublishedFact {
	readonly host: string
	readonly port: number
	/** Its addresses, or why there are none. */
	readonly found: readonly string[] | string
}

export interface StorageFact {
	/** What is kept there. */
	readonly path: string
	readonly device: string
	readonly readOnly: boolean
	/** Errors that the file system remembers; and the part of its life that is used up, 0 to 1. */
	readonly errors: number
	readonly worn: number | undefined
}

export interface LookOptions {
	readonly config: Config
	readonly boards: string | undefined
	/** What is published, to be compared with this machine. */
	readonly address: Address | undefined
	/** Second hosts that are asked about it, and our key directory there. */
	readonly helpers?: readonly Address[] | undefined
	readonly keys?: string | undefined
	readonly names?: Names
	/** Where /proc and /sys are; a test brings its own. */
	readonly root?: string
}

const DNS_MS = 3000
const HELPER_TIMEOUT: Nanos = 20 * SECOND
const PROCESSES_MAX = 8192

export async function lookAround(options: LookOptions): Promise<Facts> {
	const { config, boards, address, names = systemNames, root = '/' } = options
	const platform = await openPlatform()
	const all = await loadBoards(boardFolders(boards))
	const listens = config.servers.length > 0 ? config.servers.map(({ listen }) => listen)
		: [config.board.profile.server.listen]
	const kept = [...new Set(config.servers.map(({ keys }) => keys))]
	return {
		capabilities: capabilitiesOf(textOf(root, 'proc/self/status') ?? ''),
		listens: lookAtPorts(listens, root),
		lowestFreePort: Number(readSysctl('net.ipv4.ip_unprivileged_port_start') ?? 1024),
		buffers: {
			wanted: config.limits.socketBuffer,
			receive: Number(readSysctl('net.core.rmem_max') ?? Infinity),
			send: Number(readSysctl('net.core.wmem_max') ?? Infinity),
		},
		missing: platform.notes,
		gateway: config.gateway === undefined ? undefined : {
			datapath: config.gateway.datapath,
			ipForward: readSysctl('net.ipv4.ip_forward'), nftMissing: nftMissing(),
		},
		boardMismatch: mismatch(config.board, all.boards, thisMachine()),
		clock: Date.now(),
		extension: lookAtExtension(config),
		addresses: ownAddresses().v4.map(addressText).filter((one) => !one.startsWith('127.')),
		published: address === undefined ? [] : await lookUp(address, names),
		outside: address === undefined ? [] : await ask(address, platform, options),
		console: config.console === undefined ? undefined
			: { device: config.console.device, holder: holdersOf(config.console.device, root)[0] },
		storage: lookAtStorage(kept.length > 0 ? kept : ['.'], root),
		undervoltage: lookAtVoltage(root),
		world: config.file === undefined ? [] : lookAtWorld(config).trouble,
	}
}

function textOf(root: string, path: string): string | undefined {
	try {
		return readFileSync(join(root, path), 'latin1')
	} catch {
		return undefined
	}
}

function namesIn(root: string, path: string): string[] {
	try {
		return readdirSync(join(root, path))
	} catch {
		return []
	}
}

export function capabilitiesOf(status: string): Set<number> {
	const digits = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'
	const bits = parseInt(digits.slice(-8), 16)
	return new Set(Array.from({ length: 31 }, (_, i) => i).filter((i) => (bits >>> i & 1) === 1))
}

/** Who has bound the UDP ports, as the kernel's table says. */
export function lookAtPorts(listens: readonly Listen[], root: string): ListenFact[] {
	const rows = (textOf(root, 'proc/net/udp') ?? '').split('\n').slice(1).flatMap((line) => {
		const fields = line.trim().split(/\s+/)
		const [ip, port] = (fields[1] ?? '').split(':')
		return ip === undefined || port === undefined ? []
			: [{ ip: swapped(parseInt(ip, 16)), port: parseInt(port, 16), inode: fields[9] ?? '' }]
	})
	return listens.map(({ address, port }) => {
		const row = rows.find((one) => one.port === port
			&& (one.ip === 0 || address === 0 || one.ip === address >>> 0))
		const holder = row && holderOf(row.inode, root)
		return { address: addressText(address), port, holder }
	})
}

/** The table has the kernel's own order of octets; all that we run on is little-endian. */
function swapped(n: number): number {
	return ((n & 255) << 24 | (n >>> 8 & 255) << 16 | (n >>> 16 & 255) << 8 | n >>> 24) >>> 0
}

function holderOf(inode: string, root: string): { pid: number, command: string } {
	for (const pid of pids(root)) {
		for (const fd of namesIn(root, `proc/${pid}/fd`)) {
			if (linkOf(join(root, `proc/${pid}/fd`, fd)) === `socket:[${inode}]`) {
				return { pid, command: commandOf(pid, root) }
			}
		}
	}
	return { pid: 0, command: '' }
}

function pids(root: string): number[] {
	const all = namesIn(root, 'proc').map(Number).filter((pid) => pid > 0)
	return all.slice(0, PROCESSES_MAX)
}

function commandOf(pid: number, root: string): string {
	const words = (textOf(root, `proc/${pid}/cmdline`) ?? '').split('\0')
	// Node's options say nothing of what runs.
	return words.filter((word) => word !== '' && !word.startsWith('--')).slice(0, 3).join(' ')
}

function linkOf(path: string): string | undefined {
	try {
		return readlinkSync(path)
	} catch {
		return undefined
	}
}

function lookAtExtension(config: Config): Facts['extension'] {
	const { servers, extensionSource } = config
	const isUsed = servers.length === 0 || servers.some((one) => one.extension === 'from-source')
	if (!isUsed) return undefined
	return { source: extensionSource, note: new ExtensionSource(extensionSource).note }
}

async function ask(
	address: Address, platform: Platform, { helpers = [], keys, config }: LookOptions,
): Promise<(Outside | Trouble)[]> {
	if (helpers.length === 0) return []
	const { Client } = await import('./client.ts')
	const { askHelpers } = await import('./outside.ts')
	return await askHelpers(helpers, address, async (helper, port) => new Client({
		platform, address: helper, connectTimeout: HELPER_TIMEOUT, bind: { address: 0, port },
		keys: keys === undefined ? undefined : readKeys(keys, platform.box),
		extension: new ExtensionSource(config.extensionSource),
	}, 1))
}

async function lookUp({ hosts, port }: Address, names: Names): Promise<PublishedFact[]> {
	return await Promise.all(hosts.map(async (host) => {
		const late = new AbortController()
		try {
			const found = await Promise.race([
				names.lookup(host), sleep(DNS_MS, undefined, { signal: late.signal, ref: false }),
			])
			return { host, port, found: found ?? `no answer within ${DNS_MS / 1000} seconds` }
		} catch (error) {
			return { host, port, found: causeOf(error) }
		} finally {
			late.abort()
		}
	}))
}

/** The file systems that hold these paths. */
export function lookAtStorage(paths: readonly string[], root: string): StorageFact[] {
	const mounts = (textOf(root, 'proc/self/mounts') ?? '').split('\n').flatMap((line) => {
		const [device, at, , options] = line.split(' ')
		return device === undefined || at === undefined || options === undefined ? []
			: [{ device, at: at.replaceAll('\\040', ' '), options: options.split(',') }]
	})
	return paths.flatMap((given) => {
		const path = targetOf(given)
		// The last of those that hold it longest covers the others.
		const mount = mounts.filter(({ at }) => at === '/' || path === at || path.startsWith(`${at}/`))
			.sort((a, b) => a.at.length - b.at.length).at(-1)
		if (mount === undefined) return []
		const name = mount.device.replace(/^\/dev\//, '')
		return [{
			path, device: mount.device, readOnly: mount.options.includes('ro'),
			errors: Number(textOf(root, `sys/fs/ext4/${name}/errors_count`) ?? 0),
			worn: wornOf(name.replace(/p\d+$/, ''), root),
		}]
	})
}

/** Keys may lie behind a link, on another file system. */
function targetOf(given: string): string {
	try {
		return realpathSync(given)
	} catch {
		return resolve(given)
	}
}

/** eMMC says it in tenths, for two kinds of cells: "0x02 0x01"; 0x0b: all of it. */
function wornOf(disk: string, root: string): number | undefined {
	const text = textOf(root, `sys/block/${disk}/device/life_time`)
	const tenths = (text ?? '').trim().split(/\s+/).map(Number).filter((one) => one > 0)
	return tenths.length === 0 ? undefined : Math.min(1, (Math.max(...tenths) - 1) / 10)
}

const THROTTLED = 'sys/devices/platform/soc/soc:firmware/get_throttled'

export function lookAtVoltage(root: string): Facts['undervoltage'] {
	const bits = textOf(root, THROTTLED)
	if (bits !== undefined) {
		const value = parseInt(bits, 16)
		return { now: (value & 1) !== 0, before: (value >>> 16 & 1) !== 0 }
	}
	for (const one of namesIn(root, 'sys/class/hwmon')) {
		const folder = `sys/class/hwmon/${one}`
		if (textOf(root, `${folder}/name`)?.trim() !== 'rpi_volt') continue
		if (!existsSync(join(root, folder, 'in0_lcrit_alarm'))) continue
		const alarm = textOf(root, `${folder}/in0_lcrit_alarm`)?.trim() === '1'
		return { now: alarm, before: alarm }
	}
	return undefined
}
