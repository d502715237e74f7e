import test from 'ava'
import { NONE, PiecePool } from '../../../src/base/pieces.ts'
import { Blocks, RECORD_PIECE_BYTES } from '../../../src/message/blocks.ts'
import { FAILURE, SUCCESS } from '../../../src/message/format.ts'
import { makeGenerator } from '../../support/generator.ts'

interface Known {
	position: number
	wire: number
	id: number
	at: number
	state: 'sent' | 'lost' | 'acked'
	repeated: boolean
}

for (let seed = 1; seed <= 30; seed++) {
	test(`records, lists and skips agree with plain arrays, seed ${seed}`, (t) => {
		const random = makeGenerator(seed)
		const pool = new PiecePool(RECORD_PIECE_BYTES, 64)
		const blocks = new Blocks(pool)
		let known: Known[] = []
		let first = 0
		let position = 0
		let id = 0
		const record = (k: Known): number => blocks.record(first + known.indexOf(k))
		const pick = (state: Known['state']): Known | undefined => {
			const fitting = known.filter((k) => k.state === state)
			return fitting[random.below(Math.max(1, fitting.length))]
		}
		for (let now = 1; now < 1500; now++) {
			const action = random.below(10)
			const sent = pick('sent')
			const lost = pick('lost')
			const any = random.below(2) === 0 ? sent : lost
			if (action < 4 && blocks.canAppend) {
				const d = random.below(1025)
				const wire = d | [0, 0, 0, SUCCESS, FAILURE][random.below(5)]!
				blocks.append(position, wire, ++id, now)
				known.push({ position, wire, id, at: now, state: 'sent', repeated: false })
				position += d
			} else if (action < 6 && sent !== undefined) {
				blocks.lose(record(sent))
				sent.state = 'lost'
			} else if (action < 7 && any !== undefined) {
				blocks.repeat(record(any), ++id, now)
				Object.assign(any, { state: 'sent', id, at: now, repeated: true })
			} else if (any !== undefined) {
				blocks.acknowledge(record(any))
				any.state = 'acked'
				if (random.below(2) === 0) {
					blocks.shift()
					const keep = known.findIndex((k) => k.state !== 'acked')
					const gone = keep < 0 ? known.length : keep
					first += gone
					known = known.slice(gone)
				}
			}
			t.deepEqual([blocks.first, blocks.end], [first, first + known.length])
			const bySend = known.filter((k) => k.state === 'sent').sort((x, y) => x.id - y.id)
			const list: number[] = []
			for (let r = blocks.sentHead; r !== NONE; r = blocks.next(r)) list.push(blocks.id(r))
			t.deepEqual(list, bySend.map((k) => k.id))
			t.is(blocks.sentCount, list.length)
			let lostCount = 0
			for (let r = blocks.lostHead; r !== NONE; r = blocks.next(r)) lostCount++
			t.is(lostCount, known.filter((k) => k.state === 'lost').length)
			const from = random.below(known.length + 1)
			const next = known.findIndex((k, i) => i >= from && k.state !== 'acked')
			t.is(blocks.skipAcked(first + from), first + (next < 0 ? known.length : next))
			const some = known[random.below(Math.max(1, known.length))]
			if (some === undefined) continue
			const r = record(some)
			const ends = some.wire >= SUCCESS
			t.deepEqual([blocks.position(r), blocks.wire(r), blocks.id(r), blocks.sentAt(r)],
				[some.position, some.wire, some.id, some.at])
			t.is(blocks.stop(r), some.position + (some.wire & 2047) + (ends ? 1 : 0))
			t.deepEqual([blocks.isLost(r), blocks.isAcked(r), blocks.isRepeated(r)],
				[some.state === 'lost', some.state === 'acked', some.repeated])
			const found = known.findIndex((k) => k.position >= some.position)
			t.is(blocks.firstFrom(some.position), first + found)
		}
		for (const k of known) if (k.state !== 'acked') blocks.acknowledge(record(k))
		blocks.shift()
		t.is(blocks.count, 0)
		t.is(pool.used, 0)
	})
}
