// The card of a Raspberry Pi 3 as far as QEMU's raspi3b goes: it has neither the board's firmware
// nor a network, so the kernel is handed over by QEMU. Its clock begins in 1970.

import { truncateSync } from 'node:fs'
import { join } from 'node:path'
import { firmwareOf, Bench } from '../support/firmware.ts'

/** This emulation takes cards of a power of two only. */
const CARD_BYTES = 512 << 20
/** It resets the machine when this watchdog is armed. */
const WITHOUT_WATCHDOG = 'module_blacklist=bcm2835_wdt'
const DTB = 'bcm2837-rpi-3-b.dtb'

firmwareOf('rpi-3', 'mcopy')('rpi-3: kernel, stage 1, root, keys and console', async (t) => {
	const bench = new Bench(t, 'rpi-3')
	const { path, folder, facts } = bench.disk
	const dtb = join(path, '..', DTB)
	bench.disk.fat('boot', 'mcopy', `::${DTB}`, dtb)
	truncateSync(path, CARD_BYTES)
	const machine = bench.start({
		hardware: [
			'-M', 'raspi3b', '-dtb', dtb, '-kernel', join(folder, 'kernel'),
			'-initrd', join(folder, 'stage1.cpio.zst'), '-drive', `if=sd,format=raw,file=${path}`,
			'-append', `${facts.commandLine} curvegate.slot=a ${WITHOUT_WATCHDOG}`,
		],
		// The PL011: the console is on the mini UART.
		otherLines: 1,
	})
	const status = await machine.ask<{ version: string }>('status')
	t.regex(status.version, /^\d/)
	const keys = await machine.ask<{ servers: readonly { publicKey: string }[] }>('keys')
	t.regex(keys.servers[0]!.publicKey, /^[0-9a-f]{64}$/)
	await machine.cutPower()
	t.like(bench.disk.slots, { slot: 'a', tries: { a: 3 } })
})
