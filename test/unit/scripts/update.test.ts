// The key that signs updates, and update files.

import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import test from 'ava'
import { ensureUpdateKey } from '../../../scripts/update/key.ts'
import { appParts, slotParts, writeUpdate } from '../../../scripts/update/pack.ts'
import { fromHex } from '../../../src/base/hex.ts'
import { Trouble } from '../../../src/platform/trouble.ts'
import { readManifest, type Manifest } from '../../../src/service/firmware/manifest.ts'
import { makeFolder } from '../../support/processes.ts'

const SUBJECT = { board: 'rpi-4', version: '0.1.0', built: 5 }

test('a key pair is made once, private, and never overwritten', (t) => {
	const folder = join(makeFolder(t), 'keys')
	const made = ensureUpdateKey(folder)
	t.true(made.isNew)
	t.is(statSync(made.secretFile).mode & 0o777, 0o600)
	t.regex(readFileSync(made.publicFile, 'utf8'), /^[0-9a-f]{64}\n$/)
	const read = (): string[] =>
		[made.secretFile, made.publicFile].map((file) => readFileSync(file, 'utf8'))
	const [secret, open] = read()
	t.deepEqual(ensureUpdateKey(folder), { ...made, isNew: false })
	rmSync(made.publicFile)
	ensureUpdateKey(folder)
	t.deepEqual(read(), [secret, open], 'a lost public half comes back')
	rmSync(made.secretFile)
	const lost = t.throws(() => ensureUpdateKey(folder), { instanceOf: Trouble })
	t.regex(lost.message, /there is only .*update\.pub/)
	t.false(lost.message.includes(secret!.slice(0, 16)))
})

test('an update holds its parts; the same source makes the same bytes', (t) => {
	const folder = makeFolder(t)
	const file = (name: string, bytes: Uint8Array): string => {
		writeFileSync(join(folder, name), bytes)
		return join(folder, name)
	}
	const key = ensureUpdateKey(folder)
	const publicKey = fromHex(readFileSync(key.publicFile, 'utf8').trim(), 32)!
	const boot = Buffer.concat([Buffer.alloc(5000, 'boot'), Buffer.alloc(100_000)])
	const root = Buffer.alloc(50_000, 'root')
	const bundle = Buffer.alloc(90_000, 'program ')
	const cases = [
		[slotParts(file('boot.img', boot), file('root.img', root)), ['boot', 'root']],
		[appParts(file('curvegate', bundle)), ['app']],
	] as const
	for (const [parts, names] of cases) {
		const path = join(folder, 'x.update')
		const bytes = writeUpdate(path, SUBJECT, parts, key.secretFile)
		const written = readFileSync(path)
		t.is(written.length, bytes)
		const end = written.indexOf('\nend\n') + 5
		const manifest = readManifest(written.subarray(0, end).toString(), publicKey) as Manifest
		t.deepEqual(manifest.parts.map(({ name }) => name), [...names])
		const body = written.subarray(end)
		if (names[0] === 'app') t.true(gunzipSync(body).equals(bundle))
		else {
			const n = manifest.parts[0]!.bytes
			t.true(n >= 5000 && n < 10_000, 'without the zeros at the end')
			t.true(body.subarray(0, n).equals(boot.subarray(0, n)))
			t.true(body.subarray(n).equals(root))
		}
		writeUpdate(path, SUBJECT, parts, key.secretFile)
		t.true(readFileSync(path).equals(written))
	}
})
