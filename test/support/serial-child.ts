// Opens serial lines that hang up right behind their last bytes, again and again: for a test, since
// serialport reads on the main thread alone. Prints how many were noticed, and the processor time.
// Usage: serial-child.js DRIVER ROUNDS

import { constants, existsSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { openSerial, type SerialDriver } from '../../src/platform/serial.ts'
import { makeFolder, start, type Owner } from './processes.ts'

const NOTICE_MILLIS = 3000

const cleanups: (() => void | Promise<void>)[] = []
const owner: Owner = { teardown: (clean) => cleanups.push(clean) }

async function round(driver: SerialDriver, wait: number): Promise<boolean> {
	const folder = makeFolder(owner)
	const [device, host] = [join(folder, 'a'), join(folder, 'b')]
	const socat = start(owner, 'socat', [`pty,raw,echo=0,link=${device}`,
		`pty,raw,echo=0,link=${host}`])
	await socat.until(() => existsSync(device) && existsSync(host), 'the links')
	let noticed = false
	const line = await openSerial({
		device, baud: 115_200, driver, received: () => undefined, drained: () => undefined,
		closed: () => {
			noticed = true
		},
	})
	// Not as our own terminal: its end would be ours.
	writeSync(openSync(host, constants.O_RDWR | constants.O_NOCTTY), 'last bytes')
	await pause(wait)
	socat.signal('SIGKILL')
	for (let waited = 0; waited < NOTICE_MILLIS && !noticed; waited += 5) await pause(5)
	line.close()
	return noticed
}

const [driver = 'tty', rounds = '8'] = process.argv.slice(2)
const before = process.cpuUsage()
let noticed = 0
for (let i = 0; i < Number(rounds); i++) {
	if (await round(driver === 'tty' ? 'tty' : 'serialport', i % 4)) noticed++
}
const { user, system } = process.cpuUsage(before)
console.log(JSON.stringify({ noticed, seconds: (user + system) / 1e6 }))
for (const clean of cleanups) await clean()
process.exit()
