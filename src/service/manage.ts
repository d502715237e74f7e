// What lets a running process be looked at and managed: its control socket, and its metrics when
// they are wanted.

import type { Clock } from '../platform/clock.ts'
import type { BoundControl } from './control.ts'
import { commandsOf, type Commands } from './control-commands.ts'
import { statusOf, type Managed } from './status.ts'
import type { Listen } from './toml-values.ts'

export interface ManageOptions {
	/** undefined: it could not be made. */
	readonly control: BoundControl | undefined
	readonly metrics?: Listen | undefined
}

export interface Management {
	/** For other ways in: the serial console. */
	readonly commands: Commands
	/** Of the socket; undefined: it could not be made, and the log says why. */
	readonly path: string | undefined
	/** Of the metrics, when there are any. */
	readonly metricsPort: number | undefined
	close(): void
}

/** Throws Trouble when the metrics' address cannot be had. */
export async function manage(
	managed: Managed, { control, metrics }: ManageOptions, clock: Clock,
): Promise<Management> {
	const { log } = managed
	const startedAt = clock()
	const commands = commandsOf(managed, clock)
	const http = metrics && await import('./metrics-server.ts').then(({ serveMetrics }) =>
		serveMetrics(metrics, () => statusOf(managed, clock() - startedAt, 0), log))
		.catch((error: unknown) => {
			control?.close()
			throw error
		})
	control?.answer(commands)
	return {
		commands, path: control?.path, metricsPort: http?.port,
		close: () => {
			control?.close()
			http?.close()
		},
	}
}
