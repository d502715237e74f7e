import fc from 'fast-check'
import test from 'ava'
import { toKeyLabel } from '../../../src/base/base32.ts'
import { fromHex, toHex } from '../../../src/base/hex.ts'
import { Usage } from '../../../src/platform/trouble.ts'
import {
	canonicalAddress, checkOf, formatAddress, parseAddress, percentEncode, type Address,
} from '../../../src/service/address.ts'

const KEY = 'e84f07f7e3d2a40c6151558b6acfbcf86dc38a5a7117a65a22a3c54eca5e462a'
const LABEL = 'uz78zmgjvhwl69tjj5bpu2pq7mrshv6d5bckv5dbf943fkx45vc6lb'
const OTHER = '4fba933ba6f6cd24db564ad187ecde256e17e489a68f4b5bed405c4c900e0e7d'
const EXTENSION = '000102030405060708090a0b0c0d0e0f'
const ZERO = '0'.repeat(32)

function plain({ key, hosts, port, name, extension }: Address): object {
	return {
		key: key && toHex(key), hosts, port, name: percentEncode(name), extension: toHex(extension),
	}
}

test('the parts and their defaults', (t) => {
	const bare = {
		key: KEY, hosts: ['home.example'], port: 4000, name: 'home.example', extension: ZERO,
	}
	const forms: readonly (readonly [string, object])[] = [
		[`curvecp://${KEY}@home.example:4000/home.example`, bare],
		[`curvecp://${KEY}@home.example`, bare],
		[`curvecp://${KEY}@home.example/`, bare],
		[`CurveCP://${KEY.toUpperCase()}@home.example`, bare],
		[`curvecp://${LABEL}@home.example`, bare],
		[`curvecp://${LABEL.toUpperCase()}@home.example`, bare],
		[`curvecp://${LABEL.replace('uz7', 'uz5')}@home.example`, bare],
		[`curvecp://${KEY}@home.example?extension=${ZERO}`, bare],
		['curvecp://home.example', { ...bare, key: undefined }],
		[`curvecp://${KEY}@192.0.2.1,b.example.,10.0.0.1:53/x%20%C3%bc?extension=${EXTENSION}`, {
			key: KEY, hosts: ['192.0.2.1', 'b.example.', '10.0.0.1'], port: 53, name: 'x%20%c3%bc',
			extension: EXTENSION,
		}],
		[`curvecp://${LABEL}.home.example/n`,
			{ ...bare, hosts: [`${LABEL}.home.example`], name: 'n' }],
		[`curvecp://${LABEL}.${EXTENSION}.home.example/n`, {
			...bare, hosts: [`${LABEL}.${EXTENSION}.home.example`], name: 'n', extension: EXTENSION,
		}],
		[`curvecp://${EXTENSION}.${LABEL}.home.example/n`, {
			...bare, hosts: [`${EXTENSION}.${LABEL}.home.example`], name: 'n', extension: EXTENSION,
		}],
		[`curvecp://${KEY}@x.${LABEL}.y,b/.?extension=${ZERO}`,
			{ ...bare, hosts: [`x.${LABEL}.y`, 'b'], name: '.' }],
	]
	for (const [text, expected] of forms) t.deepEqual(plain(parseAddress(text)), expected, text)
})

test('canonical: key and port always, extension only when not zero, check last', (t) => {
	const canonical = `curvecp://${KEY}@${LABEL}.example,B.example:4000/A%25b`
	const address = parseAddress(`curvecp://${LABEL}.example,B.example/A%25b?extension=${ZERO}`)
	t.is(canonicalAddress(address), canonical)
	t.is(formatAddress(address), `${canonical}?check=${checkOf(canonical)}`)
	const extended = parseAddress(`${canonical}?extension=${EXTENSION.toUpperCase()}`)
	const whole = `${canonical}?extension=${EXTENSION}`
	t.is(formatAddress(extended), `${whole}&check=${checkOf(whole)}`)
	// Fixed once and for ever: addresses that were given away go on being valid.
	t.is(checkOf('curvecp://home.example:4000/home.example'), '8e934bff')
})

test('query parts stand in any order', (t) => {
	const whole = `curvecp://${KEY}@a:1/n?extension=${EXTENSION}`
	const turned = `curvecp://${KEY}@a:1/n?check=${checkOf(whole)}&extension=${EXTENSION}`
	t.is(canonicalAddress(parseAddress(turned)), whole)
})

const host = fc.oneof(
	fc.ipV4(),
	fc.stringMatching(/^[a-zA-Z][\w-]{0,20}(\.[a-zA-Z][\w-]{0,20}){0,3}\.?$/),
)

const addresses = fc.record({
	key: fc.oneof(fc.constant(undefined), fc.uint8Array({ minLength: 32, maxLength: 32 })),
	hosts: fc.array(host, { minLength: 1, maxLength: 8 }),
	port: fc.integer({ min: 1, max: 65_535 }),
	name: fc.uint8Array({ minLength: 1, maxLength: 60 }),
	extension: fc.oneof(fc.constant(new Uint8Array(16)),
		fc.uint8Array({ minLength: 16, maxLength: 16 })),
})

test('whatever is written is read back', (t) => {
	fc.assert(fc.property(addresses, (address) => {
		t.deepEqual(plain(parseAddress(formatAddress(address))), plain(address))
		t.deepEqual(plain(parseAddress(canonicalAddress(address))), plain(address))
	}), { numRuns: 300 })
})

