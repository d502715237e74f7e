// A server's sieve as a filter of its UDP socket. The kernel runs it before a datagram takes room
// in the socket; what it drops costs the process nothing. It sees a datagram from its UDP header
// on, and of a train (UDP_GRO) the first one only: all that passes is looked at again.

import { PLACES, type Sieve } from '../../endpoint/sieve.ts'
import { CLIENT_MAGIC, KIND_HELLO, KIND_INITIATE, KIND_MESSAGE } from '../../wire/packets.ts'
import { assemble, ends, IF_EQUAL, IF_GREATER, LOAD_HALF, LOAD_WORD } from './bpf.ts'
import type { Instruction } from './bpf.ts'

const PAYLOAD = 8
const SOURCE_PORT = 0
/** SKF_NET_OFF: from the IP header on; its source address. */
const SOURCE_ADDRESS = 0xfff00000 + 12

const MULTIPLY = 0x24
const TO_X = 0x07
const ADD_X = 0x0c
const SHIFT_RIGHT = 0x74
const SUBTRACT = 0x14
const AND = 0x54

/** Two words of the magic: all kinds have the first, and differ in the second's last byte. */
function wordOf(bytes: readonly number[]): number {
	return bytes.reduce((word, byte) => word * 256 + byte, 0)
}

export function sieveProgram(sieve: Sieve): readonly Instruction[] {
	const first = wordOf(CLIENT_MAGIC.slice(0, 4))
	const second = (kind: number): number => wordOf([...CLIENT_MAGIC.slice(4), kind])
	return assemble([
		{ load: LOAD_WORD, k: PAYLOAD },
		{ test: IF_EQUAL, k: first, no: 'drop' },
		{ load: LOAD_WORD, k: PAYLOAD + 4 },
		{ test: IF_EQUAL, k: second(KIND_MESSAGE), yes: 'accept' },
		{ test: IF_EQUAL, k: second(KIND_INITIATE), yes: 'accept' },
		{ test: IF_EQUAL, k: second(KIND_HELLO), no: 'drop' },
		{ load: LOAD_HALF, k: SOURCE_PORT },
		{ load: MULTIPLY, k: sieve.ofPort >>> 0 },
		{ load: TO_X, k: 0 },
		{ load: LOAD_WORD, k: SOURCE_ADDRESS },
		{ load: MULTIPLY, k: sieve.ofAddress >>> 0 },
		{ load: ADD_X, k: 0 },
		{ load: SHIFT_RIGHT, k: 16 },
		{ load: SUBTRACT, k: sieve.from },
		{ load: AND, k: PLACES - 1 },
		{ test: IF_GREATER, k: sieve.width - 1, yes: 'drop', no: 'accept' },
		...ends(),
	])
}
