// Memory with addresses that stay: mapped below 2^31, so that address + offset is a small integer.
// All of it is one ArrayBuffer: copyWithin moves bytes between any two places without a view.
// Pages cost nothing until they are touched; nothing is ever unmapped, so no view can dangle.

import { assert } from '../../base/assert.ts'
import type { Bytes } from '../../base/bytes.ts'
import { libc, type Libc } from './libc.ts'

/** A few sets of receive buffers (1 MiB each), and the packet slots. */
const ARENA_BYTES = 16 * 1024 * 1024
/** Above the heap of an executable that is loaded low, below what is no small integer any more. */
const HINT = 0x40000000
const SMALL = 0x80000000
const PROT_READ_WRITE = 3
/** Private, anonymous, not reserved. */
const MAP_FLAGS = 0x4022
const ALIGN = 64

export interface Arena {
	readonly address: number
	readonly bytes: Bytes
	readonly words: Uint32Array
}

interface State extends Arena {
	used: number
}

let state: State | undefined

export function arena(): Arena {
	state ??= map(libc())
	return state
}

/** Each thread has its own arena; when all low places are taken, addresses cost heap, no more. */
function map(c: Libc): State {
	for (let hint = HINT; ; hint += ARENA_BYTES) {
		const address = c.mmap(hint, ARENA_BYTES, PROT_READ_WRITE, MAP_FLAGS, -1, 0)
		assert(address < 2 ** 53, 'memory can be mapped')
		const small = address + ARENA_BYTES <= SMALL
		if (!small && hint + 2 * ARENA_BYTES <= SMALL) {
			c.munmap(address, ARENA_BYTES)
			continue
		}
		const buffer = c.view(address, ARENA_BYTES)
		return { address, bytes: new Uint8Array(buffer), words: new Uint32Array(buffer), used: 0 }
	}
}

/** The offset of n fresh zero bytes in the arena; -1: it is full. */
export function reserve(n: number): number {
	arena()
	const at = state!.used
	const end = at + Math.ceil(n / ALIGN) * ALIGN
	if (end > ARENA_BYTES) return -1
	state!.used = end
	return at
}

const spare = new Map<number, Bytes[]>()

/** Memory for packet slots, zero: works like any other, and faster in system calls. */
export function allocate(n: number): Bytes {
	const used = spare.get(n)?.pop()
	if (used !== undefined) return used.fill(0)
	const at = reserve(n)
	return at < 0 ? new Uint8Array(n) : arena().bytes.subarray(at, at + n)
}

/** For the next one that asks for as much; whoever gives it keeps no part of it. */
export function release(memory: Bytes): void {
	if (memory.buffer !== state?.bytes.buffer) return
	const list = spare.get(memory.length)
	if (list === undefined) spare.set(memory.length, [memory])
	else list.push(memory)
}

/** By view, since asking a view for its buffer costs as much as finding it here twice. */
const addresses = new WeakMap<Bytes, number>()

/**
 * The address of p[at]. Asking for .buffer moves a small array off the garbage-collected heap, for
 * good: after that its address stays for as long as p is held.
 */
export function pointer(p: Bytes, at: number): number {
	return (addresses.get(p) ?? findAddress(p)) + at
}

function findAddress(p: Bytes): number {
	const { buffer, byteOffset } = p
	const { bytes, address: ours } = arena()
	const start = buffer === bytes.buffer ? ours : libc().address(new Uint8Array(buffer))
	addresses.set(p, start + byteOffset)
	return start + byteOffset
}
