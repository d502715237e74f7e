// Acknowledgments as a reference sender understands them: a model of its bookkeeping, which an ID
// named too late would poison for the rest of the connection. spec: protocol.md 4.7, 9.2 (3)

import test from 'ava'
import { readU32, readU53, writeU16, writeU32, writeU53 } from '../../../src/base/bytes.ts'
import { PiecePool } from '../../../src/base/pieces.ts'
import { MILLISECOND } from '../../../src/base/time.ts'
import { RECORD_PIECE_BYTES } from '../../../src/message/blocks.ts'
import { Cubic } from '../../../src/message/congestion/cubic.ts'
import {
	MESSAGE_ACK_ID, MESSAGE_FLAGS, MESSAGE_POSITION, MESSAGE_RANGE1_END, readGap, readLength,
} from '../../../src/message/format.ts'
import { Messenger } from '../../../src/message/messenger.ts'
import { makeGenerator } from '../../support/generator.ts'

const BLOCK = 100
const LENGTH = 192

interface Block {
	id: number
	readonly position: number
	/** The reference sets its time to zero; the next sample of it lasts since 1970. */
	acknowledged: boolean
}

/** What the reference does with a message that acknowledges. */
function take(blocks: Block[], p: Uint8Array): boolean {
	const ackId = readU32(p, MESSAGE_ACK_ID)
	const named = ackId === 0 ? undefined : blocks.find(({ id }) => id === ackId)
	const poisoned = named?.acknowledged === true
	let stop = readU53(p, MESSAGE_RANGE1_END)
	const cover = (from: number, to: number): void => {
		for (const block of blocks) {
			if (from <= block.position && block.position + BLOCK <= to) block.acknowledged = true
		}
	}
	cover(0, stop)
	for (let k = 2; k <= 6; k++) {
		const start = stop + readGap(p, 0, k)
		stop = start + readLength(p, 0, k)
		cover(start, stop)
	}
	while (blocks[0]?.acknowledged === true) blocks.shift()
	return !poisoned
}

function data(id: number, position: number): Uint8Array {
	const p = new Uint8Array(LENGTH)
	writeU32(p, 0, id)
	writeU16(p, MESSAGE_FLAGS, BLOCK)
	writeU53(p, MESSAGE_POSITION, position)
	return p
}

test('no ID is named after a range has acknowledged its block, whatever is lost', (t) => {
	for (let seed = 1; seed <= 300; seed++) {
		const { below } = makeGenerator(seed)
		const pieces = new PiecePool(16_384, 64)
		const records = new PiecePool(RECORD_PIECE_BYTES, 64)
		const random = makeGenerator(seed)
		const ours = new Messenger({
			pieces, records, random, control: () => new Cubic(), sendBytes: 65_536, receiveBytes: 131_072,
		}, 0)
		const blocks: Block[] = []
		const out = new Uint8Array(1088)
		let nextId = 1
		let nextPosition = 0
		for (let step = 0; step < 60; step++) {
			const now = step * 10 * MILLISECOND
			// Several packets are taken before anything is answered, as a busy socket's are.
			for (let n = below(8); n > 0; n--) {
				const again = blocks.length > 20 || below(4) === 0
				const waiting = blocks.filter(({ acknowledged }) => !acknowledged)
				const block = again ? waiting[below(waiting.length)] : undefined
				const id = nextId++
				const position = block?.position ?? nextPosition
				if (block === undefined) {
					blocks.push({ id, position, acknowledged: false })
					nextPosition += BLOCK
				} else {
					block.id = id
				}
				if (below(3) > 0) ours.receive(data(id, position), 0, LENGTH, now)
			}
			ours.wake(now)
			for (let n = ours.transmit(out, 0, 1088, now); n > 0; n = ours.transmit(out, 0, 1088, now)) {
				if (below(4) > 0 && !take(blocks, out)) return t.fail(`step ${step} of seed ${seed}`)
			}
		}
		ours.release()
	}
	t.pass()
})
