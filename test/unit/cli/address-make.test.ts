// address make from a configuration, and extensions that carry an address: what comes out is read
// by the gateway's own decision.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { toHex } from '../../../src/base/hex.ts'
import { decodeExtension, Place } from '../../../src/gateway/encoding.ts'
import { Fence, parseFenceEntry } from '../../../src/gateway/fence.ts'
import { KIND_MAC } from '../../../src/gateway/route.ts'
import { Sealer } from '../../../src/gateway/sealed.ts'
import { Forbidden } from '../../../src/gateway/target.ts'
import { readSealKeys } from '../../../src/platform/sealdir.ts'
import { parseAddress, type Address } from '../../../src/service/address.ts'
import { formatIpv4, formatIpv6 } from '../../../src/wire/ip.ts'
import { runCurvegate, type Said } from '../../support/curvegate.ts'
import { makeFolder } from '../../support/processes.ts'

const EXTENSION = '000102030405060708090a0b0c0d0e0f'

function make(...words: string[]): Said {
	return runCurvegate(['address', 'make', ...words])
}

function addresses(t: ExecutionContext, ...words: string[]): Address[] {
	const { code, stdout, stderr } = make(...words)
	t.deepEqual([code, stderr], [0, ''])
	return stdout.trim().split('\n').map((line) => parseAddress(line))
}

function nameOf({ name }: Address): string {
	return new TextDecoder().decode(name)
}

interface Site {
	readonly folder: string
	readonly keys: string
	readonly publicKey: string
	readonly otherKey: string
	file(text: string): string
}

function site(t: ExecutionContext): Site {
	const folder = makeFolder(t)
	const keys = join(folder, 'keys')
	const publicKey = runCurvegate(['keygen', keys]).stdout.trim()
	const otherKey = runCurvegate(['keygen', join(folder, 'other')]).stdout.trim()
	return {
		folder, keys, publicKey, otherKey,
		file: (text) => {
			const path = join(folder, 'curvegate.toml')
			writeFileSync(path, `schema = 1\nkeys = "keys"\n${text}`)
			return path
		},
	}
}

const SERVERS = `
[[server]]
listen = "192.0.2.1:4001"
extension = "${EXTENSION}"
[[server.name]]
name = "ssh.example"
service = "tcp:127.0.0.1:22"
[[server.name]]
name = "web.example"
service = "welcome"
[[server]]
listen = "192.0.2.2:4002"
keys = "other"
[[server.name]]
name = "echo.example"
service = "echo"
[extension]
source = "hex:0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
`

test('a configuration: an address for each name, its server\'s key, extension and port', (t) => {
	const { file, publicKey, otherKey } = site(t)
	const config = file(SERVERS)
	const all = addresses(t, '--config', config)
	t.deepEqual(all.map((one) => [nameOf(one), toHex(one.key!), one.hosts, one.port,
		toHex(one.extension)]), [
		['ssh.example', publicKey, ['192.0.2.1'], 4001, EXTENSION],
		['web.example', publicKey, ['192.0.2.1'], 4001, EXTENSION],
		['echo.example', otherKey, ['192.0.2.2'], 4002, '0f'.repeat(16)],
	])
	const [one, ...more] = addresses(t, '--config', config, '--name', 'web.example',
		'--host', 'home.example', '--port', '53', '--extension', '11'.repeat(16))
	t.deepEqual([nameOf(one!), one!.hosts, one!.port, toHex(one!.extension), more.length],
		['web.example', ['home.example'], 53, '11'.repeat(16), 0])
	const json: { addresses: { name: string }[] } =
		JSON.parse(make('--config', config, '--json').stdout)
	t.deepEqual(json.addresses.map(({ name }) => name),
		['ssh.example', 'web.example', 'echo.example'])
})

test('a server on every address wants to know under which it is reached', (t) => {
	const { file, publicKey } = site(t)
	const config = file(`
[[server]]
listen = "0.0.0.0:4000"
extension = "any"
[[server.name]]
name = "ssh.example"
service = "echo"
`)
	const refused = make('--config', config)
	t.is(refused.code, 100)
	t.regex(refused.stderr, /--host HOST is missing: .*curvegate\.toml listens on 0\.0\.0\.0:4000/)
	const [one] = addresses(t, '--config', config, '--host', 'a.example', '--host', '192.0.2.9')
	t.deepEqual([toHex(one!.key!), one!.hosts, toHex(one!.extension)],
		[publicKey, ['a.example', '192.0.2.9'], '00'.repeat(16)])
	const near = make('--config', config, '--host', 'a', '--name', 'ssh.exampel')
	t.is(near.code, 100)
	t.regex(near.stderr, /no server of .* has it; did you mean ssh\.example\?\n$/)
})

function fenceOf(...allow: string[]): Fence {
	return new Fence(allow.map((text) => {
		const entry = parseFenceEntry(text)
		if (typeof entry === 'string') throw new Error(entry)
		return entry
	}), [4000])
}

