// What a connection sends next, the same on both sides: a probe when one is due, else whatever its
// message layer has, as far as the place on the other side may be sent to.

import type { Bytes } from '../base/bytes.ts'
import type { Nanos } from '../base/time.ts'
import type { Path } from '../handshake/path.ts'
import type { MessageLayer } from '../message/layer.ts'

/**
 * Writes the next message of at most `most` bytes to p[at, …), for path.target; its length, or 0
 * for nothing to send now.
 */
export function writeNext(
	layer: MessageLayer, path: Path, p: Bytes, at: number, most: number, now: Nanos,
): number {
	const probeRoom = path.probeRoom(now)
	if (probeRoom > 0) {
		const id = path.probeId()
		const n = layer.transmitProbe(p, at, probeRoom, id, now)
		if (n > 0) {
			path.probeSent(id, at + n, now)
			return n
		}
	}
	const room = Math.min(path.room, most)
	const n = room > 0 ? layer.transmit(p, at, room, now) : 0
	if (n > 0) path.sent(at + n)
	return n
}
