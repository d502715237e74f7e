// What the kernel is asked to drop: nothing in peace, in a flood what looking may not cost, and
// nobody for long.

import test from 'ava'
import { MILLISECOND, NEVER, SECOND, type Nanos } from '../../../src/base/time.ts'
import { lets, PLACES, Sieving } from '../../../src/endpoint/sieve.ts'
import { makeGenerator, type Generator } from '../../support/generator.ts'

const SEED = 1918
/** 16 looks for each answer, a tenth of the processor: 16,000 a second. */
const COST: Nanos = 100_000
const MOST_PER_MS = 16

interface Source { readonly address: number, readonly port: number }

const anybody = (generator: Generator): Source =>
	({ address: generator.below(2 ** 32), port: 1 + generator.below(65_535) })

/** So many Hellos each millisecond, beside traffic; how many were seen in the last second. */
function flood(sieving: Sieving, perMs: number, from: Nanos, until: Nanos): number {
	const generator = makeGenerator(SEED)
	let seen = 0
	for (let now = from; now < until; now += MILLISECOND) {
		for (let i = 0; i < perMs; i++) {
			const { address, port } = anybody(generator)
			if (sieving.sieve !== undefined && !lets(sieving.sieve, address, port)) continue
			sieving.saw('hello')
			if (now >= until - SECOND) seen++
		}
		sieving.took(false, false, now)
	}
	return seen
}

/** Whoever sleeps while everything is dropped asks to be woken, until nothing is any more: when. */
function untilLifted(sieving: Sieving): Nanos {
	let now = sieving.wakeAt()
	for (let at = now; at < NEVER; at = sieving.wakeAt()) {
		now = at
		sieving.took(false, false, now)
	}
	return now
}

test('in peace nothing is dropped, however much is moved', (t) => {
	const sieving = new Sieving(COST, makeGenerator(SEED))
	for (let now = 0; now < 2 * SECOND; now += MILLISECOND) {
		for (let i = 0; i < 1000; i++) sieving.saw(i % 100 === 0 ? 'hello' : 'other')
		sieving.took(true, false, now)
		t.is(sieving.sieve, undefined)
	}
	t.is(sieving.wakeAt(), NEVER)
})

test(`Hellos are looked at as far as that may cost (seed ${SEED})`, (t) => {
	const sieving = new Sieving(COST, makeGenerator(SEED))
	for (const [perMs, from] of [[10, 0], [50, 3], [150, 6], [30, 9]] as const) {
		const seen = flood(sieving, perMs, from * SECOND, (from + 3) * SECOND)
		const due = Math.min(perMs, MOST_PER_MS) * 1000
		t.true(seen > 0.8 * due && seen < 1.2 * due, `${seen} of ${due} at ${perMs} a millisecond`)
	}
})

test(`every source has its turn, and time to ask again in it (seed ${SEED})`, (t) => {
	const sieving = new Sieving(COST, makeGenerator(SEED))
	const generator = makeGenerator(SEED + 1)
	flood(sieving, 50, 0, 3 * SECOND)
	const guests = Array.from({ length: 100 }, () => ({ ...anybody(generator), open: 0 }))
	// At a third of the sources the window is round in three seconds.
	for (let at = 3 * SECOND; at < 7 * SECOND; at += 100 * MILLISECOND) {
		flood(sieving, 50, at, at + 100 * MILLISECOND)
		for (const guest of guests) {
			if (lets(sieving.sieve!, guest.address, guest.port)) guest.open++
		}
	}
	for (const { open } of guests) t.true(open >= 8, `${open} tenths of a second`)
})

test('what is no packet of ours brings the sieve, which lets every Hello pass, and goes', (t) => {
	const sieving = new Sieving(COST, makeGenerator(SEED))
	let now = 0
	for (; now < SECOND / 2; now += MILLISECOND) {
		if (sieving.sieve === undefined) for (let i = 0; i < 100; i++) sieving.saw('garbage')
		sieving.took(false, false, now)
	}
	t.is(sieving.sieve?.width, PLACES)
	const { sieve } = sieving
	for (; now < SECOND; now += MILLISECOND) sieving.took(false, false, now)
	t.is(sieving.sieve, sieve, 'the kernel is not told the same again')
	const lifted = untilLifted(sieving)
	t.true(lifted > now && lifted < 4 * SECOND, `${lifted / SECOND} s`)
})

test(`after a flood all come in again, without a packet that would wake us (seed ${SEED})`, (t) => {
	const sieving = new Sieving(COST, makeGenerator(SEED))
	flood(sieving, 150, 0, 3 * SECOND)
	const lifted = untilLifted(sieving)
	t.true(lifted < 6 * SECOND, `${lifted / SECOND} s`)
})

test('who never rests cannot see all that comes, and narrows all the same', (t) => {
	const sieving = new Sieving(COST, makeGenerator(SEED))
	for (let now = 0; now < 2 * SECOND; now += 5 * MILLISECOND) {
		for (let i = 0; i < 64; i++) sieving.saw(i % 2 === 0 ? 'hello' : 'other')
		sieving.took(true, false, now)
	}
	t.true(sieving.sieve!.width < PLACES / 32, `${sieving.sieve!.width}`)
})
