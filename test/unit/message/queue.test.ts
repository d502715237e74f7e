import test from 'ava'
import { readU32, writeU32 } from '../../../src/base/bytes.ts'
import { PiecePool } from '../../../src/base/pieces.ts'
import { NEVER } from '../../../src/base/time.ts'
import { MessageQueue } from '../../../src/message/queue.ts'
import { makeGenerator } from '../../support/generator.ts'

const ROOM = 1088
const out = new Uint8Array(2048)

function makeQueue(pieces = 16): MessageQueue {
	return new MessageQueue(new PiecePool(16_384, pieces))
}

function message(n: number, fillWith: number, id = 0, ackId = 0): Uint8Array {
	const p = new Uint8Array(n).fill(fillWith)
	writeU32(p, 0, id)
	if (n >= 8) writeU32(p, 4, ackId)
	return p
}

function frame(p: Uint8Array): Uint8Array {
	return Uint8Array.of(p.length / 16, ...p)
}

/** All that waits for the handler. */
function readAll(queue: MessageQueue): Uint8Array {
	const chunks: Uint8Array[] = []
	while (queue.readable > 0) {
		const n = queue.peekLength
		chunks.push(queue.peekBytes.slice(queue.peekAt, queue.peekAt + n))
		queue.consume(n, 0)
	}
	return Buffer.concat(chunks)
}

test('messages reach the handler as frames, and its frames leave as messages', (t) => {
	const queue = makeQueue()
	const p = message(192, 7, 5, 9)
	queue.receive(p, 0, 192, 0)
	t.is(queue.lastAckId, 9)
	t.deepEqual(new Uint8Array(readAll(queue)), frame(p))
	const answer = message(64, 8, 77)
	t.is(queue.write(frame(answer), 0, 65, 0), 65)
	t.is(queue.transmit(out, 3, ROOM, 0), 64)
	t.deepEqual(out.slice(3, 67), answer)
	t.is(queue.transmit(out, 0, ROOM, 0), 0)
	t.is(queue.movedBytes, 256)
	t.is(queue.wakeAt(), NEVER)
})

test('a handler that does not read loses messages, oldest kept, none cut', (t) => {
	const queue = makeQueue()
	for (let i = 0; i < 200; i++) queue.receive(message(1088, i), 0, 1088, 0)
	const kept = 200 - queue.lost
	t.true(kept >= 32 && kept <= 64, `${kept} kept`)
	const bytes = readAll(queue)
	t.is(bytes.length, kept * 1089)
	for (let i = 0; i < kept; i++) {
		t.is(bytes[i * 1089], 68)
		t.is(bytes[i * 1089 + 20], i)
	}
	queue.receive(message(16, 1), 0, 16, 0)
	t.is(readAll(queue).length, 17)
})

test('frames may come in any pieces, model against random cuts', (t) => {
	const seed = 4711
	const { below } = makeGenerator(seed)
	const queue = makeQueue()
	const sent: Uint8Array[] = []
	const stream: number[] = []
	let got = 0
	for (let i = 0; i < 3000; i++) {
		const p = message(16 * (1 + below(68)), i & 255, i + 1)
		sent.push(p)
		stream.push(...frame(p))
		while (stream.length > 0 && (below(4) > 0 || stream.length > 5000)) {
			const cut = Uint8Array.from(stream.slice(0, 1 + below(3000)))
			stream.splice(0, queue.write(cut, 0, cut.length, 0))
			while (below(3) > 0) {
				const n = queue.transmit(out, 0, ROOM, 0)
				if (n === 0) break
				const expected = sent[got++]!
				if (Buffer.compare(out.subarray(0, n), expected) !== 0) {
					return t.fail(`message ${got}, seed ${seed}`)
				}
			}
		}
	}
	t.true(got > 1000)
	t.false(queue.broken)
})

test('what cannot be a message ends it', (t) => {
	for (const units of [0, 69, 128, 255]) {
		const queue = makeQueue()
		queue.write(Uint8Array.of(units), 0, 1, 0)
		t.true(queue.broken, String(units))
		t.is(queue.writable, 0)
	}
	const queue = makeQueue()
	queue.write(Uint8Array.of(68), 0, 1, 0)
	t.false(queue.broken)
})

test('a ping is an empty block with an ID of our own, once', (t) => {
	const queue = makeQueue()
	queue.ping(0)
	out.fill(0xa5)
	t.is(queue.transmit(out, 0, ROOM, 0), 192)
	const id = readU32(out, 0)
	t.true(id >= 0xc0000000)
	t.true(out.subarray(4, 192).every((byte) => byte === 0))
	t.is(queue.transmit(out, 0, ROOM, 0), 0)
})

test('a probe carries the ID that it is given, and never one that a handler chose', (t) => {
	const queue = makeQueue()
	t.is(queue.transmitProbe(out, 0, 192, 0x12345678, 0), 192)
	t.is(readU32(out, 0), 0x12345678)
	t.is(queue.transmitProbe(out, 0, 191, 1, 0), 0)
	queue.write(frame(message(64, 1, 3)), 0, 65, 0)
	queue.end(0)
	t.is(queue.transmitProbe(out, 0, 192, 9, 0), 192, 'last messages may wait for the answer')
	t.is(readU32(out, 0), 9)
	t.is(queue.transmit(out, 0, ROOM, 0), 64)
	t.is(queue.transmitProbe(out, 0, 192, 10, 0), 0)
})

test('when the handler is gone its last messages are sent, and then all is done', (t) => {
	const queue = makeQueue()
	queue.receive(message(64, 1), 0, 64, 0)
	queue.write(frame(message(64, 2, 1)), 0, 65, 0)
	queue.end(0)
	t.is(queue.readable, 0)
	t.false(queue.outgoingDone)
	queue.ping(0)
	t.is(queue.transmit(out, 0, ROOM, 0), 64)
	t.is(queue.transmit(out, 0, ROOM, 0), 0)
	t.true(queue.outgoingDone && queue.incomingDone)
})

test('one piece each way is enough to go on', (t) => {
	const pool = new PiecePool(16_384, 4)
	const [queue, greedy] = [new MessageQueue(pool), new MessageQueue(pool)]
	for (let i = 0; i < 300; i++) greedy.receive(message(1088, 0), 0, 1088, 0)
	for (let i = 0; i < 300; i++) greedy.write(frame(message(1088, 0, 1)), 0, 1089, 0)
	for (let i = 0; i < 200; i++) {
		queue.receive(message(1088, i), 0, 1088, 0)
		t.is(readAll(queue)[500], i)
		t.is(queue.write(frame(message(1088, i, 1)), 0, 1089, 0), 1089)
		t.is(queue.transmit(out, 0, ROOM, 0), 1088)
	}
	t.is(queue.lost, 0)
	queue.release()
	greedy.release()
	t.is(pool.used, 0)
})

test('lengths that carry nothing are taken without harm', (t) => {
	const queue = makeQueue()
	queue.receive(out, 0, 0, 0)
	queue.receive(out, 0, 16, 0)
	t.is(readAll(queue).length, 17)
})
