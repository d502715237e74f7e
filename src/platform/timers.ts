// Timers beside the one clock, for what waits in seconds: a test brings its own and waits for none.

import { MILLISECOND, type Nanos } from '../base/time.ts'
import { now } from './clock.ts'

export interface Timers {
	now(): Nanos
	/** Returns what calls it off. */
	after(delay: Nanos, run: () => void): () => void
}

/** They keep no process alive. */
export const systemTimers: Timers = {
	now,
	after(delay, run) {
		// Beyond this Node would fire at once.
		const millis = Math.min(Math.ceil(delay / MILLISECOND), 2 ** 31 - 1)
		const timer = setTimeout(run, millis).unref()
		return () => clearTimeout(timer)
	},
}
