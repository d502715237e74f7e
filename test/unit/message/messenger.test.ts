import test from 'ava'
import { readU16, readU32, writeU16, type Bytes } from '../../../src/base/bytes.ts'
import { PiecePool } from '../../../src/base/pieces.ts'
import { RECORD_PIECE_BYTES } from '../../../src/message/blocks.ts'
import {
	BLOCK_MAX, MESSAGE_ACK_ID, MESSAGE_FLAGS, MESSAGE_GAP56, MESSAGE_ID, readPosition, readRange1End,
	SUCCESS,
} from '../../../src/message/format.ts'
import { MILLISECOND, Pair, SECOND, Stream, type LinkOptions, type SideOptions } from './pair.ts'

const DELAY = 10 * MILLISECOND

/** Both programs write and read as fast as they can, and end. */
function serve(pair: Pair, there: Stream, back: Stream): void {
	pair.onStep = () => {
		there.write(pair.a, pair.now)
		back.write(pair.b, pair.now)
		if (there.written === there.length) pair.a.end(pair.now)
		if (back.written === back.length) pair.b.end(pair.now)
		there.readFrom(pair.b, pair.now)
		back.readFrom(pair.a, pair.now)
	}
}

function over(pair: Pair): boolean {
	const { a, b } = pair
	return a.outgoingDone && b.outgoingDone && a.incomingDone && b.incomingDone
}

/** The peers take each other for strangers: our mark is wiped from every message. */
function estrange(pair: Pair): void {
	const wipe = (p: Bytes) => {
		writeU16(p, MESSAGE_GAP56, 0)
		return true
	}
	pair.toA.filter = wipe
	pair.toB.filter = wipe
}

const LINKS: Record<string, LinkOptions> = {
	'a perfect path': { delay: 5 * MILLISECOND },
	'no delay at all': {},
	'5 % loss': { delay: 25 * MILLISECOND, loss: 0.05 },
	'30 % loss': { delay: 5 * MILLISECOND, loss: 0.3 },
	'reordering': { delay: 5 * MILLISECOND, jitter: 20 * MILLISECOND },
	'repetition': { delay: 5 * MILLISECOND, repeat: 0.2 },
	'everything at once': {
		delay: 5 * MILLISECOND, jitter: 5 * MILLISECOND, loss: 0.1, repeat: 0.1, rate: 1e6,
		queue: 32768,
	},
}

for (const [name, link] of Object.entries(LINKS)) {
	for (const seed of [1, 2, 3]) {
		for (const strangers of [false, true]) {
			const who = strangers ? 'strangers' : 'our own'
			test(`both streams of ${who} arrive whole over ${name}, seed ${seed}`, (t) => {
				const pair = new Pair(seed, link)
				if (strangers) estrange(pair)
				const there = new Stream(200_000, 7)
				const back = new Stream(100_000, 99)
				serve(pair, there, back)
				t.true(pair.run(() => over(pair), 120 * SECOND), `${there.read} there, ${back.read} back`)
				t.deepEqual([there.wrong, back.wrong], [-1, -1])
				t.deepEqual([there.read, back.read], [there.length, back.length])
				t.deepEqual([pair.a.incomingEnd, pair.b.incomingEnd], ['success', 'success'])
				t.is(pair.a.peerIsOurs, !strangers)
			})
		}
	}
}

test('each direction ends for itself', (t) => {
	const pair = new Pair(1, { delay: DELAY })
	const there = new Stream(5000)
	const back = new Stream(50_000, 3)
	there.write(pair.a, 0)
	pair.a.end(0)
	pair.onStep = () => there.readFrom(pair.b, pair.now)
	t.true(pair.run(() => pair.a.outgoingDone && pair.b.incomingDone, SECOND))
	t.is(pair.b.incomingEnd, 'success')
	t.is(pair.a.incomingEnd, 'open')
	t.is(pair.a.write(new Uint8Array(1), 0, 1, pair.now), 0, 'nothing follows the end')
	pair.onStep = () => {
		back.write(pair.b, pair.now)
		back.readFrom(pair.a, pair.now)
	}
	t.true(pair.run(() => back.read === back.length, 2 * SECOND))
	t.is(pair.a.incomingEnd, 'open')
	pair.b.fail(pair.now)
	t.true(pair.run(() => over(pair), 3 * SECOND))
	t.is(pair.a.incomingEnd, 'failure')
	t.is(back.wrong, -1)
})

test('what was written before a failure still arrives, and then the failure', (t) => {
	const pair = new Pair(1, { delay: DELAY, loss: 0.1 })
	const there = new Stream(100_000)
	there.write(pair.a, 0)
	pair.a.fail(0)
	pair.a.end(0)
	t.true(pair.run(() => pair.a.outgoingDone, 20 * SECOND))
	t.is(pair.b.incomingEnd, 'open', 'not before everything was read')
	there.readFrom(pair.b, pair.now)
	t.is(there.read, there.length)
	t.is(pair.b.incomingEnd, 'failure')
})

