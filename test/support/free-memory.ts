// Takes much memory from glibc in small blocks, frees it, and prints what share of it the process
// gave back: for libc.test.ts, in a process where nobody else takes any.

import { libc } from '../../src/platform/linux/libc.ts'

const BLOCK = 65_536
const BLOCKS = 384
/** So much freed at once teaches glibc, unless it was told, to keep twice as much ever after. */
const LARGE = 16 * 2 ** 20

const library = libc().load('libc.so.6')
const malloc = library.func('uintptr_t malloc(size_t)')
const free = library.func('void free(uintptr_t)')
const memset = library.func('void memset(uintptr_t, int, size_t)')

free(malloc(LARGE))
const blocks = new Float64Array(BLOCKS)
for (let i = 0; i < BLOCKS; i++) blocks[i] = malloc(BLOCK)
for (const block of blocks) memset(block, 1, BLOCK)
const before = process.memoryUsage.rss()
for (const block of blocks.toReversed()) free(block)
console.log((before - process.memoryUsage.rss()) / (BLOCKS * BLOCK))
