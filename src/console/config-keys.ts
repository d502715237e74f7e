// The keys that a configuration can have, drawn from its schema: for completion.

import { configSchema } from '../service/config-schema.ts'

/** Dotted; items of lists are the owner's to count. */
export const CONFIG_KEYS: readonly string[] = keysOf(configSchema, '')

/** valibot's schemas are plain objects: a table has entries, an optional value is wrapped. */
function keysOf(schema: object, prefix: string): string[] {
	if ('wrapped' in schema && isObject(schema.wrapped)) return keysOf(schema.wrapped, prefix)
	if ('item' in schema && isObject(schema.item)) {
		const below = keysOf(schema.item, `${prefix}.0`)
		return below[0] === `${prefix}.0` ? [prefix] : below
	}
	if (!('entries' in schema) || !isObject(schema.entries)) return [prefix]
	return Object.entries(schema.entries).flatMap(([key, entry]) =>
		isObject(entry) ? keysOf(entry, prefix === '' ? key : `${prefix}.${key}`) : [])
}

function isObject(value: unknown): value is object {
	return typeof value === 'object' && value !== null
}
