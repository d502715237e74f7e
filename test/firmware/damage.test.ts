// Damaged data: the box comes back, and says what has happened.

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { drainOf, firmware, setDrain, untilLogged, Bench } from '../support/firmware.ts'
import { makeFolder } from '../support/processes.ts'

firmware('debugfs')('a damaged configuration: the last good one runs, and is said', async (t) => {
	const bench = new Bench(t)
	const machine = bench.power()
	await untilLogged(machine, 'configuration-kept')
	await setDrain(machine, 7)
	await untilLogged(machine, 'configuration-kept', 2)
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
	await setDrain(again, 7)
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
