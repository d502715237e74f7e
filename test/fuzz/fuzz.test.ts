// A short run of every fuzz target from a fixed seed; `make fuzz` runs longer, from a fresh one.

import test from 'ava'
import { chooseSeed } from '../sim/rng.ts'
import { describe, Run } from './run.ts'
import { expect, TARGETS, type Target } from './targets.ts'

const INPUTS = 5000

for (const target of TARGETS) {
	test(`${target.name}: damaged input is refused or understood, never more`, (t) => {
		const run = new Run(target, chooseSeed((line) => t.log(line), 20110221))
		t.notThrows(() => run.go(INPUTS))
		t.log(describe(run.outcomes))
		t.true(run.outcomes.size > 1, 'inputs have different fates')
	})
}

test('a target that breaks is reported with seed, number and input', (t) => {
	const target: Target = {
		name: 'sample',
		corpus: [Uint8Array.of(1, 2, 3, 4)],
		start: () => (_, n) => {
			expect(n !== 3, 'three')
			return 'fine'
		},
	}
	const run = new Run(target, 5)
	const error = t.throws(() => run.go(10_000))
	t.regex(error.message, /^sample, seed 5, input \d+: Error: three\n[0-9a-f]{6}$/)
	const again = new Run(target, 5)
	t.notThrows(() => again.go(run.inputs - 1))
	t.is(t.throws(() => again.go(1)).message, error.message)
})
