// What every console of a process shares, the commands and what it says of itself; and what one
// session is given on top.

import { VERSION } from '../base/version.ts'
import { SECOND, type Nanos } from '../base/time.ts'
import type { Timers } from '../platform/timers.ts'
import type { Commands } from '../service/control-commands.ts'
import type { Log } from '../service/log.ts'
import { span } from '../service/quantity-text.ts'
import type { Run } from '../service/run.ts'
import { servedNames } from '../service/served.ts'
import type { Facts } from './commands.ts'
import type { Gate } from './gate.ts'
import type { Outlet } from './output.ts'

export interface Host {
	readonly commands: Commands
	readonly timers: Timers
	readonly log: Log
	readonly notices: Notices
	/** Lines for whoever comes. */
	greeting(): readonly string[]
	/** For completion. */
	facts(): Promise<Facts>
}

/** What every open session should hear, whoever caused it. */
export class Notices {
	readonly #hearers = new Set<(text: string) => void>()

	/** Returns what ends it. */
	hear(hearer: (text: string) => void): () => void {
		this.#hearers.add(hearer)
		return () => this.#hearers.delete(hearer)
	}

	say(text: string): void {
		for (const hearer of this.#hearers) hearer(text)
	}
}

/** Whom one session speaks with. */
export interface SessionOptions extends Host {
	readonly outlet: Outlet
	/** undefined: whoever comes is in already. */
	readonly gate: Gate | undefined
	/** For the log: a device, or a client's key. */
	readonly where: string
	/** Without a key for so long: logged off. */
	readonly idle: Nanos
	/** A terminal is at the other end: it gets echo, prompt and pages. */
	readonly terminal: boolean
	/** The session has logged off by itself, or was asked to. */
	ended(): void
	/** It may receive again, after it was full. */
	free?(): void
}

export function hostOf(
	run: Run, commands: Commands, timers: Timers, log: Log, notices: Notices,
): Host {
	const startedAt = timers.now()
	return {
		commands, timers, log, notices,
		greeting: () => {
			const up = span((timers.now() - startedAt) / SECOND)
			const [first, ...others] = servedNames(run)
			const more = others.length === 0 ? '' : `  and ${others.length} more: address`
			return [
				`curvegate ${VERSION} on board ${run.config.board.name}, up ${up}`,
				...first === undefined ? [] : [`${first.address}${more}`],
			]
		},
		facts: async () => ({
			names: servedNames(run).map(({ name }) => name),
			configKeys: await import('./config-keys.ts').then(({ CONFIG_KEYS }) => CONFIG_KEYS),
		}),
	}
}
