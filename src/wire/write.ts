// The head that every packet starts with. Writers fill every byte of a packet: a slot holds
// whatever the packet before it left there.

import { copy, type Bytes } from '../base/bytes.ts'
import {
	EXTENSION_BYTES, PACKET_KIND, PACKET_RECEIVER_EXTENSION, PACKET_SENDER_EXTENSION,
} from './packets.ts'

export function writeHead(
	p: Bytes, magic: readonly number[], kind: number, receiver: Bytes, sender: Bytes,
): void {
	writeKind(p, magic, kind)
	copy(p, PACKET_RECEIVER_EXTENSION, receiver, 0, EXTENSION_BYTES)
	copy(p, PACKET_SENDER_EXTENSION, sender, 0, EXTENSION_BYTES)
}

export function writeKind(p: Bytes, magic: readonly number[], kind: number): void {
	for (let i = 0; i < magic.length; i++) p[i] = magic[i]!
	p[PACKET_KIND] = kind
}
