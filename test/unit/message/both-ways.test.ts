// The restraint toward reference peers that send as much as they receive, by itself. That it keeps
// a real one alive is shown by test/interop/client.test.ts.

import test from 'ava'
import { SECOND } from '../../../src/base/time.ts'
import { BothWays } from '../../../src/message/both-ways.ts'

test('a peer that answers in small blocks is sent as much as it takes', (t) => {
	const both = new BothWays()
	for (let i = 0; i < 100; i++) both.took(1000, i * 1000, i * 100_000, i)
	t.is(both.limit, Infinity)
	t.is(both.wakeAt(), Infinity)
})

test('a peer in bulk is led by what was on its way when it began, and no further', (t) => {
	const both = new BothWays()
	both.took(1024, 1024, 41_024, 0)
	t.is(both.limit, 41_024 + 65_536)
	both.took(1024, 2048, 100_000, 1)
	t.is(both.limit, 42_048 + 65_536)
	both.took(500, 2548, 100_000, 2)
	t.is(both.limit, 42_548 + 65_536, 'a short block moves it too')
})

test('it ends with the bulk, and with the stream', (t) => {
	const both = new BothWays()
	both.took(1024, 1024, 0, SECOND)
	both.wake(4 * SECOND - 1)
	t.not(both.limit, Infinity)
	t.is(both.wakeAt(), 4 * SECOND)
	both.wake(4 * SECOND)
	t.is(both.limit, Infinity)
	both.took(1024, 2048, 0, 5 * SECOND)
	both.end()
	t.is(both.limit, Infinity)
})
