import test from 'ava'
import { MILLISECOND, Pair, SECOND, Stream, type LinkOptions } from './pair.ts'

function transfer(seed: number, link: LinkOptions, bytes: number, until = 600 * SECOND) {
	const pair = new Pair(seed, link)
	const there = new Stream(bytes, 7)
	const back = new Stream(bytes >> 1, 99)
	pair.onStep = () => {
		there.write(pair.a, pair.now)
		back.write(pair.b, pair.now)
		if (there.written === there.length) pair.a.end(pair.now)
		if (back.written === back.length) pair.b.end(pair.now)
		there.readFrom(pair.b, pair.now)
		back.readFrom(pair.a, pair.now)
	}
	const { a, b } = pair
	const done = pair.run(() => a.outgoingDone && b.outgoingDone && a.incomingDone && b.incomingDone, until)
	return { pair, there, back, done }
}

const links: Record<string, LinkOptions> = {
	'a perfect path': { delay: 5 * MILLISECOND },
	'no delay at all': {},
	'5 % loss': { delay: 25 * MILLISECOND, loss: 0.05 },
	'30 % loss': { delay: 5 * MILLISECOND, loss: 0.3 },
	'reordering': { delay: 5 * MILLISECOND, jitter: 20 * MILLISECOND },
	'repetition': { delay: 5 * MILLISECOND, repeat: 0.2 },
	'everything at once': {
		delay: 5 * MILLISECOND, jitter: 5 * MILLISECOND, loss: 0.1, repeat: 0.1, rate: 1e6, queue: 32768,
	},
}

for (const [name, link] of Object.entries(links)) {
	for (const seed of [1, 2, 3]) {
		test(`both streams arrive whole over ${name}, seed ${seed}`, (t) => {
			const { pair, there, back, done } = transfer(seed, link, 300_000)
			t.log(`${(pair.now / SECOND).toFixed(2)} s, ${pair.a.retransmissions} + ${pair.b.retransmissions} again of ${pair.a.blocksSent}`)
			t.true(done, `${there.read} of ${there.length}, ${back.read} of ${back.length}`)
			t.is(there.wrong, -1)
			t.is(back.wrong, -1)
			t.is(there.read, there.length)
			t.is(back.read, back.length)
			t.is(pair.b.incomingEnd, 'success')
			t.is(pair.a.incomingEnd, 'success')
		})
	}
}
