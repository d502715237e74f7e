import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { toHex } from '../../../../src/base/hex.ts'
import { Trouble } from '../../../../src/platform/trouble.ts'
import { changeSlots, readSlots } from '../../../../src/service/firmware/slot-store.ts'
import {
	choose, COPIES_AT, decodeState, encodeState, forbid, markGood, newestOf, otherSlot, startOf,
	STATE_BYTES, tryOther, type SlotName, type SlotState,
} from '../../../../src/service/firmware/slots.ts'
import { makeGenerator } from '../../../support/generator.ts'
import { makeFolder } from '../../../support/processes.ts'

const FRESH: SlotState = { sequence: 1, slot: 'a', tries: { a: 3, b: 0 } }
const NOTHING = new Uint8Array(STATE_BYTES)

test('the form is byte for byte what U-Boot writes', (t) => {
	// Recorded from Debian's u-boot-qemu 2023.01 running slot.cmd: md.b of text and sum.
	const bytes = encodeState({ sequence: 1, slot: 'a', tries: { a: 2, b: 3 } })
	t.is(toHex(bytes.subarray(508)), 'fd0c44e0')
	t.is(new TextDecoder().decode(bytes.subarray(0, 80)), 'curvegate_sequence=1\ncurvegate_slot=a\n'
		+ 'curvegate_tries_a=2\ncurvegate_tries_b=3\n\0\0')
	t.true(bytes.subarray(78, 508).every((byte) => byte === 0))
})

test('what was written is read back; numbers are hexadecimal', (t) => {
	const state: SlotState = { sequence: 0xfffe, slot: 'b', tries: { a: 0, b: 10 } }
	t.deepEqual(decodeState(encodeState(state)), state)
	t.regex(new TextDecoder().decode(encodeState(state)), /sequence=fffe\n.*tries_b=a\n/s)
})

test('no flipped bit, no cut, no other text is taken for a state', (t) => {
	const bytes = encodeState(FRESH)
	for (let bit = 0; bit < 8 * STATE_BYTES; bit++) {
		bytes[bit >> 3]! ^= 1 << (bit & 7)
		t.is(decodeState(bytes), undefined)
		bytes[bit >> 3]! ^= 1 << (bit & 7)
	}
	for (let n = 0; n < STATE_BYTES; n++) t.is(decodeState(bytes.subarray(0, n)), undefined)
	t.is(decodeState(NOTHING), undefined)
	t.is(decodeState(NOTHING.map(() => 0xff)), undefined)
})

test('of two valid copies the newer counts, and the other is written next', (t) => {
	const old = encodeState(FRESH)
	const fresh = encodeState({ ...FRESH, sequence: 2, slot: 'b' })
	t.like(newestOf(old, fresh), { state: { slot: 'b' }, next: 0 })
	t.like(newestOf(fresh, old), { state: { slot: 'b' }, next: 1 })
	t.like(newestOf(old, NOTHING), { state: { slot: 'a' }, next: 1 })
	t.like(newestOf(NOTHING, fresh), { state: { slot: 'b' }, next: 0 })
	t.deepEqual(newestOf(NOTHING, NOTHING).state, { sequence: 0, slot: 'a', tries: { a: 0, b: 0 } })
})

test('a good slot fails three times, then the other is started; never none', (t) => {
	let state: SlotState = { sequence: 9, slot: 'a', tries: { a: 3, b: 3 } }
	const starts = Array.from({ length: 12 }, () => {
		const { start, left } = choose(state)
		state = left
		return start
	})
	t.is(starts.join(''), 'aaabbbaaabbb')
})

test('an update is tried once: good, it stays; not good, the old slot comes back', (t) => {
	const installed = tryOther(forbid(markGood(choose(FRESH).left, 'a'), 'b'), 'a')
	const trial = choose(installed)
	t.is(trial.start, 'b')
	t.is(startOf(trial.left, 'b'), 'trial')

	const good = choose(markGood(trial.left, 'b'))
	t.is(good.start, 'b')
	t.is(startOf(good.left, 'b'), 'normal')

	const bad = choose(trial.left)
	t.is(bad.start, 'a')
	t.is(startOf(bad.left, 'a'), 'rolled-back')
	const settled = choose(markGood(bad.left, 'a'))
	t.is(settled.start, 'a')
	t.is(startOf(settled.left, 'a'), 'normal')
})

test('a slot that is being written is not started, wherever the power fails', (t) => {
	let state = forbid(markGood({ ...FRESH, tries: { a: 1, b: 3 } }, 'a'), 'b')
	for (let i = 0; i < 3; i++) {
		const { start, left } = choose(state)
		t.is(start, 'a')
		state = left
	}
})

test('random histories: a good slot is there, and only failures lead away from it', (t) => {
	const seed = Number(process.env['SEED'] ?? 6)
	t.log(`seed ${seed}`)
	const random = makeGenerator(seed)
	for (let history = 0; history < 500; history++) {
		let state = FRESH
		const works: Record<SlotName, boolean> = { a: true, b: false }
		let last: SlotName = 'a'
		for (let i = 0; i < 20; i++) {
			const { start, left } = choose(state)
			t.true(left.sequence > state.sequence)
			state = left
			if (!works[start]) continue
			state = markGood(state, start)
			last = start
			if (random.below(2) === 0) continue
			const other = otherSlot(start)
			works[other] = random.below(2) === 0
			state = tryOther(forbid(state, other), start)
		}
		// At most one trial of a broken slot lies between now and one that works.
		const first = choose(state)
		const second = choose(first.left)
		t.true(works[first.start] || works[second.start], `last good ${last}`)
	}
})

function stateFile(t: ExecutionContext, state: SlotState): string {
	const path = join(makeFolder(t), 'state')
	writeFileSync(path, encodeState(state))
	truncateSync(path, 1 << 20)
	return path
}

test('a change goes to the copy that does not count, in turn', (t) => {
	const path = stateFile(t, FRESH)
	const copies = (): (number | undefined)[] => COPIES_AT.map((at) =>
		decodeState(readFileSync(path).subarray(at, at + STATE_BYTES))?.sequence)
	t.deepEqual(copies(), [1, undefined])
	t.is(changeSlots(path, (state) => markGood(state, 'a')).sequence, 2)
	t.deepEqual(copies(), [1, 2])
	changeSlots(path, (state) => tryOther(state, 'a'))
	t.deepEqual(copies(), [3, 2])
	t.deepEqual(readSlots(path).tries, { a: 3, b: 1 })
})

test('a write that is cut anywhere leaves the state before it', (t) => {
	const path = stateFile(t, FRESH)
	const before = readFileSync(path)
	const after = encodeState(changeSlots(path, (state) => tryOther(state, 'a')))
	for (let n = 0; n < STATE_BYTES - 4; n++) {
		const torn = Buffer.from(before)
		torn.set(after.subarray(0, n), COPIES_AT[1])
		const { state } = newestOf(torn.subarray(0, STATE_BYTES),
			torn.subarray(COPIES_AT[1], COPIES_AT[1] + STATE_BYTES))
		t.deepEqual(state, FRESH)
	}
})

test('a state that cannot be read is named', (t) => {
	const error = t.throws(() => readSlots('/nowhere/state'), { instanceOf: Trouble })
	t.is(error.message, 'unable to read the slot state on /nowhere/state: no such file or folder')
})
