// The rule of the addressing page, by itself: who is tried, who is followed, and at what cost.

import test from 'ava'
import { makeSlot, type Slot } from '../../../src/base/slots.ts'
import { SECOND } from '../../../src/base/time.ts'
import { Path } from '../../../src/handshake/path.ts'
import { CANDIDATE_LIFE } from '../../../src/limits.ts'
import { makeGenerator } from '../../support/generator.ts'

const random = makeGenerator(1)

/** A packet of n bytes from a place; the extensions are filled with one value each. */
function from(o: { address?: number, port?: number, local?: number, client?: number,
	server?: number, n?: number } = {}): Slot {
	const slot = makeSlot(new Uint8Array(1216))
	slot.address = o.address ?? 1
	slot.port = o.port ?? 10
	slot.local = o.local ?? 7
	slot.bytes.fill(o.server ?? 5, 8, 24)
	slot.bytes.fill(o.client ?? 6, 24, 40)
	slot.length = o.n ?? 1184
	return slot
}

const MOVES = { address: 2, port: 11, local: 8, client: 9, server: 4 }

for (const [field, value] of Object.entries(MOVES)) {
	test(`another ${field} is answered there, and followed only when that is acknowledged`, (t) => {
		const path = new Path(from(), true, random, 0)
		const there = from({ [field]: value })
		t.false(path.observe(there, 0, 0))
		t.is(path.active.address, 1)
		const room = path.probeRoom(0)
		t.is(room, 1088)
		path.probeSent(41, 64 + 192, 0)
		t.false(path.observe(there, 40, 1), 'the acknowledgment of something else')
		t.false(path.observe(from(), 41, 2), 'the right one, from the old place')
		t.is(path.candidate, undefined, 'a newer packet from the old place ends the trial')
		path.observe(there, 0, 3)
		path.probeSent(42, 256, 3)
		t.false(path.observe(there, 41, 4), 'a probe of the trial before does not count')
		t.true(path.observe(there, 42, 5))
		t.true(path.active.is(there))
		t.is(path.moves, 1)
	})
}

test('a packet to the peer has its extensions the other way round', (t) => {
	const path = new Path(from(), true, random, 0)
	const there = from(MOVES)
	path.observe(there, 0, 0)
	path.probeSent(41, 256, 0)
	t.true(path.observe(there, 41, 1))
	t.true(path.reachedBy(from({ ...MOVES, client: 99 })))
	t.false(path.reachedBy(from({ ...MOVES, server: 99 })))
	const out = makeSlot(new Uint8Array(1216).fill(0xa5))
	path.active.give(out)
	t.deepEqual([out.address, out.port, out.local], [MOVES.address, MOVES.port, MOVES.local])
	const { client, server } = MOVES
	t.deepEqual([...out.bytes.subarray(7, 41)],
		[0xa5, ...new Array<number>(16).fill(client), ...new Array<number>(16).fill(server), 0xa5])
	t.deepEqual([...path.active.theirExtension], new Array<number>(16).fill(client))
})

test('at most three times the bytes received go to a place that has not answered', (t) => {
	const path = new Path(from(), true, random, 0)
	let received = 0
	let sent = 0
	for (let i = 0; i < 200; i++) {
		const now = i * SECOND
		if (i % 3 === 0) {
			path.observe(from({ port: 11, n: 160 }), 0, now)
			received += 160
		}
		const room = path.probeRoom(now)
		if (room > 0) {
			t.true(room >= 192 && room % 16 === 0)
			path.probeSent(i + 1, 64 + room, now)
			sent += 64 + room
		}
		t.true(sent <= 3 * received)
		path.wake(now)
	}
	t.true(sent > received, 'and it is really tried')
})

test('a candidate that stays silent is forgotten', (t) => {
	const path = new Path(from(), true, random, 0)
	path.observe(from({ port: 11 }), 0, 0)
	path.probeSent(1, 256, 0)
	t.true(path.wakeAt() <= CANDIDATE_LIFE)
	path.wake(CANDIDATE_LIFE)
	t.is(path.candidate, undefined)
	t.is(path.wakeAt(), Infinity)
	t.false(path.observe(from({ port: 11 }), 1, CANDIDATE_LIFE + 1))
})

test('a first place is sent little until it answers, and is tried at once', (t) => {
	const path = new Path(from({ n: 608 }), false, random, 0)
	t.true(path.probeRoom(0) >= 192)
	path.probeSent(5, 160, 0)
	t.is(path.target, path.active)
	t.is(path.room, 1088)
	path.sent(64 + 1088)
	t.is(path.room, 0, 'a second whole packet would be too much')
	path.observe(from({ n: 160 }), 4, 1)
	t.is(path.room, 640, 'an acknowledgment of something else proves nothing, but brings bytes')
	path.observe(from({ n: 160 }), 5, 2)
	path.sent(100_000)
	t.is(path.room, 1088)
	t.is(path.wakeAt(), Infinity)
	t.is(path.moves, 0)
})

test('a first place that has not answered is left for any other at once', (t) => {
	const path = new Path(from({ n: 608 }), false, random, 0)
	path.probeSent(5, 160, 0)
	t.false(path.observe(from({ port: 11, n: 160 }), 5, 1))
	t.is(path.active.port, 11)
	t.is(path.room, 0, 'and begins anew')
	path.observe(from({ port: 11, n: 160 }), 5, 2)
	t.is(path.room, 640, 'a probe to the old place says nothing of the new one')
})

test('nobody can guess the ID of a probe', (t) => {
	const path = new Path(from(), true, random, 0)
	const ids = Array.from({ length: 1000 }, () => path.probeId())
	t.is(new Set(ids).size, 1000)
	for (let bit = 0; bit < 32; bit++) {
		const set = ids.filter((id) => ((id >>> bit) & 1) === 1).length
		t.true(set > 400 && set < 600, `bit ${bit}`)
	}
})
