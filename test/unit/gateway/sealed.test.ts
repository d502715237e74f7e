import test from 'ava'
import { toHex } from '../../../src/base/hex.ts'
import {
	decodeExtension, encodeExtension, Place, type Decoder,
} from '../../../src/gateway/encoding.ts'
import { Fence, hostOf, parseFenceEntry, type FenceEntry } from '../../../src/gateway/fence.ts'
import { KIND_IPV4, KIND_IPV6, KIND_MAC } from '../../../src/gateway/route.ts'
import { Sealer } from '../../../src/gateway/sealed.ts'
import { Forbidden, parseTarget } from '../../../src/gateway/target.ts'
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from '../../../src/wire/ip.ts'
import { makeGenerator } from '../../support/generator.ts'

const random = makeGenerator(7)

function entries(...texts: string[]): FenceEntry[] {
	return texts.map((text) => {
		const entry = parseFenceEntry(text)
		if (typeof entry === 'string') throw new Error(entry)
		return entry
	})
}

function key(): Uint8Array {
	const bytes = new Uint8Array(32)
	random.fill(bytes, 0, 32)
	return bytes
}

const keys = [key(), key()]
const fence =
	new Fence(entries('10.77.0.0/16', 'fd00:77::/64', 'mac:02:00:00', '10.99.0.8/29'), [4000])
const sealer = new Sealer({ keys, current: 0 })
const decoder: Decoder = { fence, forbidden: new Forbidden([], []), sealer }

function sealed(entry: number, host: number, by = sealer): Uint8Array {
	const extension = new Uint8Array(16)
	by.seal(extension, 0, entry, host, random)
	return extension
}

test('a sealed extension opens to the host that it was made for', (t) => {
	const to = new Place()
	t.is(decodeExtension(decoder, sealed(0, 0x0203), 0, 4000, to), undefined)
	t.deepEqual([to.kind, formatIpv4(to.address), to.port], [KIND_IPV4, '10.77.2.3', 0])
	t.is(decodeExtension(decoder, sealed(1, 0x123456), 0, 4000, to), undefined)
	t.deepEqual([to.kind, formatIpv6(to.place)], [KIND_IPV6, 'fd00:77::12:3456'])
	t.is(decodeExtension(decoder, sealed(2, 0x0a0b0c), 0, 4000, to), undefined)
	t.deepEqual([to.kind, toHex(to.place, 0, 6)], [KIND_MAC, '0200000a0b0c'])
	t.is(decodeExtension(decoder, sealed(3, 7), 0, 4000, to), undefined)
	t.is(formatIpv4(to.address), '10.99.0.15')
})

test('it may not name a host outside its entry, an entry that is not there, or another port',
	(t) => {
	const to = new Place()
	t.is(decodeExtension(decoder, sealed(0, 0x10000), 0, 4000, to), 'fence')
	t.is(decodeExtension(decoder, sealed(3, 8), 0, 4000, to), 'fence')
	t.is(decodeExtension(decoder, sealed(4, 1), 0, 4000, to), 'fence')
	t.is(decodeExtension(decoder, sealed(0, 1), 0, 4001, to), 'fence')
	const own = { ...decoder, forbidden: new Forbidden([parseIpv4('10.77.0.1')!], []) }
	t.is(decodeExtension(own, sealed(0, 1), 0, 4000, to), 'fence')
})

test('every single bit that changes is refused, in 200 extensions of both epochs', (t) => {
	const to = new Place()
	const second = new Sealer({ keys, current: 1 })
	for (let i = 0; i < 200; i++) {
		const extension = sealed(i & 1, random.below(0xffff), i & 2 ? second : sealer)
		t.is(decodeExtension(decoder, extension, 0, 4000, to), undefined)
		for (let bit = 0; bit < 128; bit++) {
			extension[bit >> 3]! ^= 1 << (bit & 7)
			const got = decodeExtension(decoder, extension, 0, 4000, to)
			if (got !== 'fence' && got !== 'route') t.fail(`extension ${i}, bit ${bit}: ${got}`)
			extension[bit >> 3]! ^= 1 << (bit & 7)
		}
	}
})

