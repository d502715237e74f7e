// Notices that this machine's own IPv4 addresses have changed: a client then speaks at once, so
// that its server learns where it is. Node tells of no changes, so it looks.

import { networkInterfaces } from 'node:os'

const LOOK_MILLISECONDS = 500

/** Calls changed after each change; the function returned ends it. Keeps no process alive. */
export function watchAddresses(changed: () => void, look: () => string = ownAddresses): () => void {
	let last = look()
	const timer = setInterval(() => {
		const present = look()
		if (present === last) return
		last = present
		changed()
	}, LOOK_MILLISECONDS).unref()
	return () => clearInterval(timer)
}

function ownAddresses(): string {
	return Object.values(networkInterfaces()).flat()
		.filter((one) => one?.family === 'IPv4').map((one) => one!.address).sort().join(' ')
}
