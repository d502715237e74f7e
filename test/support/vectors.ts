// The packets and keys recorded from NaCl's own tools (protocol.md, section 10).

import { readFileSync } from 'node:fs'
import type { Random } from '../../src/base/random.ts'
import { fromHex } from '../../src/base/hex.ts'
import type { Bytes } from '../../src/base/bytes.ts'

export interface RecordedPacket {
	dir: 'C->S' | 'S->C'
	length: number
	hex: string
	type: 'Hello' | 'Cookie' | 'Initiate' | 'ClientMessage' | 'ServerMessage'
	nonce: string
	message?: { hex: string }
	cookie?: string
	cookiePlaintext?: string
	vouchNonce?: string
}

export interface Scenario {
	name: string
	serverName: string
	serverNameWire: string
	serverExtension: string
	clientExtension: string
	serverLongTermPk: string
	serverLongTermSk: string
	clientLongTermPk: string
	clientLongTermSk: string
	clientShortTermPk: string
	clientShortTermSk: string
	serverShortTermPk: string
	serverShortTermSk: string
	minuteKey: string
	previousMinuteKey: string
	clientNonceStart: string
	serverNonceStart: string
	shared: Record<
		'clientShort_serverLong' | 'clientShort_serverShort' | 'clientLong_serverLong', string>
	packets: RecordedPacket[]
}

interface Recorded {
	scenarios: Scenario[]
	nameEncoding: { vectors: { input: string, ok: boolean, wire256?: string }[] }
	dnscurveBase32: { vectors: Record<string, string>[] }
	helloWaitBaseNanoseconds: number[]
}

export const recorded: Recorded = JSON.parse(
	readFileSync('test/vectors/reference.json', 'utf8')) as Recorded

export function bytes(hex: string): Bytes {
	const value = fromHex(hex, hex.length / 2)
	if (value === undefined) throw new Error(`no hex: ${hex}`)
	return value
}

/** A packet in a slot of full size, with rubbish behind it. */
export function inSlot(hex: string): Bytes {
	const slot = new Uint8Array(1216).fill(0xa5)
	slot.set(bytes(hex))
	return slot
}

/** Gives out exactly these bytes, in this order, and complains when asked for others. */
export function scripted(...chunks: readonly Bytes[]): Random & { left(): number } {
	const waiting = [...chunks]
	return {
		fill(p, at, n) {
			const chunk = waiting.shift()
			if (chunk?.length !== n) throw new Error(`asked for ${n}, scripted ${chunk?.length}`)
			p.set(chunk, at)
		},
		left: () => waiting.length,
	}
}

/** The draw that makes a NonceCounter start at this value below 2^48. */
export function counterDraw(start: string): Bytes {
	let value = BigInt(start) << 5n
	const draw = new Uint8Array(7)
	for (let i = 6; i >= 0; i--, value >>= 8n) draw[i] = Number(value & 255n)
	return draw
}
