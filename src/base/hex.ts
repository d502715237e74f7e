// Hexadecimal text, both ways.

import type { Bytes } from './bytes.ts'

const DIGITS = '0123456789abcdef'

export function toHex(p: Bytes, at = 0, n = p.length - at): string {
	const digits: string[] = []
	for (let i = at; i < at + n; i++) digits.push(DIGITS[p[i]! >> 4]!, DIGITS[p[i]! & 15]!)
	// Added up, the string would keep all its parts: 1.5 KB for the 64 digits of a key.
	return digits.join('')
}

/** undefined unless text is exactly 2 × n hexadecimal digits, in either case. */
export function fromHex(text: string, n: number): Bytes | undefined {
	if (text.length !== 2 * n || !/^[0-9a-fA-F]*$/.test(text)) return undefined
	const bytes = new Uint8Array(n)
	for (let i = 0; i < n; i++) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16)
	return bytes
}
