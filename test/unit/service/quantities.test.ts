import test from 'ava'
import { MILLISECOND, NEVER, SECOND } from '../../../src/base/time.ts'
import {
	formatDuration, formatSize, readDuration, readSize,
} from '../../../src/service/quantities.ts'
import { Wrong } from '../../../src/service/wrong.ts'
import { makeGenerator } from '../../support/generator.ts'

const ANY = { never: true, zero: true }

test('durations: every unit, fractions, never', (t) => {
	const table: readonly (readonly [string, number])[] = [
		['500ms', 500 * MILLISECOND], ['60s', 60 * SECOND], ['1.5s', 1500 * MILLISECOND],
		['5m', 300 * SECOND], ['8h', 28_800 * SECOND], ['1d', 86_400 * SECOND], ['never', NEVER],
		['0s', 0], ['0.001ms', 1000],
	]
	for (const [text, nanos] of table) t.is(readDuration(text, ANY), nanos, text)
})

test('durations that are none', (t) => {
	for (const text of ['', '60', 's', '-1s', '1e3s', '60 s', '60S', '1h30m', 'Never', '101d', '∞']) {
		t.true(readDuration(text, ANY) instanceof Wrong, text)
	}
	t.true(readDuration('0s', { never: true, zero: false }) instanceof Wrong)
	t.true(readDuration('never', { never: false, zero: true }) instanceof Wrong)
})

test('a duration that is written reads back as the same', (t) => {
	const seed = 20_260_803
	const { below } = makeGenerator(seed)
	for (let i = 0; i < 2000; i++) {
		const nanos = below(100 * 86_400) * SECOND + below(1000) * MILLISECOND
		t.is(readDuration(formatDuration(nanos), ANY), nanos, `seed ${seed}`)
	}
	t.is(formatDuration(NEVER), 'never')
	t.is(formatDuration(90 * SECOND), '90s')
	t.is(formatDuration(120 * SECOND), '2m')
})

test('sizes', (t) => {
	const table: readonly (readonly [string, number])[] = [
		['48M', 48 * 2 ** 20], ['512K', 2 ** 19], ['1G', 2 ** 30], ['1.5G', 1.5 * 2 ** 30],
		['48MiB', 48 * 2 ** 20], ['48MB', 48 * 2 ** 20],
	]
	for (const [text, bytes] of table) t.is(readSize(text), bytes, text)
	for (const text of ['', '48', 'M', '-1M', '0M', '48 M', '48m', '1T', '1e3M']) {
		t.true(readSize(text) instanceof Wrong, text)
	}
	t.deepEqual([0, 1, 2 ** 20, 2 ** 20 + 1, 5 * 2 ** 29].map(formatSize),
		['0K', '0.1K', '1M', '1.1M', '2.5G'])
})
