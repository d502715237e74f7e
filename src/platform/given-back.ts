// Ports that we had a moment ago look taken for another moment: the kernel holds a socket until a
// poll that was cancelled has run out, and as long as a program that is being started has its copy.

import { SECOND, type Nanos } from '../base/time.ts'
import { now } from './clock.ts'

/** By then the kernel has surely let go. */
export const LETTING_GO: Nanos = SECOND

/** By port. */
const times = new Map<number, Nanos>()

/** The port that a socket was opened for; 0 is nobody's to come back to. */
export function giveBack(port: number): void {
	if (port !== 0) times.set(port, now())
}

export function wasOurs(port: number): boolean {
	const at = times.get(port)
	return at !== undefined && now() < at + LETTING_GO
}
