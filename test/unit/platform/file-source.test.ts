// A file on a descriptor, in pieces: all of it, in order, and not while its reader has enough.

import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { FileSource } from '../../../src/platform/file-source.ts'
import { makeGenerator } from '../../support/generator.ts'
import { makeFolder } from '../../support/processes.ts'

test('every byte comes once, in order, and a paused reader is left alone', async (t) => {
	const path = join(makeFolder(t), 'file')
	const bytes = new Uint8Array(1_000_001)
	makeGenerator(8).fill(bytes, 0, bytes.length)
	writeFileSync(path, bytes)
	const fd = openSync(path, 'r')
	t.teardown(() => closeSync(fd))
	const pieces: Uint8Array[] = []
	let resting = false
	await new Promise<void>((resolve, reject) => {
		const source = new FileSource(fd, {
			take: (p, n) => {
				t.false(resting, 'nothing comes while it rests')
				pieces.push(p.slice(0, n))
				if (pieces.length % 2 === 0) return true
				resting = true
				setImmediate(() => {
					resting = false
					source.resume()
				})
				return false
			},
			end: resolve,
			failed: reject,
		})
		source.resume()
	})
	t.is(Buffer.compare(Buffer.concat(pieces), bytes), 0)
})

test('what cannot be read is a failure, and said once', async (t) => {
	const fd = openSync('.', 'r')
	t.teardown(() => closeSync(fd))
	const error = await new Promise<Error>((resolve, reject) => {
		const source = new FileSource(fd, { take: () => true, end: reject, failed: resolve })
		source.resume()
	})
	t.regex(error.message, /EISDIR/)
})
