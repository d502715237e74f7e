// Two slots: a new version is tried once, and the old one comes back when it does not answer.

import { randomBytes } from 'node:crypto'
import { markGood, tryOther } from '../../src/service/firmware/slots.ts'
import { firmware, Bench } from '../support/firmware.ts'

/** Slot b as an update would leave it, its root changed. */
function install(bench: Bench, change: (root: Buffer) => void): void {
	const { disk } = bench
	const root = disk.read('root_a')
	change(root)
	disk.write('boot_b', disk.read('boot_a'))
	disk.write('root_b', root)
	disk.changeSlots((state) => tryOther(markGood(state, 'a'), 'a'))
}

firmware()('a new version that works is tried once and stays', async (t) => {
	const bench = new Bench(t)
	install(bench, () => undefined)
	const machine = bench.power()
	await machine.until(/slot b, preferred b, tries left 3 and 0/)
	await machine.ask('status')
	await machine.ask('reboot')
	await machine.ended()
	t.like(bench.disk.slots, { slot: 'b', tries: { a: 3, b: 3 } })
	const again = bench.power()
	await again.until(/slot b, preferred b, tries left 3 and 2/)
	await again.ask('status')
})

firmware()('a version whose root is no file system: the old one comes back', async (t) => {
	const bench = new Bench(t)
	install(bench, (root) => root.fill(0, 0, 4096))
	const machine = bench.power()
	await machine.until(/the root of slot b on \/dev\/vda6 cannot be mounted/)
	await machine.ended()
	const back = bench.power()
	await back.until(/slot a, preferred b, tries left 2 and 0/)
	const { lines } = await back.ask<{ lines: readonly string[] }>('log')
	t.true(lines.some((line) => line.includes('rolled-back from=b to=a')))
	await back.cutPower()
	t.like(bench.disk.slots, { slot: 'a', tries: { a: 3, b: 0 } })
})

firmware()('a version whose program does not start: the old one comes back', async (t) => {
	const bench = new Bench(t)
	// In the middle lies Node, by far the largest file.
	install(bench, (root) => {
		const used = Number(root.readBigUInt64LE(40))
		for (let at = used >> 2; at < used >> 1; at += 1 << 16) randomBytes(2048).copy(root, at)
	})
	const machine = bench.power()
	await machine.until(/slot b, preferred b/)
	await machine.ended()
	const back = bench.power()
	await back.ask('status')
	await back.cutPower()
	t.like(bench.disk.slots, { slot: 'a', tries: { a: 3, b: 0 } })
})

firmware()('no valid state at all: slot a is started', async (t) => {
	const bench = new Bench(t)
	bench.disk.write('state', randomBytes(512))
	bench.disk.write('state', randomBytes(512), 524_288)
	const machine = bench.power()
	await machine.until(/no valid slot state/)
	await machine.ask('status')
	t.pass()
})
