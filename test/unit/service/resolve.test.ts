// From addresses to hosts, with a name service of the test's own.

import test from 'ava'
import { toKeyLabel } from '../../../src/base/base32.ts'
import { toHex } from '../../../src/base/hex.ts'
import { SECOND } from '../../../src/base/time.ts'
import { parseAddress } from '../../../src/service/address.ts'
import { resolve, systemNames, type Names } from '../../../src/service/resolve.ts'

const KEY = Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? 1 : i + 3))
const EXTENSION = '000102030405060708090a0b0c0d0e0f'
const HEX = toHex(KEY)

function names(o: {
	hosts?: Record<string, string[]>, life?: Record<string, number>, alias?: Record<string, string>,
}): Names {
	return {
		lookup: async (name) => {
			const found = o.hosts?.[name]
			if (found !== undefined) return await Promise.resolve(found)
			throw Object.assign(new Error('no'), { code: 'ENOTFOUND' })
		},
		lifetime: async (name) => await Promise.resolve(o.life?.[name]),
		alias: async (name) => await Promise.resolve(o.alias?.[name] === undefined ? []
			: [o.alias[name]]),
	}
}

const text = (address: number): string =>
	[24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')

test('hosts come in the order of the address, then of the answers, each once', async (t) => {
	const address = parseAddress(`curvecp://${HEX}@b.example,192.0.2.9,a.example:77/x`)
	const { hosts, key, life } = await resolve(address, names({
		hosts: { 'b.example': ['192.0.2.2', '192.0.2.1'], 'a.example': ['192.0.2.1', '192.0.2.3'] },
		life: { 'b.example': 30, 'a.example': 300 },
	}))
	t.deepEqual(hosts.map((host) => text(host.address)),
		['192.0.2.2', '192.0.2.1', '192.0.2.9', '192.0.2.3'])
	t.true(hosts.every(({ port }) => port === 77))
	t.is(toHex(key), HEX)
	t.is(life, 30 * SECOND)
})

test('a host without an answer is left out, all without are trouble', async (t) => {
	const address = parseAddress(`curvecp://${HEX}@gone.example,192.0.2.9/x`)
	t.is((await resolve(address, names({}))).hosts.length, 1)
	const alone = parseAddress(`curvecp://${HEX}@gone.example/x`)
	await t.throwsAsync(resolve(alone, names({})), { message: /gone\.example: no such host name/ })
})

test('key and extension stand in what the name is an alias of', async (t) => {
	const target = `${toKeyLabel(KEY)}.${EXTENSION}.boxes.example`
	const { key, hosts } = await resolve(parseAddress('curvecp://home.example/x'), names({
		hosts: { 'home.example': ['192.0.2.1'] },
		alias: { 'home.example': 'middle.example', 'middle.example': target },
	}))
	t.is(toHex(key), HEX)
	t.is(toHex(hosts[0]!.extension), EXTENSION)
})

test('aliases in a circle, and no key anywhere, are said', async (t) => {
	const circle = names({
		hosts: { 'a.example': ['192.0.2.1'] },
		alias: { 'a.example': 'b.example', 'b.example': 'a.example' },
	})
	await t.throwsAsync(resolve(parseAddress('curvecp://a.example/x'), circle), {
		message: /the address has no key/,
	})
})

test('localhost is known without a name server', async (t) => {
	t.deepEqual(await systemNames.lookup('localhost'), ['127.0.0.1'])
})