test('no two clients get the same extension, and nothing of the address shows', (t) => {
	const seen = new Set<string>()
	const ones = new Array<number>(128).fill(0)
	const n = 4000
	for (let i = 0; i < n; i++) {
		const extension = sealed(0, 0x0203)
		seen.add(toHex(extension))
		for (let bit = 0; bit < 128; bit++) ones[bit]! += (extension[bit >> 3]! >> (bit & 7)) & 1
	}
	// A salt of 24 bits: 4,000 of them meet with probability 0.4.
	t.true(seen.size >= n - 3)
	// Half of the ones, six standard deviations either way, in all but the first byte.
	for (let bit = 8; bit < 128; bit++) t.true(Math.abs(ones[bit]! - n / 2) < 3 * Math.sqrt(n),
		`bit ${bit}`)
})

test('keys rotate: two epochs are valid, a revoked one is not', (t) => {
	const to = new Place()
	const old = sealed(0, 5)
	const fresh = sealed(0, 5, new Sealer({ keys, current: 1 }))
	t.is(decodeExtension(decoder, old, 0, 4000, to), undefined)
	t.is(decodeExtension(decoder, fresh, 0, 4000, to), undefined)
	const revoked = { ...decoder, sealer: new Sealer({ keys: [undefined, keys[1]], current: 1 }) }
	t.is(decodeExtension(revoked, old, 0, 4000, to), 'fence')
	t.is(decodeExtension(revoked, fresh, 0, 4000, to), undefined)
	t.false(new Sealer({ keys: [], current: 3 }).seal(new Uint8Array(16), 0, 0, 1, random))
})

test('with sealing keys, addresses in the open are refused', (t) => {
	const open = encodeExtension({ kind: 'ipv4', address: parseIpv4('10.77.0.2')!, port: 0 })!
	const to = new Place()
	t.is(decodeExtension(decoder, open, 0, 4000, to), 'route')
	t.is(decodeExtension({ ...decoder, sealer: undefined }, open, 0, 4000, to), undefined)
	t.is(decodeExtension({ ...decoder, sealer: undefined }, sealed(0, 1), 0, 4000, to), 'route')
})

test('the open form leads back to its target', (t) => {
	const wide: Decoder = {
		fence: new Fence(entries('10.0.0.0/8', 'fd00:77::/64', 'mac:02'), [4000, 5000]),
		forbidden: new Forbidden([], []), sealer: undefined,
	}
	for (const text of ['10.1.2.3', '10.1.2.3:5000', '[fd00:77::9:8]:5000',
		'mac:02:01:02:03:04:05']) {
		const target = parseTarget(text)
		if (typeof target === 'string') return t.fail(target)
		const to = new Place()
		t.is(decodeExtension(wide, encodeExtension(target)!, 0, 4000, to), undefined)
		if (target.kind === 'ipv4') t.deepEqual([to.address, to.port], [target.address, target.port])
		if (target.kind === 'ipv6') t.is(formatIpv6(to.place), formatIpv6(target.address))
		if (target.kind === 'mac') t.is(toHex(to.place, 0, 6), toHex(target.mac))
	}
	return undefined
})

test('host numbers are found for addresses inside an entry', (t) => {
	const [v4, v6, mac, small] = fence.entries
	t.is(hostOf(v4!, parseIpv4('10.77.2.3')!), 0x203)
	t.is(hostOf(v4!, parseIpv4('10.78.2.3')!), -1)
	t.is(hostOf(small!, parseIpv4('10.99.0.15')!), 7)
	t.is(hostOf(v6!, parseIpv6('fd00:77::12:3456')!), 0x123456)
	t.is(hostOf(v6!, parseIpv6('fd00:77::1:0:0')!), -1, 'beyond 24 bits')
	t.is(hostOf(mac!, Uint8Array.of(2, 0, 0, 1, 2, 3)), 0x010203)
	t.is(hostOf(mac!, Uint8Array.of(2, 0, 1, 1, 2, 3)), -1)
})

test('fence entries with bits beyond their prefix, or nonsense, are refused', (t) => {
	for (const text of ['10.0.0.1/24', '10.0.0.0/33', 'fd00::1/64', 'mac:', 'mac:1', 'x', '10.0.0.0/',
		'']) {
		t.is(typeof parseFenceEntry(text), 'string', text)
	}
})
