// What the message layer does when nothing, or not everything, comes through; all in virtual time.

import test from 'ava'
import { readU16, readU32, writeU16 } from '../../../src/base/bytes.ts'
import {
	MESSAGE_ACK_ID, MESSAGE_FLAGS, MESSAGE_GAP56, MESSAGE_ID, readPosition, readRange1End, SUCCESS,
} from '../../../src/message/format.ts'
import { makeMessenger, MILLISECOND, Pair, SECOND, Stream } from './pair.ts'

const DELAY = 10 * MILLISECOND

/** a's program writes the stream and ends it, b's reads it. */
function pour(pair: Pair, stream: Stream): void {
	pair.onStep = () => {
		stream.write(pair.a, pair.now)
		if (stream.written === stream.length) pair.a.end(pair.now)
		stream.readFrom(pair.b, pair.now)
	}
}

/** Times at which blocks of this kind leave a. */
function times(pair: Pair, fits: (flags: number, position: number) => boolean): number[] {
	const found: number[] = []
	const { filter } = pair.toB
	pair.toB.filter = (p, now) => {
		const blocks = readU32(p, MESSAGE_ID) !== 0
		if (blocks && fits(readU16(p, MESSAGE_FLAGS), readPosition(p, 0))) found.push(now)
		return filter(p, now)
	}
	return found
}

test('a lost block in the middle is sent again after one round trip, not after a timeout', (t) => {
	const pair = new Pair(1, { delay: 50 * MILLISECOND })
	const stream = new Stream(50_000)
	pour(pair, stream)
	let lose = true
	pair.toB.filter = (p) => {
		const hit = lose && readPosition(p, 0) === 20_480 && readU32(p, MESSAGE_ID) !== 0
		if (hit) lose = false
		return !hit
	}
	const sent = times(pair, (_flags, position) => position === 20_480)
	t.true(pair.run(() => stream.read === stream.length, 10 * SECOND))
	t.is(sent.length, 2)
	t.true(sent[1]! - sent[0]! < 130 * MILLISECOND, `${(sent[1]! - sent[0]!) / MILLISECOND} ms`)
	t.is(pair.a.retransmissions, 1)
})

test('the lost tail of a stream is probed within two round trips and a little', (t) => {
	const pair = new Pair(2, { delay: 25 * MILLISECOND })
	const stream = new Stream(30_000)
	pour(pair, stream)
	let left = 3
	pair.toB.filter = (p) => !(readPosition(p, 0) >= 27_000 && left-- > 0)
	t.true(pair.run(() => pair.a.outgoingDone, 10 * SECOND))
	t.true(pair.now < 500 * MILLISECOND, `${pair.now / MILLISECOND} ms`)
})

for (const mine of [true, false]) {
	const who = mine ? 'of ours' : 'of the peer'
	test(`after a minute of darkness on the way ${who} the stream goes on within seconds`, (t) => {
		const pair = new Pair(3, { delay: DELAY, rate: 2e6, queue: 60_000 })
		const stream = new Stream(20_000_000)
		pour(pair, stream)
		const dark = mine ? pair.toB : pair.toA
		dark.options = { ...dark.options, blackout: [2 * SECOND, 62 * SECOND] }
		pair.run(() => false, 62 * SECOND)
		const before = stream.read
		t.true(before < 5_000_000)
		t.true(pair.run(() => stream.read > before + 1_000_000, 72 * SECOND), `${stream.read}`)
		t.true(pair.run(() => pair.a.outgoingDone, 90 * SECOND), `${stream.read} read`)
		t.is(stream.wrong, -1)
	})
}

