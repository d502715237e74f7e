// The recovery image: kernel and a whole root in memory, for a card that is beyond repair. It
// serves and has its console; nothing of it stays.

import { join } from 'node:path'
import { firmware, Bench } from '../support/firmware.ts'
import { virtBoard } from '../support/machine.ts'

/** Kernel, the packed root and the unpacked one. */
const MEGABYTES = 512

firmware()('the recovery image serves from memory, and says so', async (t) => {
	const bench = new Bench(t)
	const { folder, facts } = bench.disk
	const keys = new Set<string>()
	for (let i = 0; i < 2; i++) {
		const machine = bench.start({ hardware: [
			...virtBoard(MEGABYTES), '-kernel', join(folder, 'kernel'),
			'-initrd', join(folder, 'recovery.cpio.zst'),
			'-append', facts.recoveryCommandLine,
		] })
		await machine.until(/this is the recovery image: nothing is kept/)
		const { servers } = await machine.ask<{ servers: { publicKey: string }[] }>('keys')
		keys.add(servers[0]!.publicKey)
		const update = machine.ask('update-begin', { manifest: '{}' })
		await t.throwsAsync(update, { message: /this is the recovery image/ })
		await machine.ask('reboot')
		await machine.ended()
	}
	t.is(keys.size, 2)
})
