// When the source is from, for everything that is built of it: the same source, the same bytes.

import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'

/** Seconds since 1970: SOURCE_DATE_EPOCH, else the last commit's, else the lock file's. */
export function sourceDate(): number {
	const given = process.env['SOURCE_DATE_EPOCH']
	if (given !== undefined && /^\d+$/.test(given)) return Number(given)
	try {
		return Number(execFileSync('git', ['log', '-1', '--format=%ct'], {
			encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'],
		}))
	} catch {
		return Math.floor(statSync('package-lock.json').mtimeMs / 1000)
	}
}

export function isoDate(seconds: number): string {
	return new Date(seconds * 1000).toISOString().slice(0, 10)
}
