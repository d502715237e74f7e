// The power goes while the configuration is changed over the serial line: what was confirmed is
// there, what was not is there whole or not at all, and the keys stay.

import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { drainOf, firmware, setDrain, Bench } from '../support/firmware.ts'
import { makeGenerator, type Generator } from '../support/generator.ts'
import type { Machine } from '../support/machine.ts'

const CUTS = 10
const CARDS = 2
/** Of the time that one change takes: the cuts fall before, in and between several of them. */
const CUT_WITHIN_CHANGES = 3

for (let card = 1; card <= CARDS; card++) {
	firmware()(`changes over the serial line survive ${CUTS} power cuts (card ${card})`, survive)
}

async function survive(t: ExecutionContext): Promise<void> {
	const seed = randomBytes(4).readUInt32LE()
	console.log(`power cuts: seed ${seed}`)
	const random = makeGenerator(seed)
	const bench = new Bench(t)
	let known = { confirmed: 0, tried: 0 }
	let changes = 0
	const keys = new Set<unknown>()
	for (let cut = 0; cut <= CUTS; cut++) {
		const machine = bench.power()
		const found = await drainOf(machine)
		const { confirmed, tried } = known
		t.true(found === confirmed || found === tried,
			`seed ${seed}, cut ${cut}: ${found}, answered ${confirmed}, asked for ${tried}`)
		keys.add(JSON.stringify(await machine.ask('keys')))
		if (cut === CUTS) break
		known = await cutWhileChanging(machine, found, random)
		changes += known.confirmed - found
	}
	t.is(keys.size, 1)
	t.true(changes >= CUTS)
	t.log(`${changes} changes were confirmed before the cuts`)
}

/** The first change in peace, which tells how long one takes here; the cut during the next ones. */
async function cutWhileChanging(
	machine: Machine, from: number, random: Generator,
): Promise<{ confirmed: number, tried: number }> {
	const known = { confirmed: from, tried: from }
	const change = async (): Promise<void> => {
		known.tried++
		await setDrain(machine, known.tried)
		known.confirmed = known.tried
	}
	const started = performance.now()
	await change()
	const each = performance.now() - started
	const changing = (async () => {
		for (;;) await change()
	})()
	const gone = changing.catch(() => undefined)
	await Promise.race([gone, pause(random.below(Math.ceil(each * CUT_WITHIN_CHANGES)))])
	await machine.cutPower()
	await gone
	return known
}
