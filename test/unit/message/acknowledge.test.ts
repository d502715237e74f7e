// What the peer hears of what arrived: seen from a peer that keeps its own books.

import test from 'ava'
import { fill, readU32, writeU16, writeU32, type Bytes } from '../../../src/base/bytes.ts'
import { MILLISECOND, NEVER } from '../../../src/base/time.ts'
import {
	MESSAGE_ACK_ID, MESSAGE_FLAGS, MESSAGE_GAP56, MESSAGE_POSITION, readGap, readLength,
	readRange1End, SUCCESS,
} from '../../../src/message/format.ts'
import type { Messenger } from '../../../src/message/messenger.ts'
import { makeGenerator } from '../../support/generator.ts'
import { makeMessenger } from './pair.ts'

const BLOCK = 1024

/** Block number i of a stream, with its number + 1 as ID. */
function block(p: Bytes, i: number, ours: boolean, end = false): number {
	fill(p, 0, 48, 0)
	writeU32(p, 0, i + 1)
	if (ours) writeU16(p, MESSAGE_GAP56, 1000)
	writeU16(p, MESSAGE_FLAGS, BLOCK + (end ? SUCCESS : 0))
	writeU32(p, MESSAGE_POSITION, i * BLOCK)
	return 48 + BLOCK
}

interface Heard {
	id: number
	ranges: (readonly [start: number, stop: number])[]
}

/** All that the messenger says now. */
function drain(messenger: Messenger, now: number): Heard[] {
	const p = new Uint8Array(1200)
	const heard: Heard[] = []
	while (messenger.transmit(p, 0, 1088, now) > 0) {
		let stop = readRange1End(p, 0)
		const ranges: [number, number][] = [[0, stop]]
		for (let k = 2; k <= 6; k++) {
			const start = stop + readGap(p, 0, k)
			stop = start + readLength(p, 0, k)
			if (stop > start) ranges.push([start, stop])
		}
		heard.push({ id: readU32(p, MESSAGE_ACK_ID), ranges })
	}
	return heard
}

function covers(heard: Heard, i: number): boolean {
	return heard.ranges.some(([start, stop]) => start <= i * BLOCK && stop >= (i + 1) * BLOCK)
}

for (let seed = 1; seed <= 20; seed++) {
	test(`each of the blocks that arrive at once is said at once, seed ${seed}`, (t) => {
		const random = makeGenerator(seed)
		const messenger = makeMessenger()
		const p = new Uint8Array(1200)
		const came = new Set<number>()
		let now = 0
		const said = new Set<number>()
		for (let turn = 0; turn < 40; turn++) {
			now += MILLISECOND
			// At two places far apart, as when old blocks fill gaps while new ones arrive.
			for (let k = 0; k < 12; k++) {
				const i = (random.below(2) === 0 ? 1 : 400) + random.below(300)
				messenger.receive(p, 0, block(p, i, true), now)
				came.add(i)
			}
			now += 2 * MILLISECOND
			messenger.wake(now)
			for (const heard of drain(messenger, now)) {
				for (const i of came) if (covers(heard, i)) said.add(i)
				for (const [start, stop] of heard.ranges) {
					t.true(start % BLOCK === 0 && stop % BLOCK === 0, 'on block boundaries')
					for (let i = start / BLOCK; i < stop / BLOCK; i++) t.true(came.has(i), `${i}`)
				}
			}
			t.deepEqual([...came].filter((i) => !said.has(i)), [])
		}
	})

	test(`to a stranger no ID of a block that a range had covered is named, seed ${seed}`, (t) => {
		const random = makeGenerator(seed)
		const messenger = makeMessenger()
		const p = new Uint8Array(1200)
		// The reference's books: blocks that a later range has covered, as long as range 1 does not.
		const covered = new Set<number>()
		const idOf = new Map<number, number>()
		let id = 0
		let now = 0
		for (let turn = 0; turn < 200; turn++) {
			now += MILLISECOND
			for (let k = random.below(6); k >= 0; k--) {
				const i = random.below(60)
				const n = block(p, i, false)
				writeU32(p, 0, ++id)
				idOf.set(id, i)
				messenger.receive(p, 0, n, now)
			}
			for (const heard of drain(messenger, now)) {
				const named = idOf.get(heard.id)
				const front = heard.ranges[0]![1]
				if (named !== undefined && named * BLOCK >= front) t.false(covered.has(named), `${named}`)
				for (let i = 0; i < 60; i++) if (covers(heard, i)) covered.add(i)
			}
		}
		t.is(covered.size, 60)
	})
}

test('an early end: to our own a later range covers it, to a stranger only range 1 does', (t) => {
	for (const ours of [true, false]) {
		const messenger = makeMessenger()
		const p = new Uint8Array(1200)
		messenger.receive(p, 0, block(p, 2, ours, true), 0)
		const [first] = drain(messenger, 0)
		t.deepEqual(first!.ranges, ours ? [[0, 0], [2 * BLOCK, 3 * BLOCK + 1]] : [[0, 0]])
		for (const i of [0, 1]) messenger.receive(p, 0, block(p, i, ours), 0)
		const last = drain(messenger, 0).at(-1)
		t.deepEqual(last!.ranges, [[0, 3 * BLOCK + 1]])
	}
})

test('a message without ID is not answered, but its data is taken', (t) => {
	const messenger = makeMessenger()
	const p = new Uint8Array(1200)
	const n = block(p, 0, false)
	writeU32(p, 0, 0)
	messenger.receive(p, 0, n, 0)
	t.is(messenger.readable, BLOCK)
	t.deepEqual(drain(messenger, 0), [])
})

test('reserved bits, and more data than a block has, are refused without a word', (t) => {
	const messenger = makeMessenger()
	const p = new Uint8Array(1200)
	for (const flags of [8192, 16384, 32768, 1025, 1024 + 8192, 2047]) {
		const n = block(p, 0, false)
		writeU16(p, MESSAGE_FLAGS, flags)
		messenger.receive(p, 0, n, 0)
	}
	t.is(messenger.readable, 0)
	t.deepEqual(drain(messenger, 0), [])
})

test('a quiet peer of ours is answered within a millisecond, a busy one after some blocks', (t) => {
	const messenger = makeMessenger({ receiveBytes: 1 << 23 })
	const p = new Uint8Array(1200)
	let now = 0
	let answers = 0
	let i = 0
	const arrive = (count: number, pause: number): void => {
		for (let k = 0; k < count; k++) {
			now += pause
			messenger.wake(now)
			messenger.receive(p, 0, block(p, i++, true), now)
			answers += drain(messenger, now).length
		}
	}
	arrive(8, MILLISECOND)
	t.is(answers, 8, 'the first are answered each')
	answers = 0
	arrive(1, MILLISECOND)
	t.is(answers, 0)
	t.is(messenger.wakeAt(), now + MILLISECOND)
	arrive(20, 10 * MILLISECOND)
	answers += drain(messenger, now).length
	t.true(answers >= 9 && answers <= 21)
	arrive(1000, MILLISECOND / 200)
	answers = 0
	arrive(3200, MILLISECOND / 200)
	t.true(answers <= 3200 / 16 && answers >= 3200 / 64, `${answers} answers to 3200 blocks`)
})

test('nothing to say, nothing to wake for', (t) => {
	const messenger = makeMessenger()
	drain(messenger, 0)
	t.is(messenger.wakeAt(), NEVER)
})
