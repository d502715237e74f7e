// The gateway's gate: is this a CurveCP packet of a legal length? The same answer as
// wire/classify.ts, at an offset, since here the packet lies behind its IP and UDP headers.

import type { Bytes } from '../base/bytes.ts'
import type { Drop } from '../wire/drop.ts'
import {
	CLIENT_MAGIC, CLIENT_MESSAGE_BOX, COOKIE_PACKET_BYTES, HELLO_BYTES, INITIATE_MESSAGE, KIND_COOKIE,
	KIND_HELLO, KIND_INITIATE, KIND_MESSAGE, MESSAGE_MIN, PACKET_KIND, SERVER_MAGIC, TO_CLIENT_MAX,
	TO_CLIENT_MIN, TO_SERVER_MAX,
} from '../wire/packets.ts'

/** undefined: n bytes at p[at] are one CurveCP packet, to a server or to a client. */
export function checkDatagram(p: Bytes, at: number, n: number): Drop | undefined {
	if (n < TO_CLIENT_MIN || n > TO_SERVER_MAX) return 'length'
	if (startsWith(p, at, CLIENT_MAGIC)) return checkToServer(p[at + PACKET_KIND]!, n)
	if (startsWith(p, at, SERVER_MAGIC)) return checkToClient(p[at + PACKET_KIND]!, n)
	return 'magic'
}

function checkToServer(kind: number, n: number): Drop | undefined {
	const whole = n % 16 === 0
	switch (kind) {
		case KIND_HELLO: return n === HELLO_BYTES ? undefined : 'length'
		case KIND_INITIATE: return whole && n >= INITIATE_MESSAGE + MESSAGE_MIN ? undefined : 'length'
		case KIND_MESSAGE: return whole && n >= CLIENT_MESSAGE_BOX + MESSAGE_MIN ? undefined : 'length'
		default: return 'magic'
	}
}

function checkToClient(kind: number, n: number): Drop | undefined {
	switch (kind) {
		case KIND_COOKIE: return n === COOKIE_PACKET_BYTES ? undefined : 'length'
		case KIND_MESSAGE: return n % 16 === 0 && n <= TO_CLIENT_MAX ? undefined : 'length'
		default: return 'magic'
	}
}

export function isToServer(p: Bytes, at: number): boolean {
	return p[at] === CLIENT_MAGIC[0]
}

export function startsWith(p: Bytes, at: number, magic: readonly number[]): boolean {
	for (let i = 0; i < magic.length; i++) if (p[at + i] !== magic[i]) return false
	return true
}
