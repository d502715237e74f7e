// The configuration of an image: the file on the data partition, the last one that was good, and
// one that always works. Whatever is wrong with a file is said, and the next one is taken.

import { dirname, join } from 'node:path'
import { nodeDisk, type Disk } from '../../platform/disk.ts'
import { codeOf, messageOf } from '../../platform/trouble.ts'
import { replaceFile } from '../config-save.ts'
import { configOf, type Config, type ConfigOptions } from '../config.ts'
import { parseToml, readTomlFile } from '../toml-file.ts'

export interface Kept {
	readonly config: Config
	/** Nothing was wrong with the file, or there was none yet. */
	readonly isOwn: boolean
	/** What the owner must hear. */
	readonly notes: readonly string[]
}

export interface KeptOptions extends ConfigOptions {
	/** Whose files are made; undefined: root's own. */
	readonly owner?: { give(path: string): void } | undefined
	readonly disk?: Disk
}

/** A page for whoever connects, and the console on the serial line. */
export function defaultText(board: string): string {
	return `schema = 1\nboard = "${board}"\n\n[console]\n\n${DEFAULT_SERVER}`
}

export const DEFAULT_SERVER = '[[server]]\n[[server.name]]\nname = "curvegate"\n'
	+ 'service = "welcome"\n'

const sibling = (file: string, name: string): string => join(dirname(file), name)
export const goodFile = (file: string): string => sibling(file, 'curvegate.good.toml')
const refusedFile = (file: string): string => sibling(file, 'curvegate.refused.toml')

/** Throws nothing that a file or a full disk can cause. */
export async function keptConfig(
	file: string, board: string, options: KeptOptions = {},
): Promise<Kept> {
	const notes: string[] = []
	try {
		return { config: await read(file, file, options), isOwn: true, notes }
	} catch (error) {
		if (codeOf(error) !== 'ENOENT') {
			notes.push(`the configuration cannot be used: ${messageOf(error)}`)
		}
	}
	const isFirst = notes.length === 0
	try {
		const good = readTomlFile(goodFile(file), 'the last good configuration')
		const config = await configOf({ ...good, file }, options)
		notes.push(`the last good configuration is used; the other is ${refusedFile(file)} now`)
		putInPlace(file, good.text, options, notes)
		return { config, isOwn: false, notes }
	} catch (error) {
		if (codeOf(error) !== 'ENOENT') {
			notes.push(`the last good configuration cannot be used: ${messageOf(error)}`)
		}
	}
	if (!isFirst) notes.push('the configuration that every image begins with is used')
	putInPlace(file, defaultText(board), options, notes)
	return { config: await defaultConfigOf(file, board, options), isOwn: isFirst, notes }
}

/** Accepted on a machine with less memory than the board's smallest, too: it must be reached. */
export async function defaultConfigOf(
	file: string, board: string, options: ConfigOptions,
): Promise<Config> {
	const text = defaultText(board)
	const machine = { compatible: [], ramBytes: Infinity }
	return await configOf({ file, text, value: parseToml(file, text) }, { ...options, machine })
}

/** After it has proved itself; false when it was kept before. Throws Trouble. */
export function keepGood(file: string, disk: Disk = nodeDisk): boolean {
	const { text } = readTomlFile(file, 'the configuration')
	const known = disk.look(goodFile(file)) === undefined ? undefined
		: readTomlFile(goodFile(file), 'the last good configuration').text
	if (text === known) return false
	replaceFile(goodFile(file), new TextEncoder().encode(text), disk)
	return true
}

async function read(from: string, file: string, options: KeptOptions): Promise<Config> {
	return await configOf({ ...readTomlFile(from, 'the configuration'), file }, options)
}

/** The owner edits it over the console, so it must be the one that runs. */
function putInPlace(file: string, text: string, options: KeptOptions, notes: string[]): void {
	const { disk = nodeDisk, owner } = options
	try {
		if (disk.look(file) !== undefined) disk.rename(file, refusedFile(file))
		replaceFile(file, new TextEncoder().encode(text), disk)
		owner?.give(file)
	} catch (error) {
		notes.push(`it is in memory only: ${messageOf(error)}`)
	}
}
