// What this machine offers the program, chosen once at start: the box, randomness, sockets, the clock.
// Everything above asks here; a missing native part costs speed and says so, never the start.

import type { Random } from '../base/random.ts'
import type { Box } from '../crypto/box.ts'
import { makeTweetnacl } from '../crypto/tweetnacl.ts'
import { now, type Clock } from './clock.ts'
import { makeEntropy } from './entropy.ts'
import { openPortableUdp } from './portable/udp.ts'
import type { Udp, UdpOptions } from './udp.ts'
import { nodeAgree } from './x25519.ts'

export interface Platform {
	readonly box: Box
	readonly random: Random
	readonly clock: Clock
	openUdp(options: UdpOptions): Promise<Udp>
	/** What a person should know: parts that are missing, and what that costs. */
	readonly notes: readonly string[]
}

export async function openPlatform(): Promise<Platform> {
	const agree = nodeAgree()
	return {
		box: makeTweetnacl(agree),
		random: makeEntropy(),
		clock: now,
		openUdp: openPortableUdp,
		notes: agree === undefined ? ['no X25519 in this Node: handshakes are 12 times as slow'] : [],
	}
}
