// Writes changes into the configuration file: only what validates, and so that a power cut leaves
// the old file or the new one, whole. spec: product.md 6

import { realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { nodeDisk, type Disk } from '../platform/disk.ts'
import { troubleOf } from '../platform/trouble.ts'
import { configOf, type Config, type ConfigOptions } from './config.ts'
import { editToml, type Edit } from './toml-edit.ts'
import { parseToml, readTomlFile } from './toml-file.ts'

export type { Edit } from './toml-edit.ts'

/** Throws Refused, and writes nothing, when the result would be no valid configuration. */
export async function saveConfig(
	file: string, edits: readonly Edit[], options: ConfigOptions & { readonly disk?: Disk } = {},
): Promise<Config> {
	const { disk = nodeDisk, ...rest } = options
	const { text, config, isNew } = await editedConfig(file, edits, rest)
	// A link stays a link: its target is replaced.
	if (isNew) replaceFile(realpathSync(file), new TextEncoder().encode(text), disk)
	return config
}

/** What the file would be. Throws Refused when that is no valid configuration. */
export async function editedConfig(
	file: string, edits: readonly Edit[], options: ConfigOptions,
): Promise<{ text: string, config: Config, isNew: boolean }> {
	const old = readTomlFile(file, 'the configuration')
	const text = editToml(old.text, edits)
	const config = await configOf({ file, text, value: parseToml(file, text) }, options)
	return { text, config, isNew: text !== old.text }
}

export function replaceFile(path: string, bytes: Uint8Array, disk: Disk): void {
	try {
		const folder = dirname(path)
		const fresh = join(folder, `.${basename(path)}.new`)
		const mode = disk.look(path)?.mode ?? 0o644
		// What a power cut left behind the last time.
		disk.remove(fresh)
		disk.write(fresh, bytes, mode)
		disk.sync(fresh)
		disk.rename(fresh, path)
		disk.sync(folder)
	} catch (error) {
		throw troubleOf('write', path, error)
	}
}
