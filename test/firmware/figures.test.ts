// Figures of the image in QEMU that are printed and held to what the profile promises: time from
// power to answer, memory, work when idle, the least memory. measure.js takes more of them.

import { setTimeout as pause } from 'node:timers/promises'
import { firmware, Bench } from '../support/firmware.ts'
import { HOST_PORT } from '../support/machine.ts'

/** boards/qemu-arm64.toml says so. */
const LEAST_MEGABYTES = 112
/** Rest after the start, and the time looked at. */
const REST_MS = 5000
const IDLE_MS = 30_000
/** Of one core, the emulator's own work among it; an endless loop would need all of it. */
const IDLE_SHARE_MAX = 0.4
const RSS_MAX = 90 << 20

interface Status {
	readonly memory: { readonly rssBytes: number }
}

firmware()('seconds to the first answers, memory, processor time when idle', async (t) => {
	const bench = new Bench(t)
	const machine = bench.power()
	const [, key] = await machine.until(/curvecp:\/\/([0-9a-f]{64})@10\.0\.2\.15:4000\/curvegate/)
	const { memory: { rssBytes } } = await machine.ask<Status>('status')
	const answer = machine.seconds
	const pinged = bench.box.start(t, process.execPath, ['build/curvegate', 'ping',
		`curvecp://${key}@127.0.0.1:${HOST_PORT}/curvegate`, '--count', '1'])
	t.is((await machine.during(pinged.ended, 'a handshake')).code, 0, pinged.stderr())
	const handshake = machine.seconds

	await machine.during(pause(REST_MS), 'rest')
	const before = machine.cpuSeconds
	await machine.during(pause(IDLE_MS), 'an idle half minute')
	const idle = machine.cpuSeconds - before
	console.log(`figures of the image: ${answer.toFixed(1)} s to the first answer on the console, `
		+ `${handshake.toFixed(1)} s to the first handshake; ${(rssBytes / 2 ** 20).toFixed(1)} MiB `
		+ `resident with the console open; idle, the emulator needs ${(idle * 2).toFixed(1)} s of a `
		+ 'core a minute')
	t.true(rssBytes < RSS_MAX, `${rssBytes} bytes`)
	t.true(idle < IDLE_MS / 1000 * IDLE_SHARE_MAX, `${idle} s in ${IDLE_MS} ms`)
})

firmware()(`it starts with ${LEAST_MEGABYTES}M`, async (t) => {
	const machine = new Bench(t).power(LEAST_MEGABYTES)
	const { memory } = await machine.ask<Status>('status')
	t.true(memory.rssBytes > 0)
})
