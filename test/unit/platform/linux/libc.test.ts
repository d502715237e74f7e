// glibc as the program has told it to be.

import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import test from 'ava'
import { libc } from '../../../../src/platform/linux/libc.ts'
import { Trouble } from '../../../../src/platform/trouble.ts'

const CHILD = resolve('build/out/test/support/free-memory.js')
/** One in a hundred has something else mapped right behind its heap, which then cannot shrink. */
const TRIES = 5

function isThere(): boolean {
	try {
		return libc() !== undefined
	} catch (error) {
		if (error instanceof Trouble) return false
		throw error
	}
}

const check = isThere() ? test : test.skip

check('what was freed goes back to the kernel', (t) => {
	const shares: number[] = []
	while (shares.length < TRIES) {
		const share = Number(execFileSync(process.execPath, [CHILD], { encoding: 'utf8' }))
		if (share >= 1 / 2) return t.pass()
		shares.push(share)
	}
	return t.fail(`of what was freed it gave back ${shares.join(', ')}`)
})