test('reading without copying sees the same bytes', (t) => {
	const pair = new Pair(2, { delay: DELAY, loss: 0.05 })
	const there = new Stream(100_000)
	const seen: number[] = []
	const copy = new Uint8Array(100_000)
	pair.onStep = () => {
		there.write(pair.a, pair.now)
		if (there.written === there.length) pair.a.end(pair.now)
		const { peekBytes, peekAt, peekLength } = pair.b
		if (peekLength === 0) return
		copy.set(peekBytes.subarray(peekAt, peekAt + peekLength), there.read)
		seen.push(peekLength)
		there.read += peekLength
		pair.b.consume(peekLength, pair.now)
	}
	t.true(pair.run(() => pair.b.incomingEnd === 'success', 20 * SECOND))
	const expected = new Stream(100_000)
	const other = new Pair(3, { delay: 0 })
	other.onStep = () => expected.write(other.a, other.now)
	other.run(() => other.b.readable === 100_000, SECOND)
	const direct = new Uint8Array(100_000)
	other.b.read(direct, 0, direct.length, other.now)
	t.deepEqual(copy, direct)
	t.true(seen.length > 1)
})

test('a slow reader fills its own ring and no more, and its peer obeys', (t) => {
	const pieces = new PiecePool(16384, 64)
	const small: SideOptions = { receiveBytes: 65536, pieces }
	const pair = new Pair(4, { delay: DELAY }, {}, small)
	const there = new Stream(400_000)
	let most = 0
	pair.onStep = () => {
		there.write(pair.a, pair.now)
		most = Math.max(most, pieces.used)
		if (there.written === there.length) pair.a.end(pair.now)
		if (pair.now < readAt) return
		readAt = pair.now + MILLISECOND
		there.readFrom(pair.b, pair.now, 1000)
	}
	let readAt = 0
	pair.tick = MILLISECOND
	t.true(pair.run(() => pair.b.incomingEnd === 'success', 100 * SECOND))
	t.true(most <= 5, `${most} pieces`)
	t.is(pair.b.blocksRefused, 0, 'nothing was sent in vain')
	t.is(pair.a.retransmissions, 0)
	t.is(there.wrong, -1)
})

for (const lost of [false, true]) {
	const title = lost ? ', even when the message that says so is lost' : ''
	test(`a window that was shut for a minute opens again${title}`, (t) => {
		const pair = new Pair(5, { delay: DELAY }, {}, { receiveBytes: 65536 })
		const there = new Stream(200_000)
		pair.onStep = () => {
			there.write(pair.a, pair.now)
			if (pair.now >= 60 * SECOND) there.readFrom(pair.b, pair.now)
		}
		pair.run(() => pair.now >= 59 * SECOND, 59 * SECOND)
		t.is(pair.b.readable, 65536)
		t.is(pair.b.blocksRefused, 0)
		const questions = pair.toB.carried
		t.true(questions < 110, `${questions} messages while it was shut`)
		if (lost) pair.toA.options = { ...pair.toA.options, blackout: [0, 60 * SECOND + 1] }
		// The program reads on without any message having come.
		pair.now = 60 * SECOND
		t.true(pair.run(() => there.read === there.length, 100 * SECOND))
		const took = pair.now - 60 * SECOND
		t.true(took < (lost ? 7 * SECOND : 0.3 * SECOND), `${took / SECOND} s`)
	})
}

test('one connection whose program never reads leaves the others what they need', (t) => {
	const pieces = new PiecePool(16384, 40)
	const records = new PiecePool(RECORD_PIECE_BYTES, 200)
	const side = { pieces, records, sendBytes: 1 << 20, receiveBytes: 1 << 20 }
	const link = { delay: DELAY, loss: 0.02 }
	const pairs = Array.from({ length: 10 }, (_, i) => new Pair(i, link, side, side))
	const streams = pairs.map(() => new Stream(150_000))
	for (const [i, pair] of pairs.entries()) {
		const stream = streams[i]!
		pair.onStep = () => {
			stream.write(pair.a, pair.now)
			if (stream.written === stream.length) pair.a.end(pair.now)
			if (i !== 0) stream.readFrom(pair.b, pair.now)
		}
	}
	const stuck = pairs[0]!
	stuck.run(() => false, 10 * SECOND)
	for (const pair of pairs) pair.now = stuck.now
	for (let turn = 0; turn < 3e5; turn++) {
		for (const pair of pairs) pair.step(200 * SECOND)
		if (pairs.every((pair, i) => i === 0 || pair.b.incomingEnd === 'success')) break
	}
	t.deepEqual(streams.map((stream) => stream.read).slice(1), streams.slice(1).map(() => 150_000))
	t.true(streams.every((stream) => stream.wrong === -1))
	for (const pair of pairs) {
		pair.a.release()
		pair.b.release()
	}
	t.is(pieces.used, 0)
	t.is(records.used, 0)
})

