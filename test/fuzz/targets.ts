// What is fuzzed: one short target for each receiver of foreign bytes. A target throws when what
// must not happen does; otherwise it says in a word what became of the input, and the words are
// counted. Add yours to TARGETS.

import { same, type Bytes } from '../../src/base/bytes.ts'
import { PiecePool } from '../../src/base/pieces.ts'
import { RECORD_PIECE_BYTES } from '../../src/message/blocks.ts'
import { classifyToClient, classifyToServer } from '../../src/wire/classify.ts'
import { readServerName, writeServerName } from '../../src/wire/server-name.ts'
import { bytes, recorded } from '../support/vectors.ts'
import { referenceMessages, referencePackets } from '../sim/fault.ts'
import type { Rng } from '../sim/rng.ts'
import { makeMessenger, PIECE } from '../unit/message/pair.ts'

/** Longer than any packet that a network delivers in one piece. */
export const ROOM = 1500

/** Inputs of one fuzzed connection. */
const CONNECTION_INPUTS = 24

export interface Target {
	/** The layer and what it is: `make fuzz ARGS='… wire/'` runs those whose name begins so. */
	readonly name: string
	/** Valid inputs, which the faults start from. */
	readonly corpus: readonly Bytes[]
	/** Once before the first input: a fresh world, repeatable from the generator. */
	start(rng: Rng): (p: Bytes, n: number) => string
}

const classify: Target = {
	name: 'wire/classify',
	corpus: referencePackets(),
	start: () => (p, n) => {
		const before = p.slice(0, n)
		const toServer = classifyToServer(p, n)
		const toClient = classifyToClient(p, n)
		expect(same(p, 0, before, 0, n), 'the gate has changed the packet')
		expect(toServer === naiveToServer(p, n), `${toServer} instead of ${naiveToServer(p, n)}`)
		expect(toClient === naiveToClient(p, n), `${toClient} instead of ${naiveToClient(p, n)}`)
		return toServer === 'length' || toServer === 'magic' ? toClient : toServer
	},
}

/** The table of protocol.md, section 1, read as text. */
function naiveToServer(p: Bytes, n: number): string {
	if (n < 80 || n > 1184 || n % 16 > 0) return 'length'
	switch (textOf(p, 8)) {
		case 'QvnQ5XlH': return n === 224 ? 'hello' : 'length'
		case 'QvnQ5XlI': return n >= 560 ? 'initiate' : 'length'
		case 'QvnQ5XlM': return n >= 112 ? 'clientMessage' : 'length'
		default: return 'magic'
	}
}

function naiveToClient(p: Bytes, n: number): string {
	if (n < 80 || n > 1152) return 'length'
	switch (textOf(p, 8)) {
		case 'RL3aNMXK': return n === 200 ? 'cookie' : 'length'
		case 'RL3aNMXM': return n % 16 === 0 ? 'serverMessage' : 'length'
		default: return 'magic'
	}
}

const serverName: Target = {
	name: 'wire/server-name',
	corpus: [
		...recorded.scenarios.map(({ serverNameWire }) => bytes(serverNameWire)),
		...recorded.nameEncoding.vectors.map(({ input }) => latin(input)),
	],
	start: () => {
		const wire = new Uint8Array(256)
		const again = new Uint8Array(256)
		return (p, n) => {
			// Bytes that come as a name from a client, and as an argument from an owner.
			wire.fill(0)
			wire.set(p.subarray(0, Math.min(n, 256)))
			const text = readServerName(wire, 0)
			expect(text.length < 256, `a name of ${text.length} characters`)
			if (!writeServerName(again, 0, p.subarray(0, n))) return 'tooLong'
			const name = readServerName(again, 0)
			expect(writeServerName(wire, 0, latin(name)), 'a written name cannot be written')
			expect(same(wire, 0, again, 0, 256), 'written twice, two forms')
			return name === '' ? 'empty' : 'name'
		}
	},
}

const messenger: Target = {
	name: 'message/messenger',
	corpus: referenceMessages(),
	start: (rng) => {
		const pieces = new PiecePool(PIECE, 16)
		const records = new PiecePool(RECORD_PIECE_BYTES, 64)
		const options = { sendBytes: 65536, receiveBytes: 65536, pieces, records }
		const out = new Uint8Array(1088)
		let ours = makeMessenger(options, rng)
		let inputs = 0
		let now = 0
		return (p, n) => {
			// A connection that has heard the peer's end hears nothing else: begin again, often.
			if (++inputs % CONNECTION_INPUTS === 0) {
				ours.release()
				expect(pieces.used + records.used === 0, 'a piece was not given back')
				ours = makeMessenger(options, rng, now)
			}
			// What stands behind the boxes is never longer than a message; time goes on, unevenly.
			const length = Math.min(n, 1088) & ~15
			if (length === 0) return 'empty'
			now += rng.below(20e6)
			ours.write(p, 0, length, now)
			ours.receive(p, 0, length, now)
			if (now >= ours.wakeAt()) ours.wake(now)
			let sent = 0
			while (ours.transmit(out, 0, out.length, now) > 0) {
				expect(++sent < 1000, 'it sends without end')
			}
			expect(!Number.isNaN(ours.wakeAt()), 'it does not know when to wake')
			expect(ours.pending <= 65536 && ours.readable <= 65536, 'more than it may hold')
			if (ours.read(out, 0, out.length, now) > 0) return 'read'
			return sent > 0 ? 'answered' : 'silent'
		}
	},
}

function textOf(p: Bytes, n: number): string {
	return String.fromCharCode(...p.subarray(0, n))
}

function latin(text: string): Bytes {
	return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

/** For targets: what must hold whatever comes in. */
export function expect(condition: boolean, otherwise: string): void {
	if (!condition) throw new Error(otherwise)
}

export const TARGETS: readonly Target[] = [classify, serverName, messenger]
