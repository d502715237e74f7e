// Peers that lie: whatever comes, nothing throws, memory stays bounded, and what is read is what
// came.

import test from 'ava'
import { writeU16, writeU32, type Bytes } from '../../../src/base/bytes.ts'
import { PiecePool } from '../../../src/base/pieces.ts'
import { RECORD_PIECE_BYTES } from '../../../src/message/blocks.ts'
import {
	MESSAGE_ACK_ID, MESSAGE_FLAGS, MESSAGE_GAP12, MESSAGE_LENGTH2, MESSAGE_POSITION,
	MESSAGE_RANGE1_END,
} from '../../../src/message/format.ts'
import type { Messenger } from '../../../src/message/messenger.ts'
import { makeGenerator, type Generator } from '../../support/generator.ts'
import { makeMessenger, MILLISECOND, Pair, SECOND, Stream } from './pair.ts'

const CAPACITY = 16384 * 8

interface Victim {
	messenger: Messenger
	pieces: PiecePool
	records: PiecePool
}

function makeVictim(): Victim {
	const pieces = new PiecePool(16384, 200)
	const records = new PiecePool(RECORD_PIECE_BYTES, 200)
	const sizes = { sendBytes: CAPACITY, receiveBytes: CAPACITY }
	return { messenger: makeMessenger({ pieces, records, ...sizes }), pieces, records }
}

/** Numbers that have broken programs before. */
function nasty(random: Generator): [low: number, high: number] {
	const near = random.below(5000)
	const lows = [0, 1, 100, 1024, 65535, 131072, 0x7fffffff, 0x80000000, 0xffffffff, near]
	const highs = [0, 0, 0, 0, 0, 1, 0x1fffff, 0x200000, 0xffffffff]
	return [lows[random.below(lows.length)]!, highs[random.below(highs.length)]!]
}

/** A message of a legal length with fields between sense and nonsense. */
function forge(random: Generator, p: Bytes): number {
	const n = 16 * (1 + random.below(68))
	if (random.below(8) === 0) random.fill(p, 0, n)
	else p.fill(0, 0, n)
	writeU32(p, 0, random.below(3) === 0 ? 0 : random.below(0xffffffff))
	writeU32(p, MESSAGE_ACK_ID, random.below(2) === 0 ? random.below(50) : random.below(0xffffffff))
	for (const at of [MESSAGE_RANGE1_END, MESSAGE_POSITION]) {
		const [low, high] = nasty(random)
		writeU32(p, at, random.below(2) === 0 ? random.below(20_000) : low)
		writeU32(p, at + 4, random.below(2) === 0 ? 0 : high)
	}
	if (random.below(2) === 0) {
		writeU32(p, MESSAGE_GAP12, nasty(random)[0])
		for (let at = MESSAGE_LENGTH2; at < MESSAGE_FLAGS; at += 2) writeU16(p, at, random.below(65536))
	}
	const d = random.below(2) === 0 ? Math.max(0, n - 48) : random.below(2000)
	writeU16(p, MESSAGE_FLAGS, d | (random.below(6) === 0 ? 2048 * random.below(32) : 0))
	return n
}

for (let seed = 1; seed <= 12; seed++) {
	test(`forged messages do nothing but what they may, seed ${seed}`, (t) => {
		const random = makeGenerator(seed)
		const { messenger, pieces, records } = makeVictim()
		const p = new Uint8Array(1200)
		const out = new Uint8Array(1200)
		const bytes = new Uint8Array(4000)
		let now = 0
		for (let i = 0; i < 20_000; i++) {
			now += random.below(3 * MILLISECOND)
			messenger.receive(p, 0, forge(random, p), now)
			if (random.below(10) === 0) messenger.write(bytes, 0, random.below(4000), now)
			if (random.below(10) === 0) messenger.read(bytes, 0, random.below(4000), now)
			if (random.below(2000) === 0) messenger.end(now)
			if (random.below(5000) === 0) messenger.newPath(now)
			messenger.wake(now)
			for (let k = 0; messenger.transmit(out, 0, 1088, now) > 0; k++) t.true(k < 3000)
			t.false(Number.isNaN(messenger.wakeAt()))
			t.true(messenger.readable <= CAPACITY && messenger.pending <= CAPACITY)
			t.true(pieces.used <= 2 * (CAPACITY / 16384 + 1) + 8, `${pieces.used} pieces`)
		}
		messenger.release()
		t.is(pieces.used, 0)
		t.is(records.used, 0)
	})
}

