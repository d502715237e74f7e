import test from 'ava'
import { NEVER, SECOND } from '../../../src/base/time.ts'
// Loaded when a line is opened; here before, so that nobody has to wait for a disk.
import '../../../src/console/session.ts'
import { Notices } from '../../../src/console/host.ts'
import { SerialConsole, type OpenSerial } from '../../../src/console/serial-console.ts'
import type { SerialOptions } from '../../../src/platform/serial.ts'
import { Trouble } from '../../../src/platform/trouble.ts'
import { defaultConfig, type Config, type ConsoleConfig } from '../../../src/service/config.ts'
import { Log } from '../../../src/service/log.ts'
import { hashPassword } from '../../../src/service/password.ts'
import { FakeTimers } from '../../support/console.ts'

const CONSOLE: ConsoleConfig = {
	device: '/dev/ttyX', baud: 115_200, driver: 'tty', password: undefined, idle: NEVER,
}

/** A device that is there or not; what was opened, and what came out of it. */
class FakeDevice {
	isThere = true
	readonly opened: SerialOptions[] = []
	closed = 0
	output = ''
	readonly lines: string[] = []
	readonly timers = new FakeTimers()

	readonly open: OpenSerial = async (options) => {
		if (!this.isThere) throw new Trouble('open', options.device, 'no such device')
		this.opened.push(options)
		return {
			notes: [], waiting: 0,
			write: (bytes) => {
				this.output += Buffer.from(bytes).toString()
			},
			close: () => {
				this.closed++
			},
		}
	}

	async console(config: ConsoleConfig): Promise<SerialConsole> {
		const made = new SerialConsole(config, {
			commands: new Map(), timers: this.timers, notices: new Notices(),
			log: new Log({ level: 'debug', format: 'text', write: (line) => this.lines.push(line) }),
			greeting: () => ['here is curvegate'],
			facts: async () => ({ names: [], configKeys: [] }),
		}, this.open)
		await settled()
		return made
	}
}

async function settled(): Promise<void> {
	for (let i = 0; i < 50; i++) await new Promise((done) => setTimeout(done, 1))
}

async function withConsole(console: ConsoleConfig | undefined): Promise<Config> {
	return { ...await defaultConfig({ boards: 'boards' }), console }
}

test('the banner says who is the operator', async (t) => {
	const open = new FakeDevice()
	await open.console(CONSOLE)
	t.regex(open.output, /No password is set: whoever holds this cable is the operator/)
	t.regex(open.output, /curvegate> /)
	const guarded = new FakeDevice()
	await guarded.console({ ...CONSOLE, password: await hashPassword('correct horse') })
	t.regex(guarded.output, /password: /)
	t.notRegex(guarded.output, /No password/)
})

test('what is not there is tried again, less and less often, and said once', async (t) => {
	const device = new FakeDevice()
	device.isThere = false
	const serial = await device.console(CONSOLE)
	for (let i = 0; i < 100; i++) {
		device.timers.pass(SECOND)
		await new Promise((done) => setImmediate(done))
	}
	t.is(device.lines.filter((line) => line.startsWith('warn no-console')).length, 1)
	t.like(serial.status(), { open: false, trouble: 'unable to open /dev/ttyX: no such device' })
	device.isThere = true
	device.timers.pass(30 * SECOND)
	await settled()
	t.is(device.opened.length, 1)
	t.like(serial.status(), { open: true, trouble: null })
	device.isThere = false
	device.opened[0]!.closed('it has hung up')
	t.regex(device.lines.at(-1)!, /no-console .*hung up/)
	serial.stop()
	device.isThere = true
	device.timers.pass(100 * SECOND)
	await settled()
	t.is(device.opened.length, 1, 'stopped for good')
})

test('a reload opens the line anew for another speed, and not for another password', async (t) => {
	const device = new FakeDevice()
	const serial = await device.console(CONSOLE)
	serial.reload(await withConsole({ ...CONSOLE, password: await hashPassword('correct horse') }))
	device.timers.pass(10 * SECOND)
	await settled()
	t.is(device.opened.length, 1)
	serial.reload(await withConsole({ ...CONSOLE, baud: 9600 }))
	t.is(device.closed, 0, 'the answer is still on its way')
	device.timers.pass(SECOND)
	await settled()
	t.deepEqual(device.opened.map(({ baud }) => baud), [115_200, 9600])
	t.is(device.closed, 1)
	serial.reload(await withConsole(undefined))
	device.timers.pass(SECOND)
	await settled()
	t.is(device.closed, 2)
	t.is(device.opened.length, 2)
})
