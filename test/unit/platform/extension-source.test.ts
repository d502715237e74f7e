// Every state in which the extension's file can be found, and every other source.

import { execFileSync } from 'node:child_process'
import {
	chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync,
} from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { toHex } from '../../../src/base/hex.ts'
import {
	ExtensionSource, ofCommandLine, ofLease, parseSource, readExtension,
} from '../../../src/platform/extension-source.ts'

function folder(t: ExecutionContext): string {
	const path = mkdtempSync(join(tmpdir(), 'curvegate-extension-'))
	t.teardown(() => rmSync(path, { recursive: true, force: true }))
	return path
}

test('a file of 0 to 20 bytes: nothing, those bytes and zeros with a note, the first 16', (t) => {
	const path = join(folder(t), 'extension')
	for (let n = 0; n <= 20; n++) {
		writeFileSync(path, Uint8Array.from({ length: n }, (_, i) => i + 1))
		const { value, note } = readExtension(path)
		if (n === 0) t.is(value, undefined)
		else {
			const expected = Uint8Array.from({ length: 16 }, (_, i) => (i < n ? i + 1 : 0))
			t.deepEqual(value, expected)
		}
		t.is(note === undefined, n >= 16, `${n}: ${note}`)
	}
})

test('absent, folder, FIFO, link loop: zeros at start, said in a note, nothing blocks', (t) => {
	const base = folder(t)
	mkdirSync(join(base, 'folder'))
	execFileSync('mkfifo', [join(base, 'fifo')])
	symlinkSync(join(base, 'loop'), join(base, 'loop'))
	for (const name of ['absent', 'folder', 'fifo', 'loop', 'folder/x/y']) {
		const source = new ExtensionSource(`file:${join(base, name)}`)
		t.is(toHex(source.value), '00'.repeat(16))
		t.regex(source.note ?? '', /absent|no file|ELOOP/)
	}
})

test('what goes bad later leaves the last good value', (t) => {
	const path = join(folder(t), 'extension')
	writeFileSync(path, 'abcdefghijklmnop')
	const source = new ExtensionSource(`file:${path}`)
	const good = toHex(source.value)
	rmSync(path)
	t.false(source.look())
	t.is(toHex(source.value), good)
	t.regex(source.note ?? '', /absent/)
	writeFileSync(path, 'short')
	t.true(source.look())
	t.is(toHex(source.value), `${Buffer.from('short').toString('hex')}${'00'.repeat(11)}`)
	if (process.geteuid?.() !== 0) {
		chmodSync(path, 0)
		t.false(source.look())
		t.regex(source.note ?? '', /EACCES/)
	}
})

test('a file replaced 1,000 times: the last value arrives, none in between is torn', async (t) => {
	const base = folder(t)
	mkdirSync(join(base, 'target'))
	const path = join(base, 'link')
	const target = join(base, 'target', 'extension')
	writeFileSync(target, Buffer.alloc(16, 1))
	symlinkSync(target, path)
	const source = new ExtensionSource(`file:${path}`)
	// The source keeps no process alive; this test must stay.
	const alive = setInterval(() => {}, 1000)
	t.teardown(() => {
		source.stop()
		clearInterval(alive)
	})
	const last = '64'.repeat(16)
	await new Promise<void>((resolve) => {
		source.start(() => {
			t.is(new Set(source.value).size, 1)
			if (toHex(source.value) === last) resolve()
		})
		for (let i = 1; i <= 1000; i++) {
			writeFileSync(`${target}.new`, Buffer.alloc(16, i === 1000 ? 0x64 : i & 63))
			renameSync(`${target}.new`, target)
		}
	})
	t.is(toHex(source.value), last)
})

test('the kernel command line and leases yield 16 bytes, or a note', (t) => {
	const base = folder(t)
	const hex = '000102030405060708090a0b0c0d0e0f'
	const octets = hex.match(/../g)!
	const text = [...hex].map((c) => c.charCodeAt(0).toString(16)).join('')
	writeFileSync(join(base, 'cmdline'), `quiet curvecp.extension=${hex} panic=1\n`)
	t.is(toHex(ofCommandLine(join(base, 'cmdline')).value!), hex)
	writeFileSync(join(base, 'cmdline'), 'quiet curvecp.extension=12\n')
	t.regex(ofCommandLine(join(base, 'cmdline')).note!, /not 32/)
	mkdirSync(join(base, 'leases'))
	for (const line of [`OPTION_224=${hex}`, `OPTION_224=${text}`,
		`  option unknown-224 ${octets.map((o) => o.replace(/^0/, '')).join(':')};`]) {
		writeFileSync(join(base, 'leases', '2'), `ADDRESS=1.2.3.4\n${line}\n`)
		t.is(toHex(ofLease(224, [join(base, 'none'), join(base, 'leases')]).value!), hex, line)
	}
	t.regex(ofLease(225, [join(base, 'leases')]).note!, /option 225/)
})

test('a MAC becomes the encoded extension of its type', (t) => {
	const name = Object.keys(networkInterfaces())[0]!
	const mac = networkInterfaces()[name]![0]!.mac.replaceAll(':', '')
	t.is(toHex(new ExtensionSource(`mac:${name}`).value), `03${mac}${'00'.repeat(9)}`)
	t.regex(new ExtensionSource('mac:nonesuch0').note!, /nonesuch0/)
})

test('every other text is refused with what was expected', (t) => {
	for (const text of ['', 'file:', 'hex:12', 'mac:', 'dhcp:0', 'dhcp:x', 'disk']) {
		t.is(typeof parseSource(text), 'string', text)
	}
})
