// Keys of an image: made on the device at its first start, when the kernel can draw them. Where
// none can be kept, this start has keys of its own, and that is said.

import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../../base/random.ts'
import type { Box } from '../../crypto/box.ts'
import { createKeys, readKeys } from '../../platform/keydir.ts'
import { codeOf, messageOf, Trouble } from '../../platform/trouble.ts'
import type { Config } from '../config.ts'

export interface KeysOptions {
	readonly box: Box
	readonly random: Random
	readonly owner?: { give(path: string): void } | undefined
	/** In memory, for keys that cannot be kept. */
	readonly temporary: string
	/** Returns when the kernel has entropy. */
	wait?(): void
}

export interface DeviceKeys {
	/** With the folders that are used. */
	readonly config: Config
	readonly made: readonly string[]
	readonly notes: readonly string[]
}

export function deviceKeys(config: Config, options: KeysOptions): DeviceKeys {
	const made: string[] = []
	const notes: string[] = []
	const used = new Map<string, string>()
	for (const { keys } of config.servers) {
		if (used.has(keys)) continue
		used.set(keys, keys)
		try {
			if (ensure(keys, options)) made.push(keys)
		} catch (error) {
			if (!(error instanceof Trouble)) throw error
			const other = join(options.temporary, `keys-${used.size}`)
			notes.push(`${messageOf(error)}: this start has keys of its own, in memory`)
			if (ensure(other, options)) made.push(other)
			used.set(keys, other)
		}
	}
	const servers = config.servers.map((one) => ({ ...one, keys: used.get(one.keys)! }))
	return { config: { ...config, servers }, made, notes }
}

/** Whether they were made just now. */
function ensure(dir: string, { box, random, owner, wait = waitForEntropy }: KeysOptions): boolean {
	try {
		box.purge(readKeys(dir, box).secretKey)
		return false
	} catch (error) {
		if (codeOf(error) !== 'ENOENT') throw error
	}
	wait()
	createKeys(dir, box, random)
	owner?.give(dir)
	return true
}

/** /dev/random gives nothing before the kernel has been seeded, and does not wait afterwards. */
function waitForEntropy(): void {
	const file = openSync('/dev/random', 'r')
	try {
		readSync(file, new Uint8Array(1))
	} finally {
		closeSync(file)
	}
}
