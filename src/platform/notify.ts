// Tells systemd that the service is ready (sd_notify). Node has no datagram sockets in the file
// system, so systemd's own tool does it; once, at the start.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { causeOf } from './trouble.ts'

/** Does nothing where nobody asked for it. Resolves with what went wrong, in words. */
export async function sayReady(): Promise<string | undefined> {
	if (process.env['NOTIFY_SOCKET'] === undefined) return undefined
	const env = { ...process.env }
	// It is ours, not for the programs that we start.
	delete process.env['NOTIFY_SOCKET']
	try {
		await promisify(execFile)('systemd-notify', ['--ready'], { env, timeout: 5000 })
		return undefined
	} catch (error) {
		return `systemd was not told that we are ready: systemd-notify: ${causeOf(error)}`
	}
}
