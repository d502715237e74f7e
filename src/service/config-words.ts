// Keys and values of a configuration as people type them in one line: server.0.listen, and a value
// that is TOML, or simply text.

import { parse, type TomlValue } from 'smol-toml'
import { Refusal } from './control-commands.ts'
import { isTable } from './toml-file.ts'
import type { Path } from './toml-schema.ts'

/** server.0.name.1.service, or server[0].name[1].service. */
export function readKey(text: string): Path {
	const parts = text.replaceAll(/\[(\d+)\]/g, '.$1').split('.')
	if (parts.length > 8 || !parts.every((part) => /^[A-Za-z0-9-]{1,40}$/.test(part))) {
		throw new Refusal('a key is written as limits.connections or server.0.listen')
	}
	return parts.map((part) => /^\d+$/.test(part) ? Number(part) : part)
}

export function keyText(path: Path): string {
	return path.join('.')
}

/** 512, true, ["a"], { name = "x" } are what they look like; all else is text, without quotes. */
export function readValue(text: string): TomlValue {
	try {
		const { v: value, ...others } = parse(`v = ${text}`)
		if (value !== undefined && Object.keys(others).length === 0) return structuredClone(value)
	} catch {
		// No TOML: a text that was not quoted.
	}
	return text
}

const SECRETS = ['password']
const HIDDEN = '"scrypt:…"'

export function valueText(path: Path, value: TomlValue): string {
	if (SECRETS.includes(String(path.at(-1)))) return HIDDEN
	if (isTable(value)) {
		const pairs = Object.entries(value).map(([key, one]) => `${key} = ${valueText([key], one)}`)
		return `{ ${pairs.join(', ')} }`
	}
	if (Array.isArray(value)) return `[${value.map((one) => valueText([], one)).join(', ')}]`
	return typeof value === 'string' ? JSON.stringify(value) : String(value)
}

/** Nobody needs to see a hash who does not want to try passwords on it. */
export function maskSecrets(text: string): string {
	return text.replaceAll(/(\bpassword\s*=\s*)(?:"[^"\n]*"|'[^'\n]*')/g, `$1${HIDDEN}`)
}
