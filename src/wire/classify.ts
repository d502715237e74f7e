// The only gate for what arrives. It decides kind and length once; afterwards every offset of that
// kind in wire/packets.ts is inside the packet. Extensions are looked up by the caller. spec: 2.1,
// 2.5

import type { Bytes } from '../base/bytes.ts'
import type { Drop } from './drop.ts'
import {
	CLIENT_MAGIC, CLIENT_MESSAGE_BOX, COOKIE_PACKET_BYTES, HELLO_BYTES, INITIATE_MESSAGE, KIND_COOKIE,
	KIND_HELLO, KIND_INITIATE, KIND_MESSAGE, MESSAGE_MIN, PACKET_KIND, SERVER_MAGIC, TO_CLIENT_MAX,
	TO_CLIENT_MIN, TO_SERVER_MAX, TO_SERVER_MIN,
} from './packets.ts'

export type ToServer = 'hello' | 'initiate' | 'clientMessage'
export type ToClient = 'cookie' | 'serverMessage'

/** What a server may receive: the kind, or 'length' or 'magic'. */
export function classifyToServer(p: Bytes, n: number): ToServer | Drop {
	if (n < TO_SERVER_MIN || n > TO_SERVER_MAX || n % 16 !== 0) return 'length'
	if (!startsWith(p, CLIENT_MAGIC)) return 'magic'
	switch (p[PACKET_KIND]) {
		case KIND_HELLO: return n === HELLO_BYTES ? 'hello' : 'length'
		case KIND_INITIATE: return n >= INITIATE_MESSAGE + MESSAGE_MIN ? 'initiate' : 'length'
		case KIND_MESSAGE: return n >= CLIENT_MESSAGE_BOX + MESSAGE_MIN ? 'clientMessage' : 'length'
		default: return 'magic'
	}
}

/** What a client may receive: the kind, or 'length' or 'magic'. */
export function classifyToClient(p: Bytes, n: number): ToClient | Drop {
	if (n < TO_CLIENT_MIN || n > TO_CLIENT_MAX) return 'length'
	if (!startsWith(p, SERVER_MAGIC)) return 'magic'
	switch (p[PACKET_KIND]) {
		case KIND_COOKIE: return n === COOKIE_PACKET_BYTES ? 'cookie' : 'length'
		case KIND_MESSAGE: return n % 16 === 0 ? 'serverMessage' : 'length'
		default: return 'magic'
	}
}

function startsWith(p: Bytes, magic: readonly number[]): boolean {
	for (let i = 0; i < magic.length; i++) if (p[i] !== magic[i]) return false
	return true
}
