// The start of an image's service, while it is root: what the owner has left on the boot partition,
// a configuration that works, keys, the network. Nothing here ends the start: what goes wrong is
// said, and something else is taken.

import { execFileSync } from 'node:child_process'
import {
	closeSync, fsyncSync, lchownSync, openSync, readdirSync, rmSync, statSync, writeFileSync,
	writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { toHex } from '../../base/hex.ts'
import { makeTweetnacl } from '../../crypto/tweetnacl.ts'
import { makeEntropy } from '../../platform/entropy.ts'
import { readPublicKey } from '../../platform/keydir.ts'
import { messageOf } from '../../platform/trouble.ts'
import { findUser } from '../../platform/user.ts'
import { VERSION } from '../../base/version.ts'
import { loadConfig, type Config, type ConfigOptions, type NetworkConfig } from '../config.ts'
import type { Device } from './device.ts'
import { deviceKeys, type DeviceKeys } from './keys.ts'
import { keptConfig, type Kept, type KeptOptions } from './kept-config.ts'
import { deviceTrials, type DeviceTrials } from './trial.ts'

/** Who the service becomes; the image has made this user. */
const USER = 'curvegate'
const BOOT_FOLDER = '/boot'
const PROVISIONING = 'curvegate.toml'
const RESULT = 'curvegate-result.txt'
const SCRIPTS = '/usr/lib/curvegate-device'
const TEMPORARY = '/run/curvegate'
const NETWORK_PATIENCE_MS = 10_000

export interface Prepared {
	readonly config: Config
	/** The configuration is the owner's, without a fault. */
	readonly isOwn: boolean
	/** Keys were made, or the owner's wishes taken over: the console shows the address. */
	readonly isFirst: boolean
	readonly notes: readonly string[]
	readonly options: ConfigOptions
	readonly trials: DeviceTrials
	/** For a reload. */
	read(): Promise<Config>
	/** What every configuration has on a device: a user, a console, keys. */
	complete(config: Config): Config
}

export async function prepare(device: Device, file: string): Promise<Prepared> {
	const user = findUser(USER)
	const owner = { give: (path: string): void => give(path, user.uid, user.gid) }
	const options: KeptOptions = { board: device.board, alwaysConsole: true, owner }
	const wishes = await provisioned(file, options)
	const trials = deviceTrials()
	const kept = await onTrial(await keptConfig(file, device.board, options), trials, file, options)
	const keys = { box: makeTweetnacl(), random: makeEntropy(), temporary: TEMPORARY, owner }
	const finish = (config: Config): DeviceKeys =>
		deviceKeys({ ...config, user: config.user ?? USER }, keys)
	const { config, made, notes } = finish(kept.config)
	const all = [
		...dataNotes(device), ...wishes === undefined ? [] : [wishes.words],
		...kept.notes, ...trials.notes, ...notes, ...applyNetwork(config.network),
	]
	if (wishes !== undefined || made.length > 0) {
		all.push(...leaveResult(device, config, all, wishes?.isTaken === true))
	}
	return {
		config, isOwn: kept.isOwn, isFirst: made.length > 0 || wishes !== undefined, notes: all,
		options, trials,
		read: async () => finish(await loadConfig(file, options)).config,
		complete: (other) => finish(other).config,
	}
}

/** With the changes that are tried over this start. */
async function onTrial(
	kept: Kept, { left, fail }: DeviceTrials, file: string, options: KeptOptions,
): Promise<Kept> {
	if (left?.isOver !== false) return kept
	try {
		const { editedConfig } = await import('../config-save.ts')
		const { config } = await editedConfig(file, left.edits, options)
		return { ...kept, config }
	} catch (error) {
		fail(messageOf(error))
		throw error
	}
}

/** Loaded only when there is something: it brings the TOML editor with it. */
async function provisioned(
	file: string, options: KeptOptions,
): Promise<{ readonly isTaken: boolean, readonly words: string } | undefined> {
	const from = join(BOOT_FOLDER, PROVISIONING)
	if (statSync(from, { throwIfNoEntry: false }) === undefined) return undefined
	const { provision } = await import('./provision.ts')
	return await provision(from, file, options)
}

function dataNotes({ dataState }: Device): string[] {
	switch (dataState) {
		case 'ok': return []
		case 'repaired': return ['the data partition was damaged and has been repaired']
		case 'recovery': return ['this is the recovery image: nothing is kept']
		case 'none': return ['there is no data partition: nothing is kept']
		case 'broken': return ['the data partition is beyond repair: nothing is kept; '
			+ 'factory-reset makes it anew']
	}
}

function applyNetwork(network: NetworkConfig): string[] {
	const { interface: name, address, router, dns, hostname } = network
	if (name === undefined) return ['no network: the board names no interface, nor does [network]']
	const words = address === 'dhcp' ? ['dhcp'] : [address, router ?? '-', dns ?? '-']
	try {
		execFileSync(join(SCRIPTS, 'network'), [hostname, name, ...words], {
			stdio: ['ignore', 'ignore', 'pipe'], timeout: NETWORK_PATIENCE_MS,
		})
		return []
	} catch (error) {
		return [`the network on ${name} was not set up: ${lastWords(error)}`]
	}
}

/** What the program said, else why there was none. */
function lastWords(error: unknown): string {
	const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
	return said === '' ? messageOf(error) : said
}

/** What happened, for whoever puts the card into another machine; the wishes go when taken. */
function leaveResult(
	device: Device, config: Config, notes: readonly string[], isTaken: boolean,
): string[] {
	const keys = [...new Set(config.servers.map((one) => one.keys))]
	const lines = [
		`curvegate ${VERSION} on ${device.board}, slot ${device.slot}`, ...notes,
		...keys.map((dir) => `public key in ${dir}: ${toHex(readPublicKey(dir))}`),
	]
	try {
		remount('rw')
		try {
			writeFileSync(join(BOOT_FOLDER, RESULT), lines.map((line) => `${line}\r\n`).join(''))
			if (isTaken) wipe(join(BOOT_FOLDER, PROVISIONING))
		} finally {
			remount('ro')
		}
		return []
	} catch (error) {
		return [`the result was not left on the boot partition: ${messageOf(error)}`]
	}
}

function remount(how: 'rw' | 'ro'): void {
	execFileSync('mount', ['-o', `remount,${how}`, BOOT_FOLDER], { stdio: 'ignore' })
}

/** A removed file's bytes stay on the card: they are overwritten before. */
function wipe(path: string): void {
	const file = openSync(path, 'r+')
	try {
		writeSync(file, new Uint8Array(statSync(path).size), 0, undefined, 0)
		fsyncSync(file)
	} finally {
		closeSync(file)
	}
	rmSync(path)
}

/** Links are not followed. */
function give(path: string, uid: number, gid: number): void {
	lchownSync(path, uid, gid)
	if (!statSync(path).isDirectory()) return
	for (const name of readdirSync(path, { recursive: true, encoding: 'utf8' })) {
		lchownSync(join(path, name), uid, gid)
	}
}
