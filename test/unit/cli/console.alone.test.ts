// curvegate console, as people and scripts start it, against a whole process on a cable.

import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import test from 'ava'
import { findPort, isAnswer } from '../../../src/console/host-line.ts'
import { listPorts } from '../../../src/platform/serial-ports.ts'
import { Usage } from '../../../src/platform/trouble.ts'
import { hashPassword, isPassword } from '../../../src/service/password.ts'
import { startConsoleRun } from '../../support/console-run.ts'
import { runCurvegate, type Said } from '../../support/curvegate.ts'
import { needs } from '../../support/needs.ts'
import { makeFolder, start, type Owner, type Started } from '../../support/processes.ts'
import { Cable } from '../../support/pty.ts'

const socat = needs('socat')
const MAIN = resolve('build/out/src/cli/main.js')

/** Without holding up this process, which may be the cable's owner. */
async function curvegate(args: readonly string[], input = ''): Promise<Said> {
	return await new Promise((done) => {
		const child = execFile(process.execPath, [MAIN, ...args], { timeout: 60_000 },
			(error, stdout, stderr) => {
				const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null
				done({ code, stdout, stderr })
			})
		child.stdin?.end(input)
	})
}

socat('one request from a script; a login first where one is needed', async (t) => {
	const hash = await hashPassword('correct horse')
	const { cable, file } = await startConsoleRun(t, {
		driver: 'tty', console: `password = "${hash}"`,
	})
	const refused = await curvegate(['console', cable.host, '--ask', 'keys'])
	t.is(refused.code, 111)
	t.regex(refused.stderr, /unable to ask the console: login first/)
	const secret = join(dirname(file), 'password')
	writeFileSync(secret, 'correct horse\n')
	const args = ['console', cable.host, '--baud', '115200', '--password-file', secret]
	const asked = await curvegate([...args, '--ask', 'keys'])
	t.is(asked.code, 0, asked.stderr)
	t.like(JSON.parse(asked.stdout), { result: { servers: { length: 1 } } })
	const set = { cmd: 'config', action: 'set', key: 'limits.connections', value: 99 }
	t.deepEqual(JSON.parse((await curvegate([...args, '--ask', JSON.stringify(set)])).stdout),
		{ result: { pending: ['set limits.connections 99'] } })
	const unknown = await curvegate([...args, '--ask', 'keyz'])
	t.is(unknown.code, 111)
	t.regex(unknown.stderr, /did you mean keys\?/)
})

socat('lines from a pipe are passed through', async (t) => {
	const { cable } = await startConsoleRun(t, { driver: 'tty' })
	const said = await curvegate(['console', cable.host], 'extension\r')
	t.is(said.code, 0)
	t.regex(said.stdout, /0{32} from file:\/etc\/curvecpextension/)
})

/** The same on a terminal, whose keys and screen are the test's. */
function onTerminal(owner: Owner, args: readonly string[]): Started {
	const command = [process.execPath, MAIN, ...args].join(' ')
	return start(owner, 'socat', ['-t', '1', '-', `EXEC:${command},pty,setsid,ctty,stderr`])
}

socat('a terminal is passed through, key by key, until Ctrl-]', async (t) => {
	const { cable } = await startConsoleRun(t, { driver: 'tty' })
	const terminal = onTerminal(t, ['console', cable.host])
	await terminal.untilPrinted(/at 115200 baud[^]*Ctrl-\] leaves/)
	terminal.child.stdin?.write('exten\t')
	await terminal.untilPrinted(/curvegate> extension /)
	terminal.child.stdin?.write('\r')
	await terminal.untilPrinted(/0{32} from file:\/etc\/curvecpextension/)
	await cable.pull()
	await terminal.untilPrinted(/hung up[^]*waiting until it is there again/)
	await cable.plug()
	await terminal.untilPrinted(/waiting[^]*at 115200 baud/)
	terminal.child.stdin?.write('\u001d')
	t.is((await terminal.ended).code, 0)
})

