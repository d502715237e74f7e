// glibc as the program has told it to be: what was freed goes back to the kernel.

import test from 'ava'
import { libc, type Libc } from '../../../../src/platform/linux/libc.ts'
import { Trouble } from '../../../../src/platform/trouble.ts'

const BLOCK = 65_536
const BLOCKS = 384
/** So much freed at once teaches glibc, unless it was told, to keep twice as much ever after. */
const LARGE = 16 * 2 ** 20
/** A block that somebody else has behind ours holds them all: then there is another try. */
const TRIES = 5

function open(): Libc | undefined {
	try {
		return libc()
	} catch (error) {
		if (error instanceof Trouble) return undefined
		throw error
	}
}

/** Bytes by which this process becomes smaller when it has freed BLOCKS × BLOCK. */
function given(c: Libc): number {
	const library = c.load('libc.so.6')
	const malloc = library.func('uintptr_t malloc(size_t)')
	const free = library.func('void free(uintptr_t)')
	const memset = library.func('void memset(uintptr_t, int, size_t)')
	free(malloc(LARGE))
	const blocks = new Float64Array(BLOCKS)
	for (let i = 0; i < BLOCKS; i++) blocks[i] = malloc(BLOCK)
	for (let i = 0; i < BLOCKS; i++) memset(blocks[i]!, 1, BLOCK)
	const before = process.memoryUsage.rss()
	for (let i = BLOCKS - 1; i >= 0; i--) free(blocks[i]!)
	return before - process.memoryUsage.rss()
}

const c = open()
const check = c === undefined ? test.skip : test

check('what a thread has freed goes back to the kernel', (t) => {
	let most = 0
	for (let i = 0; i < TRIES && most < BLOCKS * BLOCK / 2; i++) most = Math.max(most, given(c!))
	t.true(most >= BLOCKS * BLOCK / 2, `${most} of ${BLOCKS * BLOCK} bytes`)
})