/** Every character that a slip of the hand or eye could bring, and some that none would. */
const ALPHABET = '0123456789abcdefgxyzuAFZ.-_,:/@?&=% \'#üé\u0000'

/** Every text one character away. */
function* oneOff(text: string): Generator<string> {
	for (let i = 0; i <= text.length; i++) {
		const [before, at, after] = [text.slice(0, i), text[i], text.slice(i + 1)]
		if (at !== undefined) yield before + after
		for (const character of ALPHABET) {
			yield before + character + text.slice(i)
			if (at !== undefined && at !== character) yield before + character + after
		}
	}
}

test('every single wrong character in a checked address is refused, with a column', (t) => {
	const forms = [
		`curvecp://${KEY}@home.example,192.0.2.1:4000/ssh.home%20x?extension=${EXTENSION}`,
		`curvecp://${KEY}@h:1/h`,
		`curvecp://${LABEL}.${EXTENSION}.home.example/b`,
		'curvecp://home.example/home.example',
	]
	for (const form of forms) {
		const right = parseAddress(form)
		const text = formatAddress(right)
		let refused = 0
		for (const wrong of oneOff(text)) {
			try {
				// Another case of the same hexadecimal digit is no other address.
				t.deepEqual(plain(parseAddress(wrong)), plain(right), wrong)
			} catch (error) {
				if (!(error instanceof Usage)) throw error
				refused++
				const column = error.place.column ?? 0
				if (column < 1 || column > wrong.length + 1) t.fail(`column ${column} of ${wrong}`)
			}
		}
		t.true(refused > text.length * 60)
	}
})

test('any text at all is an address or a Usage with a column', (t) => {
	const pieces = fc.constantFrom(
		'curvecp://', KEY, LABEL, EXTENSION, '@', ':', '/', ',', '?', '&', '=', 'check',
		'extension', '%', '%2', 'a.b', '1.2.3.4', '..', '[::1]', '99999', 'ü', '\u{1f600}',
	)
	fc.assert(fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
		const text = parts.join('')
		try {
			parseAddress(text)
		} catch (error) {
			if (!(error instanceof Usage) || error.place.column === undefined) throw error
		}
	}), { numRuns: 3000 })
	t.pass()
})

const WRONG = [
	'', 'http://x', 'curvecp:/x', 'curvecp://', 'curvecp:///name', `curvecp://${KEY}@`,
	`curvecp://${KEY.slice(1)}@h`, `curvecp://${KEY}0@h`, `curvecp://${KEY.replace('7', 'g')}@h`,
	`curvecp://${LABEL.slice(1)}@h`, `curvecp://${LABEL}0@h`,
	`curvecp://${LABEL.replace('8z', '8a')}@h`,
	'curvecp://@h', 'curvecp://\u{1f600}@h',
	`curvecp://${KEY}@h,`, `curvecp://${KEY}@h,,i`, `curvecp://${KEY}@a b`, `curvecp://${KEY}@h..i`,
	`curvecp://${KEY}@.h`, `curvecp://${KEY}@[::1]:4000`, `curvecp://${KEY}@1.2.3`,
	`curvecp://${KEY}@1.2.3.256`, `curvecp://${KEY}@1.2.3.04`, `curvecp://${KEY}@1.2.3.4.5`,
	`curvecp://${KEY}@${'a'.repeat(64)}`, `curvecp://${KEY}@${'a.'.repeat(127)}`,
	`curvecp://${KEY}@a,b,c,d,e,f,g,h,i`,
	`curvecp://${KEY}@h:`, `curvecp://${KEY}@h:0`, `curvecp://${KEY}@h:65536`,
	`curvecp://${KEY}@h:040`,
	`curvecp://${KEY}@h:4x`, `curvecp://${KEY}@h:1:2`,
	'curvecp://h/ü', 'curvecp://h/a b', 'curvecp://h/a/b', 'curvecp://h/%', 'curvecp://h/%4',
	'curvecp://h/%zz', `curvecp://h/a.${'b'.repeat(64)}`, `curvecp://h/%61.${'b'.repeat(64)}`,
	`curvecp://h/${'abcdefg.'.repeat(32)}`,
	'curvecp://h/n?', 'curvecp://h/n?ext=1', 'curvecp://h/n?extension', 'curvecp://h/n?extension=',
	'curvecp://h/n?extension=12', `curvecp://h/n?extension=${EXTENSION}0`,
	`curvecp://h/n?extension=${EXTENSION.replace('f', 'x')}`, 'curvecp://h/n?check=1234567',
	'curvecp://h/n?check=12345678', 'curvecp://h/n?check=12345678&check=12345678',
	`curvecp://h/n?extension=${EXTENSION}&`, `curvecp://${OTHER}@${LABEL}.example`,
	`curvecp://${LABEL}.example,${toKeyLabel(fromHex(OTHER, 32)!)}.example`,
	`curvecp://${LABEL}.${EXTENSION}.example/n?extension=${ZERO}`,
]

test('what is wrong and what is right, for every form of wrong', (t) => {
	const lines = WRONG.map((text) => {
		const error = t.throws(() => parseAddress(text), { instanceOf: Usage }, text)
		return `${text}\n${' '.repeat(error.place.column! - 1)}^ ${error.message}`
	})
	t.snapshot(lines.join('\n'))
})
