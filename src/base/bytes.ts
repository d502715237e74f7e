// Little- and big-endian fields in byte arrays, at absolute offsets. Nothing here checks bounds:
// callers pass offsets that a gate (wire/classify.ts) has already proved to be inside.

export type Bytes = Uint8Array

export function readU16(p: Bytes, at: number): number {
	return p[at]! | (p[at + 1]! << 8)
}

export function readU32(p: Bytes, at: number): number {
	return (p[at]! | (p[at + 1]! << 8) | (p[at + 2]! << 16) | (p[at + 3]! << 24)) >>> 0
}

/** A u64 as a number; Infinity when it is 2^53 or more, so that every bound refuses it. */
export function readU53(p: Bytes, at: number): number {
	const high = readU32(p, at + 4)
	return high > 0x1fffff ? Infinity : high * 0x100000000 + readU32(p, at)
}

export function writeU16(p: Bytes, at: number, value: number): void {
	p[at] = value
	p[at + 1] = value >>> 8
}

export function writeU32(p: Bytes, at: number, value: number): void {
	p[at] = value
	p[at + 1] = value >>> 8
	p[at + 2] = value >>> 16
	p[at + 3] = value >>> 24
}

export function writeU53(p: Bytes, at: number, value: number): void {
	writeU32(p, at, value >>> 0)
	writeU32(p, at + 4, Math.floor(value / 0x100000000))
}

export function readU16BE(p: Bytes, at: number): number {
	return (p[at]! << 8) | p[at + 1]!
}

export function readU32BE(p: Bytes, at: number): number {
	return ((p[at]! << 24) | (p[at + 1]! << 16) | (p[at + 2]! << 8) | p[at + 3]!) >>> 0
}

export function writeU16BE(p: Bytes, at: number, value: number): void {
	p[at] = value >>> 8
	p[at + 1] = value
}

export function writeU32BE(p: Bytes, at: number, value: number): void {
	p[at] = value >>> 24
	p[at + 1] = value >>> 16
	p[at + 2] = value >>> 8
	p[at + 3] = value
}

/** Copies without making a view; the two ranges must not overlap in one array. */
export function copy(to: Bytes, toAt: number, from: Bytes, fromAt: number, n: number): void {
	for (let i = 0; i < n; i++) to[toAt + i] = from[fromAt + i]!
}

export function fill(p: Bytes, at: number, n: number, value: number): void {
	for (let i = 0; i < n; i++) p[at + i] = value
}

/** For public values only: returns at the first difference. Secrets go through Box.equal. */
export function same(a: Bytes, aAt: number, b: Bytes, bAt: number, n: number): boolean {
	for (let i = 0; i < n; i++) if (a[aAt + i] !== b[bAt + i]) return false
	return true
}
