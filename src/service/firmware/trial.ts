// Changes of the configuration that are tried over a new start of an image's service. They lie in
// memory, so that a power cut undoes them, and are used once: whatever ends the service before they
// are confirmed, the next one starts with the file.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TomlValue } from 'smol-toml'
import * as v from 'valibot'
import { troubleOf } from '../../platform/trouble.ts'
import type { Trial, TrialPlace } from '../config-candidate.ts'

/** Made by the image's scripts, for the service's user. */
const FOLDER = '/run/curvegate/trial'

const schema = v.object({
	seconds: v.number(),
	edits: v.array(v.object({
		path: v.array(v.union([v.string(), v.number()])),
		value: v.optional(v.unknown()),
	})),
	/** Why the service did not start with them. */
	cause: v.optional(v.string()),
})

export interface DeviceTrials extends TrialPlace {
	/** What the owner must hear of it. */
	readonly notes: readonly string[]
	/** The service cannot run with it: the next one says why it is undone. */
	fail(cause: string): void
}

/** Throws nothing, whatever lies there. */
export function deviceTrials(folder = FOLDER): DeviceTrials {
	const wanted = join(folder, 'wanted.json')
	const tried = join(folder, 'tried.json')
	const isOver = !moved(wanted, tried)
	const found = read(tried)
	const left = found && { seconds: found.seconds, edits: found.edits, isOver }
	const end = (): void => rmSync(tried, { force: true })
	if (left?.isOver !== false) end()
	return {
		left, end,
		notes: found === undefined ? [] : [notes(isOver, found)],
		leave: (trial) => put(wanted, trial),
		fail: (cause) => {
			if (left?.isOver === false) put(tried, { ...left, cause })
		},
	}
}

function notes(isOver: boolean, { seconds, cause }: Found): string {
	if (!isOver) return `changes are on trial for ${seconds} s, and undone unless you type: commit`
	const why = cause === undefined ? '' : `: ${cause}`
	return `the changes that were on trial are undone, and pending${why}`
}

function moved(from: string, to: string): boolean {
	try {
		renameSync(from, to)
		return true
	} catch {
		return false
	}
}

interface Found extends Trial {
	readonly cause: string | undefined
}

function read(path: string): Found | undefined {
	try {
		const { seconds, edits, cause } = v.parse(schema, JSON.parse(readFileSync(path, 'utf8')))
		// As this program has written it.
		return { seconds, cause,
			edits: edits.map(({ path: key, value }) => ({ path: key, value: value as TomlValue })) }
	} catch {
		return undefined
	}
}

function put(path: string, trial: Trial & { readonly cause?: string }): void {
	try {
		writeFileSync(path, JSON.stringify(trial), { mode: 0o600 })
	} catch (error) {
		throw troubleOf('write', path, error)
	}
}
