// The gate: every recorded packet passes as what it is, every length from 0 to 1,500 as the tables
// say.

import test from 'ava'
import { classifyToClient, classifyToServer } from '../../../src/wire/classify.ts'
import { inSlot, recorded } from '../../support/vectors.ts'

const KINDS = {
	Hello: 'hello', Initiate: 'initiate', ClientMessage: 'clientMessage', Cookie: 'cookie',
	ServerMessage: 'serverMessage',
} as const

test('every recorded packet passes as its kind, and only in its direction', (t) => {
	for (const { packets } of recorded.scenarios) {
		for (const { hex, length, type, dir } of packets) {
			const p = inSlot(hex)
			const right = dir === 'C->S' ? classifyToServer : classifyToClient
			const wrong = dir === 'C->S' ? classifyToClient : classifyToServer
			t.is(right(p, length), KINDS[type])
			t.true(['magic', 'length'].includes(wrong(p, length)))
		}
	}
})

/** What protocol.md section 1 allows, written down a second time. */
const LEGAL: Record<string, (n: number) => boolean> = {
	H: (n) => n === 224,
	I: (n) => n >= 560 && n <= 1184 && n % 16 === 0,
	M: (n) => n >= 112 && n <= 1184 && n % 16 === 0,
	K: (n) => n === 200,
	m: (n) => n >= 80 && n <= 1152 && n % 16 === 0,
}

test('a packet of any length from 0 to 1,500 passes exactly when its kind allows it', (t) => {
	const p = new Uint8Array(1500)
	for (const [letter, legal] of Object.entries(LEGAL)) {
		const toServer = 'HIM'.includes(letter)
		const magic = (toServer ? 'QvnQ5Xl' : 'RL3aNMX') + letter.toUpperCase()
		for (let i = 0; i < 8; i++) p[i] = magic.charCodeAt(i)
		for (let n = 0; n <= 1500; n++) {
			const verdict = toServer ? classifyToServer(p, n) : classifyToClient(p, n)
			t.is(verdict === 'length', !legal(n), `${magic} of ${n} bytes`)
		}
	}
})

test('a wrong bit anywhere in the magic is refused', (t) => {
	const { hex, length } = recorded.scenarios[0]!.packets[0]!
	for (let bit = 0; bit < 56; bit++) {
		const p = inSlot(hex)
		p[bit >> 3]! ^= 1 << (bit & 7)
		t.is(classifyToServer(p, length), 'magic')
	}
	for (const kind of [0, 0x4b, 0x68, 0xff]) {
		const p = inSlot(hex)
		p[7] = kind
		t.is(classifyToServer(p, length), 'magic')
	}
})
