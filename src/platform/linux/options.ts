// What is set on sockets, packet filters among them, through pieces of the arena.

import { assert } from '../../base/assert.ts'
import { Trouble } from '../trouble.ts'
import { arena, reserve } from './arena.ts'
import type { Instruction } from './bpf.ts'
import { fail, libc } from './libc.ts'

const SOL_SOCKET = 1
const SO_ATTACH_FILTER = 26
const SO_DETACH_FILTER = 27

/** Instructions of the longest filter. */
const PROGRAM_MAX = 512
let programAt = -1

/** Replaces the filter at once if there was one. */
export function attachFilter(fd: number, filter: readonly Instruction[]): void {
	const { address, bytes, words } = arena()
	if (programAt < 0) programAt = take(8 * PROGRAM_MAX)
	const program = programAt
	assert(filter.length <= PROGRAM_MAX, 'the program fits')
	filter.forEach(([code, jt, jf, k], i) => {
		bytes[program + 8 * i] = code
		bytes[program + 8 * i + 1] = code >> 8
		bytes[program + 8 * i + 2] = jt
		bytes[program + 8 * i + 3] = jf
		words[(program >> 2) + 2 * i + 1] = k
	})
	const at = scratch()
	words[at >> 2] = filter.length
	writePointer((at >> 2) + 2, address + program)
	if (libc().setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, address + at, 16) !== 0) {
		fail('attach', 'packet filter')
	}
}

export function detachFilter(fd: number): void {
	setOption(fd, SOL_SOCKET, SO_DETACH_FILTER, 0)
}

/** False when the kernel does not know it. */
export function setOption(fd: number, level: number, option: number, value: number): boolean {
	const { address, words } = arena()
	const at = scratch()
	words[at >> 2] = value
	return libc().setsockopt(fd, level, option, address + at, 4) === 0
}

export function writePointer(word: number, address: number): void {
	const { words } = arena()
	words[word] = address
	words[word + 1] = Math.floor(address / 2 ** 32)
}

let scratchAt = -1

/** 64 bytes for the arguments of one call. */
export function scratch(): number {
	if (scratchAt < 0) scratchAt = take(64)
	return scratchAt
}

/** Bytes of the arena for good: sockets of a gateway live as long as its process. */
export function take(n: number): number {
	const at = reserve(n)
	if (at < 0) throw new Trouble('reserve', `${n} bytes`, 'the arena is full')
	return at
}
