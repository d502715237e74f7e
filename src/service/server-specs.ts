// From a configuration's servers to what the running ones are made of: keys read, extension sources
// opened, names with their services. Remembers both, so that a reload reads them again without
// needing more rights than are left.

import type { Bytes } from '../base/bytes.ts'
import { toHex } from '../base/hex.ts'
import { DEFAULT_SOURCE, ExtensionSource } from '../platform/extension-source.ts'
import { readKeys, type Keys } from '../platform/keydir.ts'
import type { Platform } from '../platform/platform.ts'
import { codeOf } from '../platform/trouble.ts'
import { listenText } from './config-check.ts'
import type { Config, ServerConfig } from './config.ts'
import type { Log } from './log.ts'
import type { NameSpec } from './name.ts'
import { checkServers, type ServerSpec } from './server.ts'
import type { Listen } from './toml-values.ts'

/** All servers of one listen address. */
export interface Group {
	/** As listenText writes it. */
	readonly id: string
	readonly listen: Listen
	readonly configs: readonly ServerConfig[]
	readonly specs: readonly ServerSpec[]
}

export class ServerSpecs {
	readonly #platform: Platform
	readonly #log: Log
	/** By folder. */
	readonly #keys = new Map<string, Keys>()
	/** By text: the same source stays the same object. */
	readonly #sources = new Map<string, ExtensionSource>()

	constructor(platform: Platform, log: Log) {
		this.#platform = platform
		this.#log = log
	}

	/** Throws Trouble and Usage; groups in the order of the file. */
	read(config: Config): Group[] {
		const byListen = new Map<string, ServerConfig[]>()
		for (const server of config.servers) {
			const id = listenText(server)
			byListen.set(id, [...byListen.get(id) ?? [], server])
		}
		return [...byListen].map(([id, configs]) => {
			const specs = configs.map((server): ServerSpec => ({
				keys: this.#readKeys(server.keys),
				extension: this.#extension(server, config.extensionSource),
				names: this.#names(server),
			}))
			checkServers(specs)
			return { id, listen: configs[0]!.listen, configs, specs }
		})
	}

	/** This machine's own. */
	source(text: string): ExtensionSource {
		const known = this.#sources.get(text)
		if (known !== undefined) return known
		const source = new ExtensionSource(text)
		this.#sources.set(text, source)
		// That nobody has made the usual file is how it usually is.
		const isUsual = text === DEFAULT_SOURCE && source.note?.endsWith('is absent') === true
		if (source.note !== undefined && !isUsual) {
			this.#log.say('warn', 'extension', { source: text, note: source.note,
				extension: toHex(source.value) })
		}
		return source
	}

	#extension({ extension }: ServerConfig, own: string): ExtensionSource | 'any' {
		if (extension === 'any') return extension
		return this.source(extension === 'from-source' ? own : `hex:${toHex(extension)}`)
	}

	/** A folder that only root may read was read while we were root. */
	#readKeys(dir: string): Keys {
		const known = this.#keys.get(dir)
		try {
			const keys = readKeys(dir, this.#platform.box)
			if (known !== undefined && toHex(known.publicKey) === toHex(keys.publicKey)) {
				this.#platform.box.purge(keys.secretKey)
				return known
			}
			this.#keys.set(dir, keys)
			return keys
		} catch (error) {
			if (known !== undefined && codeOf(error) === 'EACCES') return known
			throw error
		}
	}

	#names({ names }: ServerConfig): NameSpec[] {
		return names.map(({ name, ...spec }) => ({ name: encode(name), ...spec }))
	}
}

function encode(name: string): Bytes {
	return new TextEncoder().encode(name)
}
