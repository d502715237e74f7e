// What the answer to one Hello costs on this machine, measured once at start: opening its box takes
// a key agreement, and its Cookie a new key pair. For the share of the processor that Hellos get.

import type { Random } from '../base/random.ts'
import type { Nanos } from '../base/time.ts'
import { KEY_BYTES, type Box } from '../crypto/box.ts'
import type { Clock } from './clock.ts'

/** The least of them counts: the first also compile what they run. */
const TRIES = 4

export function answerCost(box: Box, random: Random, clock: Clock): Nanos {
	const [theirs, ours, shared] = [0, 1, 2].map(() => new Uint8Array(KEY_BYTES))
	let least = Infinity
	for (let i = 0; i < TRIES; i++) {
		const start = clock()
		box.keypair(theirs!, ours!, random)
		box.beforenm(shared!, theirs!, 0, ours!)
		least = Math.min(least, clock() - start)
	}
	for (const secret of [ours!, shared!]) box.purge(secret)
	return least
}
