// The console of a device that takes updates, in memory: sessions that outlive their lines, and an
// installer beside them.

import { PassThrough, Writable } from 'node:stream'
import type { Command } from '../../src/service/control-commands.ts'
import { checkManifest, Installer } from '../../src/service/firmware/install.ts'
import {
	sessionCommands, type InstallerPipes,
} from '../../src/service/firmware/update-session.ts'
import { MemoryDevice } from './update-place.ts'

/** What `curvegate update - --json` does, without a process. */
export function installerOn(device: MemoryDevice): InstallerPipes {
	const installer = new Installer(device, { older: false, dryRun: false })
	const output = new PassThrough()
	const say = (event: object): void => void output.write(`${JSON.stringify(event)}\n`)
	const input = new Writable({
		write(chunk: Buffer, _encoding, done) {
			try {
				installer.take(chunk)
				if (installer.isWhole) {
					installer.finish()
					say({ event: 'installed' })
				}
			} catch (error) {
				say({ event: 'error', message: error instanceof Error ? error.message : String(error) })
			}
			done()
		},
	})
	return {
		input, output, close: () => {
			input.destroy()
			output.destroy()
		},
	}
}

export function updateBox(device: MemoryDevice, started: string[] = []): Map<string, Command> {
	return sessionCommands({
		check: (text) => checkManifest(text, device, false),
		open: async () => installerOn(device),
		start: (part) => void started.push(part),
	})
}