test('the timeouts double up to six seconds and never end', (t) => {
	const pair = new Pair(4, { delay: DELAY })
	const stream = new Stream(500)
	stream.write(pair.a, 0)
	pair.run(() => pair.a.pending === 0, SECOND)
	const from = pair.now
	pair.toB.options = { ...pair.toB.options, loss: 1 }
	const sent = times(pair, () => true)
	pair.a.write(new Uint8Array(10), 0, 10, pair.now)
	pair.run(() => false, from + 120 * SECOND)
	const gaps = sent.slice(1).map((at, i) => Math.round((at - sent[i]!) / MILLISECOND))
	t.true(gaps[0]! >= 10 && gaps[0]! < 100, 'first the tail is probed')
	t.deepEqual(gaps.slice(1, 7), [200, 400, 800, 1600, 3200, 6000])
	t.true(gaps.slice(7).every((gap) => gap === 6000))
	t.true(sent.at(-1)! > from + 110 * SECOND)
})

test('what the handshake has measured sets the first timeouts', (t) => {
	for (const [rtt, first] of [[20, 300], [400, 800]] as const) {
		const pair = new Pair(5, { loss: 1 })
		pair.a.seedRtt(rtt * MILLISECOND, 0)
		const sent = times(pair, () => true)
		pair.a.ping(0)
		pair.run(() => false, 8 * SECOND)
		const gaps = sent.slice(1).map((at, i) => Math.round((at - sent[i]!) / MILLISECOND))
		t.deepEqual(gaps.slice(0, 3), [first, 2 * first, 4 * first])
	}
})

test('a ping is answered at once, gives the round trip, and is not repeated then', (t) => {
	const pair = new Pair(6, { delay: DELAY })
	const sent = times(pair, () => true)
	pair.a.ping(0)
	pair.run(() => false, 10 * SECOND)
	t.is(sent.length, 1)
	t.is(pair.a.rtt, 2 * DELAY)
	t.is(pair.a.rttSamples, 1)
})

test('a probe for another path asks for an answer and takes no data', (t) => {
	const pair = new Pair(7, { delay: DELAY })
	const stream = new Stream(3000)
	stream.write(pair.a, 0)
	const p = new Uint8Array(1200)
	const n = pair.a.transmitProbe(p, 0, 1088, 0xfedcba98, 0)
	t.is(readU16(p, MESSAGE_FLAGS), 0)
	t.is(readU32(p, MESSAGE_ID), 0xfedcba98)
	pair.toB.send(p, n, 0)
	pair.onStep = () => stream.readFrom(pair.b, pair.now)
	let answered = false
	pair.toA.filter = (q) => {
		if (readU32(q, MESSAGE_ACK_ID) === 0xfedcba98) answered = true
		return true
	}
	t.true(pair.run(() => answered, SECOND))
	t.true(pair.run(() => stream.read === 3000, SECOND))
	t.is(pair.a.retransmissions, 0)
})

test('on a new path everything outstanding is sent again at once, with a fresh window', (t) => {
	const pair = new Pair(8, { delay: 100 * MILLISECOND })
	const stream = new Stream(3_000_000)
	pour(pair, stream)
	pair.run(() => stream.read > 500_000, 20 * SECOND)
	pair.toB.flying.length = 0
	pair.a.newPath(pair.now)
	t.is(pair.a.rtt, 0)
	const carried = pair.toB.carried
	pair.drain()
	const sent = pair.toB.carried - carried
	t.true(sent >= 9 && sent <= 11, `${sent} messages`)
	t.is(pair.a.retransmissions, sent)
	t.true(pair.run(() => pair.a.outgoingDone, 60 * SECOND))
	t.is(stream.wrong, -1)
})

test('the end marker is kept until N + 1 is acknowledged: N is not enough', (t) => {
	const a = makeMessenger()
	const p = new Uint8Array(1200)
	a.write(new Uint8Array(100), 0, 100, 0)
	a.end(0)
	t.true(a.transmit(p, 0, 1088, 0) > 0)
	t.is(readU16(p, MESSAGE_FLAGS), 100 + SUCCESS)
	const answer = new Uint8Array(64)
	answer[8] = 100
	a.receive(answer, 0, 64, SECOND / 2)
	t.false(a.outgoingDone)
	a.wake(2 * SECOND)
	t.true(a.transmit(p, 0, 1088, 2 * SECOND) > 0, 'it is sent again')
	t.is(readU16(p, MESSAGE_FLAGS), 100 + SUCCESS)
	answer[8] = 101
	a.receive(answer, 0, 64, 3 * SECOND)
	t.true(a.outgoingDone)
	t.is(a.wakeAt() < 60 * SECOND ? a.transmit(p, 0, 1088, 3 * SECOND) : 0, 0)
})