socat('nobody answers at any speed: cable?', async (t) => {
	const cable = new Cable(t)
	await cable.plug()
	const said = await curvegate(['console', cable.host])
	t.is(said.code, 111)
	t.regex(said.stderr, /no answer at any speed: cable\?/)
})

test('what was typed wrong is said', (t) => {
	for (const [args, message] of [
		[['/dev/ttyNone'], /unable to open \/dev\/ttyNone: no such device/],
		[['/dev/ttyNone', '--baud', 'fast'], /'fast' is no speed/],
		[['/dev/ttyNone', '--ask', '[]'], /--ask '\[\]': expected a command/],
		[['--ask', '{}'], /expected a command/],
		[['--password-file', '/none', '--ask', 'keys'], /unable to read \/none: no such file/],
		[['curvecp://nonsense'], /the address has no key/],
	] as const) {
		const said = runCurvegate(['console', ...args])
		t.true(said.code === 100 || said.code === 111, args.join(' '))
		t.regex(said.stderr, message)
		t.is(said.stderr.trim().split('\n').length, 1)
	}
})

test('a password becomes a line for the configuration', async (t) => {
	const made = runCurvegate(['console', '--hash-password'], 'correct horse\n')
	t.is(made.code, 0)
	const hash = /^password = "(scrypt:.*)"\n$/.exec(made.stdout)![1]!
	t.true(await isPassword('correct horse', hash))
	t.false(await isPassword('correct house', hash))
	t.is(runCurvegate(['console', '--hash-password'], 'short\n').code, 100)
})

/** A /sys with these adapters: name, idVendor, manufacturer. */
function sysWith(root: string, ports: readonly (readonly [string, string, string])[]): void {
	ports.forEach(([name, idVendor, manufacturer], i) => {
		const usb = join(root, `sys/devices/usb1/1-${i}`)
		mkdirSync(join(usb, `1-${i}:1.0`, name), { recursive: true })
		writeFileSync(join(usb, 'idVendor'), `${idVendor}\n`)
		writeFileSync(join(usb, 'manufacturer'), `${manufacturer}\n`)
		writeFileSync(join(usb, 'product'), 'Serial\n')
		mkdirSync(join(root, 'sys/class/tty', name), { recursive: true })
		symlinkSync(join(usb, `1-${i}:1.0`, name), join(root, 'sys/class/tty', name, 'device'))
	})
}

test('adapters are found by who made them; the choice is said when there is one', (t) => {
	const root = makeFolder(t)
	t.throws(() => findPort(listPorts(root)), { message: /none is plugged in/ })
	sysWith(root, [['ttyACM0', '1199', 'Modem Inc'], ['ttyUSB3', '0403', 'FTDI']])
	mkdirSync(join(root, 'sys/class/tty/ttyS0'), { recursive: true })
	mkdirSync(join(root, 'dev/serial/by-id'), { recursive: true })
	symlinkSync('../../ttyUSB3', join(root, 'dev/serial/by-id/usb-FTDI-if00'))
	t.deepEqual(findPort(listPorts(root)), {
		device: '/dev/ttyUSB3', vendor: 'FTDI', product: 'Serial',
		byId: '/dev/serial/by-id/usb-FTDI-if00', isAdapter: true,
	})
	t.is(listPorts(root).length, 2)
	const two = [...listPorts(root), { ...listPorts(root)[1]!, device: '/dev/ttyUSB4' }]
	t.throws(() => findPort(two), { instanceOf: Usage, message: /ttyUSB3[^]*FTDI[^]*ttyUSB4/ })
	t.like(findPort([listPorts(root)[0]!]), { device: '/dev/ttyACM0' })
})

test('what comes at the wrong speed is no answer', (t) => {
	const bytes = (text: string): number[] => [...new TextEncoder().encode(text)]
	t.true(isAnswer(bytes('\r\ncurvegate> \u001b[K')))
	t.true(isAnswer(bytes('password: ')))
	t.false(isAnswer([]))
	t.false(isAnswer([0x78]))
	t.false(isAnswer([0xe6, 0x00, 0x9e, 0x41, 0x86, 0xff, 0x06]))
})
