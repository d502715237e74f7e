// What a Curvegate image says of itself: the file that its first scripts write. Any other machine
// has none, and whoever needs an image says so.

import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import { codeOf, Trouble, troubleOf } from '../../platform/trouble.ts'

export const DEVICE_FILE = '/run/curvegate/slots.json'

const pair = v.object({ a: v.string(), b: v.string() })

const schema = v.object({
	board: v.string(),
	version: v.string(),
	/** Seconds since 1970: the age of what went into the image. */
	built: v.number(),
	slot: v.picklist(['a', 'b', 'recovery']),
	bootloader: v.picklist(['u-boot', 'tryboot']),
	disk: v.string(),
	boot: pair,
	root: pair,
	/** Folder of application updates. */
	app: v.string(),
	/** Partition of the slot state. */
	state: v.string(),
	/** Partition of the boot loader, with the owner's curvegate.toml. */
	first: v.string(),
	data: v.string(),
	dataState: v.picklist(['ok', 'repaired', 'none', 'broken', 'recovery']),
})

export type Device = v.InferOutput<typeof schema>

/** undefined: this machine runs no image. Throws Trouble when the file is not what it should be. */
export function readDevice(path = DEVICE_FILE): Device | undefined {
	let text: string
	try {
		text = readFileSync(path, 'utf8')
	} catch (error) {
		if (codeOf(error) === 'ENOENT') return undefined
		throw troubleOf('read', path, error)
	}
	const result = v.safeParse(schema, parsed(text))
	if (result.success) return result.output
	throw new Trouble('understand', path, result.issues[0].message)
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text)
	} catch {
		return undefined
	}
}