test('an end that comes again after all was done is acknowledged again', (t) => {
	const pair = new Pair(9, { delay: DELAY })
	const stream = new Stream(1000)
	pour(pair, stream)
	let last = new Uint8Array(0)
	pair.toB.filter = (p) => {
		if ((readU16(p, MESSAGE_FLAGS) & SUCCESS) !== 0) last = p.slice(0, 1088)
		return true
	}
	pair.b.end(0)
	const { a, b } = pair
	pair.run(() => a.outgoingDone && b.outgoingDone && a.incomingDone && b.incomingDone, SECOND)
	pair.run(() => false, 5 * SECOND)
	for (const id of [77, 78]) {
		last[0] = id
		b.receive(last, 0, 1072, pair.now)
		const answer = new Uint8Array(1200)
		t.true(b.transmit(answer, 0, 1088, pair.now) > 0)
		t.is(readU32(answer, MESSAGE_ID), 0)
		t.is(readRange1End(answer, 0), 1001)
	}
})

test('who no longer reads still lets the peer end', (t) => {
	const pair = new Pair(10, { delay: DELAY, loss: 0.05 }, {}, { receiveBytes: 65536 })
	const stream = new Stream(500_000)
	pair.onStep = () => {
		stream.write(pair.a, pair.now)
		if (stream.written === stream.length) pair.a.end(pair.now)
		if (pair.now > SECOND) pair.b.discardIncoming(pair.now)
	}
	pair.tick = SECOND
	t.true(pair.run(() => pair.a.outgoingDone, 60 * SECOND))
	t.is(pair.b.readable, 0)
	t.is(pair.b.incomingEnd, 'success')
})

test('a stranger that fell asleep over a lost block is nudged, but not for ever', (t) => {
	const b = makeMessenger()
	const p = new Uint8Array(1200)
	// One block that leaves a gap before it, from a peer without our mark.
	p[0] = 5
	writeU16(p, MESSAGE_FLAGS, 100)
	p[41] = 4
	b.receive(p, 0, 576, 0)
	const sent: number[] = []
	for (let now = 0; now < 200 * SECOND; now = Math.max(now + 1, b.wakeAt())) {
		b.wake(now)
		while (b.transmit(p, 0, 1088, now) > 0) sent.push(now)
		if (b.wakeAt() === Infinity) break
	}
	t.is(sent[0], 0, 'the acknowledgment')
	t.true(sent.filter((at) => at > 0 && at < 3.1 * SECOND).length >= 9)
	t.true(sent.length < 30)
	t.is(b.wakeAt(), Infinity)
})

test('reordering that looked like loss is learnt, and costs the window nothing', (t) => {
	const pair = new Pair(12, { delay: 20 * MILLISECOND, jitter: 8 * MILLISECOND, rate: 4e6 })
	const stream = new Stream(8_000_000)
	pour(pair, stream)
	t.true(pair.run(() => pair.a.outgoingDone, 60 * SECOND))
	t.is(stream.wrong, -1)
	t.true(pair.a.retransmissions < 400, `${pair.a.retransmissions} of ${pair.a.blocksSent}`)
	t.true(pair.now < 5 * SECOND, `${pair.now / SECOND} s`)
})

test('the mark survives no stranger: whoever does not carry it is treated with care', (t) => {
	const pair = new Pair(13, { delay: DELAY })
	pair.toA.filter = (p) => {
		writeU16(p, MESSAGE_GAP56, 0)
		return true
	}
	const stream = new Stream(100_000)
	pour(pair, stream)
	t.true(pair.run(() => pair.a.outgoingDone, 10 * SECOND))
	t.false(pair.a.peerIsOurs)
	t.true(pair.b.peerIsOurs)
})