for (let seed = 1; seed <= 6; seed++) {
	test(`what is obviously forged does not harm a transfer, seed ${seed}`, (t) => {
		// Forged acknowledgments may lose data; here they claim only what was never sent.
		const random = makeGenerator(seed)
		const pair = new Pair(seed, { delay: 5 * MILLISECOND, loss: 0.02 })
		const stream = new Stream(300_000)
		const p = new Uint8Array(1200)
		pair.onStep = () => {
			stream.write(pair.a, pair.now)
			if (stream.written === stream.length) pair.a.end(pair.now)
			stream.readFrom(pair.b, pair.now)
			const n = forge(random, p)
			writeU32(p, MESSAGE_RANGE1_END + 4, 1 + random.below(1000))
			pair.a.receive(p, 0, n, pair.now)
			// To the reader: reserved bits, positions beyond everything, short messages.
			writeU16(p, MESSAGE_FLAGS, 1025 + random.below(1000))
			pair.b.receive(p, 0, n, pair.now)
		}
		t.true(pair.run(() => pair.a.outgoingDone, 60 * SECOND), `${stream.read}`)
		t.is(stream.read, stream.length)
		t.is(stream.wrong, -1)
	})
}

test('a peer that acknowledges optimistically, twice, or backwards moves nothing', (t) => {
	const { messenger } = makeVictim()
	const p = new Uint8Array(1200)
	messenger.write(new Uint8Array(5000), 0, 5000, 0)
	while (messenger.transmit(p, 0, 1088, 0) > 0);
	const answer = new Uint8Array(64)
	const acknowledge = (end: number): number => {
		writeU32(answer, MESSAGE_RANGE1_END, end)
		messenger.receive(answer, 0, 64, MILLISECOND)
		return messenger.sentBytes
	}
	t.is(acknowledge(5001), 0, 'more than was sent')
	t.is(acknowledge(1023), 0, 'half a block')
	t.is(acknowledge(2048), 2048)
	t.is(acknowledge(1024), 2048)
	t.is(acknowledge(2048), 2048)
	t.is(acknowledge(5000), 5000)
	t.is(messenger.pending, 0)
})

test('messages too short for a head, and blocks that overlap it, are no blocks', (t) => {
	const { messenger } = makeVictim()
	const p = new Uint8Array(1200).fill(0)
	for (const n of [16, 32]) {
		p[0] = 9
		messenger.receive(p, 0, n, 0)
		t.is(messenger.blocksReceived, 0)
	}
	writeU16(p, MESSAGE_FLAGS, 1)
	messenger.receive(p, 0, 48, 0)
	t.is(messenger.blocksReceived, 0)
	t.is(messenger.transmit(p, 0, 1088, 0), 0)
})

test('a thousand single bytes far apart borrow no more than the window', (t) => {
	const { messenger, pieces } = makeVictim()
	const p = new Uint8Array(64)
	for (let i = 0; i < 2000; i++) {
		p.fill(0)
		p[0] = 1 + (i & 127)
		writeU16(p, MESSAGE_FLAGS, 1)
		writeU32(p, MESSAGE_POSITION, 3 + 61 * i)
		messenger.receive(p, 0, 64, i)
	}
	t.is(messenger.receivedBytes, 0)
	t.true(pieces.used <= CAPACITY / 16384 + 3)
	messenger.release()
	t.is(pieces.used, 0)
})