test('to a stranger at most 64 blocks are out, 32 leave at once, within its 128 KiB', (t) => {
	const pair = new Pair(6, { delay: 20 * MILLISECOND })
	const there = new Stream(2_000_000)
	serve(pair, there, new Stream(0))
	let acked = 0
	let mostBlocks = 0
	let mostBytes = 0
	let atOnce = 0
	let mostAtOnce = 0
	let last = -1
	const out = new Set<number>()
	pair.toA.filter = (p) => {
		writeU16(p, MESSAGE_GAP56, 0)
		return true
	}
	pair.toB.filter = (p, now) => {
		writeU16(p, MESSAGE_GAP56, 0)
		const d = readU16(p, MESSAGE_FLAGS) & (SUCCESS - 1)
		if (d === 0) return true
		acked = pair.a.sentBytes
		out.add(readPosition(p, 0))
		for (const position of out) if (position < acked) out.delete(position)
		mostBlocks = Math.max(mostBlocks, out.size)
		mostBytes = Math.max(mostBytes, readPosition(p, 0) + d - acked)
		atOnce = now === last ? atOnce + 1 : 1
		last = now
		mostAtOnce = Math.max(mostAtOnce, atOnce)
		return true
	}
	t.true(pair.run(() => over(pair), 60 * SECOND))
	t.is(mostBlocks, 64)
	t.true(mostBytes <= 131072)
	t.true(mostAtOnce <= 32, `${mostAtOnce}`)
})

for (const strangers of [false, true]) {
	const who = strangers ? 'a stranger' : 'a peer of our make'
	test(`to ${who} no ID is acknowledged twice, and none that was not sent`, (t) => {
		for (let seed = 1; seed <= 5; seed++) {
			const pair = new Pair(seed, { delay: DELAY, jitter: 3 * MILLISECOND, loss: 0.05 })
			if (strangers) estrange(pair)
			const there = new Stream(200_000)
			serve(pair, there, new Stream(50_000))
			const sent = new Set<number>()
			const named = new Set<number>()
			let messages = 0
			const { filter } = pair.toB
			pair.toB.filter = (p, now) => {
				sent.add(readU32(p, MESSAGE_ID))
				return filter(p, now)
			}
			pair.toA.filter = (p, now) => {
				const id = readU32(p, MESSAGE_ACK_ID)
				if (id !== 0) {
					t.false(named.has(id))
					t.true(sent.has(id))
					named.add(id)
				}
				messages++
				return filter(p, now)
			}
			t.true(pair.run(() => over(pair), 60 * SECOND))
			if (strangers) t.true(named.size > 0.9 * pair.b.blocksReceived, 'each message has its answer')
			else t.true(messages < 0.8 * pair.b.blocksReceived + 60, 'answers are coalesced')
		}
	})
}

test('range 1 never goes back and always ends on a block, data or end', (t) => {
	const pair = new Pair(8, { delay: DELAY, loss: 0.1, jitter: MILLISECOND })
	const there = new Stream(300_000)
	serve(pair, there, new Stream(0))
	const ends = new Set([0])
	let last = 0
	pair.toB.filter = (p) => {
		const flags = readU16(p, MESSAGE_FLAGS)
		const stop = readPosition(p, 0) + (flags & (SUCCESS - 1))
		ends.add(flags >= SUCCESS ? stop + 1 : stop)
		return true
	}
	pair.toA.filter = (p) => {
		const end = readRange1End(p, 0)
		t.true(end >= last && ends.has(end), `${end} after ${last}`)
		last = end
		return true
	}
	t.true(pair.run(() => over(pair), 60 * SECOND))
	t.is(last, 300_001)
})

test('blocks are whole: 1,024 bytes wherever nothing forces less', (t) => {
	const pair = new Pair(9, { delay: DELAY })
	const there = new Stream(1_000_000)
	serve(pair, there, new Stream(0))
	const lengths = new Map<number, number>()
	pair.toB.filter = (p) => {
		const d = readU16(p, MESSAGE_FLAGS) & (SUCCESS - 1)
		lengths.set(d, (lengths.get(d) ?? 0) + 1)
		return true
	}
	t.true(pair.run(() => over(pair), 60 * SECOND))
	t.true((lengths.get(BLOCK_MAX) ?? 0) >= 976)
	t.true(lengths.size <= 3)
})
