// DNSCurve's base 32: the bytes as one integer with byte 0 lowest, five bits a digit from the low
// end; no vowels but u and y. Keys as DNS labels. spec: protocol.md 8

import type { Bytes } from './bytes.ts'

const DIGITS = '0123456789bcdfghjklmnpqrstuvwxyz'

export const KEY_LABEL_CHARACTERS = 54
const KEY_BYTES = 32
const KEY_DIGITS = 51

export function toBase32(p: Bytes): string {
	let text = ''
	let bits = 0
	let held = 0
	for (const byte of p) {
		bits |= byte << held
		for (held += 8; held >= 5; held -= 5) {
			text += DIGITS[bits & 31]!
			bits >>>= 5
		}
	}
	return held > 0 ? text + DIGITS[bits]! : text
}

/** n bytes; undefined when a character is no digit, or they are not exactly n bytes' digits. */
export function fromBase32(text: string, n: number): Bytes | undefined {
	if (text.length !== Math.ceil((8 * n) / 5)) return undefined
	const bytes = new Uint8Array(n)
	let bits = 0
	let held = 0
	let at = 0
	for (const character of text.toLowerCase()) {
		const digit = DIGITS.indexOf(character)
		if (digit < 0) return undefined
		bits |= digit << held
		held += 5
		if (held < 8) continue
		bytes[at++] = bits
		bits >>>= 8
		held -= 8
	}
	return bits === 0 ? bytes : undefined
}

/** `uz7` and 51 digits; undefined for a key with bit 255 set, which has no such form. */
export function toKeyLabel(key: Bytes): string | undefined {
	if (key[KEY_BYTES - 1]! > 127) return undefined
	return `uz7${toBase32(key).slice(0, KEY_DIGITS)}`
}

/** The key in a label of CurveProtect's (uz7) or DNSCurve's (uz5) form, in either case. */
export function fromKeyLabel(label: string): Bytes | undefined {
	if (label.length !== KEY_LABEL_CHARACTERS || !/^uz[57]/i.test(label)) return undefined
	// The 52nd digit would hold bit 255 alone, which is zero.
	return fromBase32(`${label.slice(3)}0`, KEY_BYTES)
}
