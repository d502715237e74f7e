// Tests that need what not every machine has: they are skipped with the reason in their title, and
// the closing line counts them.

import test, { type ImplementationFn } from 'ava'
import { whatIsMissing } from './programs.ts'

export { findProgram, whatIsMissing } from './programs.ts'

export type Declare = (title: string, run: ImplementationFn<[]>) => void

/** `needs('curvecpserver', 'root')('title', (t) => …)`: a test, or one skipped with the reason. */
export function needs(...things: readonly string[]): Declare {
	const missing = things.map(whatIsMissing).filter((thing) => thing !== undefined)
	if (missing.length === 0) return (title, run) => test(title, run)
	return (title, run) => test.skip(`${title} (needs ${missing.join(', ')})`, run)
}

/** The same for what needs the machine for itself within its file: one after the other. */
export function inTurn(...things: readonly string[]): Declare {
	const missing = things.map(whatIsMissing).filter((thing) => thing !== undefined)
	return missing.length === 0 ? (title, run) => test.serial(title, run) : needs(...things)
}

/** The same for what takes minutes: only with CURVEGATE_LONG=1. */
export function long(...things: readonly string[]): Declare {
	if (process.env['CURVEGATE_LONG'] !== undefined) return needs(...things)
	return (title, run) => test.skip(`${title} (only with CURVEGATE_LONG=1)`, run)
}
