import test from 'ava'
import nacl from 'tweetnacl'
import {
	isOlder, MANIFEST_BYTES_MAX, manifestBytes, readManifest, signManifest, sumOf, versionText,
	type Manifest,
} from '../../../../src/service/firmware/manifest.ts'

const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(new Uint8Array(32).fill(7))

const SLOT: Manifest = {
	board: 'rpi-4', version: '0.2.0', built: 1_800_000_000,
	parts: [
		{ name: 'boot', bytes: 20_000_000, sha256: 'ab'.repeat(32) },
		{ name: 'root', bytes: 38_000_000, sha256: 'cd'.repeat(32) },
	],
}

const TEXT = signManifest(SLOT, secretKey)

test('what is signed is read back, and stands there in words', (t) => {
	t.deepEqual(readManifest(TEXT, publicKey), SLOT)
	t.is(TEXT.replace(/[0-9a-f]{128}/, 'SIGNATURE'), `curvegate-update 1
signature SIGNATURE
board rpi-4
version 0.2.0
built 1800000000
part boot 20000000 ${'ab'.repeat(32)}
part root 38000000 ${'cd'.repeat(32)}
end
`)
	t.is(sumOf(SLOT), 58_000_000)
	t.is(versionText(SLOT), '0.2.0 of 2027-01-15T08:00Z')
	const app = { ...SLOT, parts: [{ ...SLOT.parts[0]!, name: 'app' as const, bytes: 5 }] }
	t.deepEqual(readManifest(signManifest(app, secretKey), publicKey), app)
})

test('a flipped bit anywhere, a missing, doubled or strange character: refused', (t) => {
	const bytes = new TextEncoder().encode(TEXT)
	for (let i = 0; i < bytes.length; i++) {
		const other = bytes.slice()
		other[i]! ^= 1 << (i & 7)
		t.is(typeof readManifest(new TextDecoder('latin1').decode(other), publicKey), 'string')
	}
	for (let i = 0; i < TEXT.length; i++) {
		for (const piece of ['', TEXT[i]!.repeat(2), '\n', '\r', '\0']) {
			const other = TEXT.slice(0, i) + piece + TEXT.slice(i + 1)
			if (other !== TEXT) t.is(typeof readManifest(other, publicKey), 'string', other)
		}
	}
})

test('another key, another form, other parts: each with its words', (t) => {
	const other = nacl.sign.keyPair()
	t.is(readManifest(TEXT, other.publicKey),
		'is not signed with the key that this machine trusts')
	const sign = (manifest: Manifest): unknown =>
		readManifest(signManifest(manifest, secretKey), publicKey)
	const form = 'is no update of curvegate'
	t.is(sign({ ...SLOT, board: 'rpi 4' }), form)
	t.is(sign({ ...SLOT, board: '../etc' }), form)
	t.is(sign({ ...SLOT, version: '1.02.0' }), form)
	t.is(sign({ ...SLOT, built: -1 }), form)
	t.is(sign({ ...SLOT, parts: [] }), form)
	t.is(sign({ ...SLOT, parts: [...SLOT.parts, ...SLOT.parts] }), form)
	const parts = 'has parts that this version does not know'
	t.is(sign({ ...SLOT, parts: SLOT.parts.slice(0, 1) }), parts)
	t.is(sign({ ...SLOT, parts: SLOT.parts.toReversed() }), parts)
	t.is(sign({ ...SLOT, parts: [{ ...SLOT.parts[0]!, bytes: 2 ** 31 }, SLOT.parts[1]!] }), parts)
})

test('the end of a manifest is found however it arrives, within its bound', (t) => {
	const bytes = new TextEncoder().encode(`${TEXT}parts\nend\n`)
	for (let n = 0; n <= bytes.length; n++) {
		t.is(manifestBytes(bytes, n), n < TEXT.length ? 0 : TEXT.length)
	}
	t.is(manifestBytes(new TextEncoder().encode('\x7fELF'), 4), undefined)
	const endless = new TextEncoder().encode(`curvegate-update 1\n${'x'.repeat(2000)}`)
	t.is(manifestBytes(endless, MANIFEST_BYTES_MAX - 1), 0)
	t.is(manifestBytes(endless, endless.length), undefined)
})

test('versions are ordered by their numbers, then by when they were built', (t) => {
	const order = [
		['0.1.0', 5], ['0.1.0', 6], ['0.1.2', 1], ['0.1.10', 1], ['0.2.0', 0], ['1.0.0', 0],
	].map(([version, built]) => ({ version: String(version), built: Number(built) }))
	for (const [i, a] of order.entries()) {
		for (const [j, b] of order.entries()) t.is(isOlder(a, b), i < j)
	}
})
