// What lets a running process be looked at and managed: its control socket, and its metrics when
// they are wanted.

import type { Clock } from '../platform/clock.ts'
import { openControl } from './control.ts'
import { commandsOf, type Commands } from './control-commands.ts'
import { controlPath } from './control-place.ts'
import { statusOf, type Managed } from './status.ts'
import type { Listen } from './toml-values.ts'

export interface ManageOptions {
	/** --control PATH, or the configuration's; undefined: the usual place under this name. */
	readonly control: string | undefined
	/** server-4000, gateway-eth0, run. */
	readonly name: string
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

/** Throws Trouble when the metrics' address cannot be had; a missing socket is a warning. */
export async function manage(
	managed: Managed, { control, name, metrics }: ManageOptions, clock: Clock,
): Promise<Management> {
	const { log } = managed
	const startedAt = clock()
	const commands = commandsOf(managed, clock)
	const http = metrics && await import('./metrics-server.ts').then(({ serveMetrics }) =>
		serveMetrics(metrics, () => statusOf(managed, clock() - startedAt, 0), log))
	const socket = await openControl(control ?? controlPath(name), commands, log)
	return {
		commands, path: socket?.path, metricsPort: http?.port,
		close: () => {
			socket?.close()
			http?.close()
		},
	}
}
