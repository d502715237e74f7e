// Power cuts and damaged data: the box comes back, and says what has happened.

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { firmware, Bench } from '../support/firmware.ts'
import { makeGenerator } from '../support/generator.ts'
import type { Machine } from '../support/machine.ts'
import { makeFolder } from '../support/processes.ts'

const CUTS = 5
const ROUNDS = 4
/** A change takes some 100 ms there: so the cuts fall before, in and between several of them. */
const CUT_WITHIN_MS = 1500
/** Two beats. */
const KEPT_AFTER_MS = 9000

async function drainOf(machine: Machine): Promise<number> {
	const { text } = await machine.ask<{ text: string }>('config', { action: 'show' })
	return Number(/drain = "(\d+)s"/.exec(text)?.[1] ?? 0)
}

for (let round = 1; round <= ROUNDS; round++) {
	const title = `a change over the serial line survives ${CUTS} power cuts (${round} of ${ROUNDS})`
	firmware()(title, survive)
}

async function survive(t: ExecutionContext): Promise<void> {
	const seed = randomBytes(4).readUInt32LE()
	console.log(`# power cuts: seed ${seed}`)
	const random = makeGenerator(seed)
	const bench = new Bench(t)
	let confirmed = 0
	let tried = 0
	const keys = new Set<unknown>()
	for (let cut = 0; cut <= CUTS; cut++) {
		const machine = bench.power()
		const found = await drainOf(machine)
		t.true(found === confirmed || found === tried,
			`seed ${seed}, cut ${cut}: ${found}, answered ${confirmed}, asked for ${tried}`)
		confirmed = found
		keys.add(JSON.stringify(await machine.ask('keys')))
		const changing = (async () => {
			for (;;) {
				tried++
				await machine.ask('config', { action: 'set', key: 'limits.drain', value: `"${tried}s"` })
				await machine.ask('config', { action: 'save' })
				confirmed = tried
			}
		})()
		const gone = changing.catch(() => undefined)
		await Promise.race([gone, pause(random.below(CUT_WITHIN_MS))])
		await machine.cutPower()
		await gone
	}
	t.is(keys.size, 1)
	t.true(confirmed > 0, 'not one change came through')
}

firmware('debugfs')('a damaged configuration: the last good one runs, and is said', async (t) => {
	const bench = new Bench(t)
	const machine = bench.power()
	await machine.ask('config', { action: 'set', key: 'limits.drain', value: '"7s"' })
	await machine.ask('config', { action: 'save' })
	// The next sign of life keeps it.
	await pause(KEPT_AFTER_MS)
	await machine.ask('reboot')
	await machine.ended()
	const bad = join(makeFolder(t), 'bad.toml')
	writeFileSync(bad, 'schema = 1\n[limits]\ndrian = 7\n')
	bench.disk.editData('rm curvegate.toml', `write ${bad} curvegate.toml`)

	const again = bench.power()
	await again.until(/ATTENTION: .*curvegate\.toml:3:1: unknown key 'drian'/)
	await again.until(/ATTENTION: the last good configuration is used/)
	t.is(await drainOf(again), 7)
})

firmware()('a destroyed data partition: said, and the box can be repaired', async (t) => {
	const bench = new Bench(t)
	// All of it: from a spare superblock the file system would be repaired.
	bench.disk.write('data', randomBytes(bench.disk.read('data').length))
	const machine = bench.power()
	await machine.until(/ATTENTION: the data partition is broken/)
	await machine.ask('status')
	await machine.ask('factory-reset', { confirm: 'erase' })
	await machine.ended()
	const again = bench.power()
	await again.ask('config', { action: 'set', key: 'limits.drain', value: '"7s"' })
	await again.ask('config', { action: 'save' })
	await again.cutPower()
	t.is(await drainOf(bench.power()), 7)
})

firmware('debugfs')('a full data partition: said, and the box serves', async (t) => {
	const bench = new Bench(t)
	const filler = join(makeFolder(t), 'filler')
	writeFileSync(filler, Buffer.alloc(64 << 20, 0x5a))
	bench.disk.editData(`write ${filler} filler`)
	const machine = bench.power()
	await machine.until(/ATTENTION: .*no space left/)
	await machine.ask('status')
	t.pass()
})
