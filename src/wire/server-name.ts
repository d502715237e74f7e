// Server names: text to the 256-byte DNS form and back. Compared byte for byte, as in the
// reference: no case folding, empty labels vanish, every byte but the dot is itself. spec:
// protocol.md 1.5

import type { Bytes } from '../base/bytes.ts'
import { SERVER_NAME_BYTES } from './packets.ts'

const DOT = 0x2e
const LABEL_MAX = 63

/** Writes the name's wire form to to[at, at + 256); false when a label or the whole is too long. */
export function writeServerName(to: Bytes, at: number, name: Bytes): boolean {
	let end = 0
	for (let start = 0; start < name.length;) {
		let stop = start
		while (stop < name.length && name[stop] !== DOT) stop++
		const n = stop - start
		if (n > LABEL_MAX || end + 1 + n >= SERVER_NAME_BYTES) return false
		if (n > 0) {
			to[at + end++] = n
			for (let i = start; i < stop; i++) to[at + end++] = name[i]!
		}
		start = stop + 1
	}
	for (; end < SERVER_NAME_BYTES; end++) to[at + end] = 0
	return true
}

/** The name's text, one character a byte, for logs and services. Stops at whatever is no label. */
export function readServerName(p: Bytes, at: number): string {
	let text = ''
	for (let i = 0; i < SERVER_NAME_BYTES;) {
		const n = p[at + i]!
		if (n === 0 || n > LABEL_MAX || i + 1 + n > SERVER_NAME_BYTES) break
		if (text !== '') text += '.'
		for (let j = i + 1; j <= i + n; j++) text += String.fromCharCode(p[at + j]!)
		i += 1 + n
	}
	return text
}
