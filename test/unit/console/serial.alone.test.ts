// The console of a whole process on a serial line that the test can pull: both drivers, over
// socat's pseudo-terminals. Processes, since serialport reads on the main thread alone.

import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { frame, unframe } from '../../../src/console/machine-line.ts'
import { openSerial } from '../../../src/platform/serial.ts'
import { cpuOf, logIn, residentOf, startConsoleRun } from '../../support/console-run.ts'
import { startEchoClients } from '../../support/echo-clients.ts'
import { needs } from '../../support/needs.ts'
import { makeFolder, start } from '../../support/processes.ts'
import { Cable, HostEnd } from '../../support/pty.ts'

const socat = needs('socat')

for (const driver of ['tty', 'serialport'] as const) {
	socat(`${driver}: a conversation, with noise and a break in between`, async (t) => {
		const { cable, run } = await startConsoleRun(t, { driver })
		const host = await logIn(t, cable)
		host.write('keys\r')
		await host.until(/127\.0\.0\.1:\d+ {2}[0-9a-f]{64} {2}\S+keys\r\n\rcurvegate> /)
		host.write(Uint8Array.of(0, 0xff, 0xfe, 0x80, 0, 0, 0xc3))
		await pause(50)
		host.write(`\0\r${frame('{"id":1,"cmd":"extension"}')}\r\n`)
		const text = await host.until(/\} \*\w{8}\r\n/)
		const answers = text.split('\r\n').flatMap((line) => unframe(line) ?? [])
		t.is(answers.length, 1)
		t.like(JSON.parse(answers[0]!), { id: 1, result: { extension: '0'.repeat(32) } })
		const before = cpuOf(run.pid)
		await pause(1000)
		t.log(`${residentOf(run.pid).toFixed(1)} MiB resident with the console open, `
			+ `${(cpuOf(run.pid) - before).toFixed(2)} s of processor time in 1 s idle`)
	})

	socat(`${driver}: a vanished peer is noticed, costs no time, and may come again`, async (t) => {
		const { cable, run } = await startConsoleRun(t, { driver })
		await logIn(t, cable)
		await cable.pull()
		await run.untilPrinted(/warn no-console .*(hung up|i\/o error)/)
		const before = cpuOf(run.pid)
		await pause(1000)
		const gone = cpuOf(run.pid) - before
		t.log(`${gone.toFixed(2)} s of processor time in 1 s without a peer`)
		t.true(gone < 0.25, `${gone} s of processor time in 1 s`)
		await cable.plug()
		await run.until(() => run.stderr().match(/^info console /mg)?.length === 2, 'the console again')
		const host = await logIn(t, cable)
		host.write('keys\r')
		await host.until(/[0-9a-f]{64}/)
		const said = run.stderr().match(/^warn no-console .*$/mg) ?? []
		t.true(said.length <= 3, `each cause is said once:\n${said.join('\n')}`)
	})

	socat(`${driver}: who does not read his answers holds up nobody else`, async (t) => {
		const { cable, run, addresses } = await startConsoleRun(t, { driver })
		const clients = await startEchoClients(t, addresses()[0]!, 1)
		const host = await HostEnd.open(t, cable)
		host.write('\r')
		await host.until(/curvegate> /)
		const resident = residentOf(run.pid)
		host.write('help --no-more\r'.repeat(100))
		await host.until(/status/)
		cable.hold()
		const rounds = clients.rounds()
		await run.until(() => clients.rounds() > rounds + 50, 'echoes meanwhile')
		t.true(residentOf(run.pid) - resident < 20, 'nothing piles up')
		t.deepEqual(await clients.finish(), [])
		await cable.pull()
	})
}

for (const driver of ['tty', 'serialport'] as const) {
	socat(`${driver}: a line that hangs up right behind its last bytes is noticed`, async (t) => {
		const script = 'build/out/test/support/serial-child.js'
		const child = start(t, process.execPath, [script, driver, '8'])
		await child.untilPrinted(/noticed/)
		const { noticed, seconds } = JSON.parse(child.stdout().toString())
		t.is(noticed, 8)
		t.log(`${seconds} s of processor time for 8 lines`)
		t.true(seconds < 4, `${seconds} s of processor time`)
	})
}

socat('whoever reads from the line is named; who made it, or writes, is no rival', async (t) => {
	const cable = new Cable(t)
	await cable.plug()
	const rival = start(t, 'sh', ['-c', `exec 3<>${cable.device}; echo here; sleep 60`])
	await rival.untilPrinted(/here/)
	const open = async (device: string): Promise<void> => (await openSerial({
		device, baud: 115_200, driver: 'tty',
		received: () => undefined, drained: () => undefined, closed: () => undefined,
	})).close()
	const message = /^unable to open \S+: it is held by process \d+ \(\S*sh -c/
	await t.throwsAsync(open(cable.device), { message })
	await rival.stop()
	const agetty = join(makeFolder(t), 'agetty')
	symlinkSync('/bin/sh', agetty)
	const getty = start(t, agetty, ['-c', `exec 3<>${cable.device}; echo here; sleep 60`])
	await getty.untilPrinted(/here/)
	await t.throwsAsync(open(cable.device),
		{ message: /held by process \d+ \(\S*agetty.*; cure: systemctl disable --now serial-getty@/ })
	await getty.stop()
	const log = start(t, 'sh', ['-c', `exec 3>${cable.device}; echo here; sleep 60`])
	await log.untilPrinted(/here/)
	await t.notThrowsAsync(open(cable.device))
	await t.throwsAsync(open('package.json'), { message: /it is no serial line/ })
	await t.throwsAsync(open('/dev/ttyNone'), { message: /no such device/ })
})
