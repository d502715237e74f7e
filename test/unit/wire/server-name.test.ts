// Server names against what the reference's own parser made of them.

import test from 'ava'
import { readServerName, writeServerName } from '../../../src/wire/server-name.ts'
import { bytes, recorded } from '../../support/vectors.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

test('the reference\'s names come out byte for byte, and its errors are errors', (t) => {
	for (const { input, ok, wire256 } of recorded.nameEncoding.vectors) {
		const wire = new Uint8Array(256).fill(0xa5)
		t.is(writeServerName(wire, 0, encode(input)), ok, input)
		if (wire256 !== undefined) t.deepEqual(wire, bytes(wire256), input)
	}
})

test('the text form of a wire name is the name without empty labels', (t) => {
	const pairs = [['server.example.org', 'server.example.org'], ['.a..b.', 'a.b'], ['', '']] as const
	for (const [name, text] of pairs) {
		const wire = new Uint8Array(256)
		writeServerName(wire, 0, encode(name))
		t.is(readServerName(wire, 0), text)
	}
	t.is(readServerName(new Uint8Array(256).fill(0xff), 0), '', 'rubbish is no label')
})