test('sealed: a fresh extension each time, which the gateway opens to the target', (t) => {
	const { folder, keys } = site(t)
	const seal = join(folder, 'seal')
	t.is(runCurvegate(['seal', 'new', seal]).code, 0)
	const allow = ['10.77.0.0/16', 'fd00:77::/64', 'mac:02:00:00']
	const words = ['--keys', keys, '--host', 'gw.example', '--name', 'box', '--seal', seal,
		...allow.flatMap((one) => ['--allow', one])]
	const decide = (extension: Uint8Array): Place | string => {
		const to = new Place()
		return decodeExtension({
			fence: fenceOf(...allow), forbidden: new Forbidden([], []),
			sealer: new Sealer(readSealKeys(seal)),
		}, extension, 0, 4000, to) ?? to
	}
	const places: readonly (readonly [string, (to: Place) => string, string])[] = [
		['10.77.2.3', (to) => formatIpv4(to.address), '10.77.2.3'],
		['[fd00:77::9:8]', (to) => formatIpv6(to.place), 'fd00:77::9:8'],
		['mac:02:00:00:0a:0b:0c', (to) => toHex(to.place, 0, to.kind === KIND_MAC ? 6 : 0),
			'0200000a0b0c'],
	]
	for (const [target, format, expected] of places) {
		const seen = new Set<string>()
		for (let i = 0; i < 4; i++) {
			const [one] = addresses(t, ...words, '--target', target)
			const to = decide(one!.extension)
			if (typeof to === 'string') return t.fail(`${target}: ${to}`)
			t.is(format(to), expected)
			seen.add(toHex(one!.extension))
		}
		t.is(seen.size, 4, 'unlinkable')
	}
	// After a new epoch old and new are open, after a revocation only the new.
	const [old] = addresses(t, ...words, '--target', '10.77.2.3')
	t.is(runCurvegate(['seal', 'rotate', seal]).code, 0)
	const [fresh] = addresses(t, ...words, '--target', '10.77.2.3')
	t.not(decide(old!.extension), 'fence')
	t.is(runCurvegate(['seal', 'revoke', seal]).code, 0)
	t.is(decide(old!.extension), 'fence')
	t.not(decide(fresh!.extension), 'fence')
	return undefined
})

test('the gateway\'s own configuration has its keys, prefixes, address and port', (t) => {
	const { folder, keys, file } = site(t)
	const seal = join(folder, 'seal')
	runCurvegate(['seal', 'new', seal])
	const config = file(`
[gateway]
wan = "eth0"
address = "192.0.2.1"
ports = [4000]
[gateway.encoded]
allow = ["10.1.0.0/24", "10.77.0.0/24"]
ports = [4000]
seal-keys = "seal"
`)
	const [one] = addresses(t, '--config', config, '--keys', keys, '--name', 'box', '--target',
		'10.77.0.2')
	t.deepEqual([one!.hosts, one!.port], [['192.0.2.1'], 4000])
	const sealer = new Sealer(readSealKeys(seal))
	t.true(sealer.open(one!.extension, 0))
	t.deepEqual([sealer.entry, sealer.host], [1, 2])
	const table: readonly (readonly [string[], RegExp])[] = [
		[['--target', '10.78.0.2'], /in no prefix of allow/],
		[['--target', '10.77.0.2:5000'], /carries no port/],
		[['--target', ':5000'], /a server on the gateway itself has a route/],
		[['--target', 'x'], /--target 'x': expected ADDR, ADDR:PORT/],
		[['--target', '10.77.0.2', '--port', '4001'], /the gateway would refuse it/],
		[['--target', '10.77.0.2', '--extension', EXTENSION], /exclude each other/],
		[['--seal', seal], /--seal needs --target ADDR/],
	]
	for (const [words, message] of table) {
		const refused = make('--config', config, '--keys', keys, '--name', 'box', ...words)
		t.is(refused.code, 100, words.join(' '))
		t.regex(refused.stderr, message)
	}
})

test('in the open: the address stands in the extension; without prefixes it is refused', (t) => {
	const { folder, keys } = site(t)
	const words = ['--keys', keys, '--host', 'gw', '--target', '10.77.0.2']
	const [one] = addresses(t, ...words, '--allow', '10.77.0.0/24')
	t.is(toHex(one!.extension), `010a4d0002${'00'.repeat(11)}`)
	t.regex(make(...words).stderr, /--target needs --allow PREFIX/)
	t.regex(make(...words, '--allow', '10.78.0.0/24').stderr, /the gateway would refuse it/)
	t.regex(make(...words, '--allow', 'x').stderr, /--allow 'x': expected ADDR\/BITS/)
	mkdirSync(join(folder, 'empty'))
	t.is(make(...words, '--allow', '10.77.0.0/24', '--seal', join(folder, 'empty')).code, 111)
})

test('--key: for a server whose directory is elsewhere', (t) => {
	const { keys, publicKey } = site(t)
	const from = (...words: string[]): string =>
		make('--host', 'a.example', '--name', 'x', ...words).stdout
	t.is(from('--key', publicKey), from('--keys', keys))
	t.not(from('--key', publicKey), '')
	const both = make('--host', 'a.example', '--keys', keys, '--key', publicKey)
	t.deepEqual([both.code, both.stdout], [100, ''])
	t.regex(both.stderr, /--key and --keys exclude each other/)
	t.regex(make('--host', 'a.example', '--key', 'abc').stderr, /expected 64 hexadecimal digits/)
})
