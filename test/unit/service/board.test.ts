import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
	CONNECT_TIMEOUT, CONNECTIONS_MAX, DEAD_PEER, DRAIN, KEEPALIVE,
} from '../../../src/limits.ts'
import { Usage } from '../../../src/platform/trouble.ts'
import { explain } from '../../../src/service/board-report.ts'
import {
	boardFolders, boardNames, chooseBoard, loadBoard, loadBoards, mismatch, mismatchHere, ramOf,
	recognise, thisMachine, type Board,
} from '../../../src/service/board.ts'
import { isShortage, ONE_SERVER, planOf } from '../../../src/service/plan.ts'
import { Refused } from '../../../src/service/refused.ts'
import { runCurvegate } from '../../support/curvegate.ts'

const SHIPPED = ['boards']
const WANTED = ['host', 'openwrt-arm64', 'qemu-arm64', 'rpi-3', 'rpi-4', 'rpi-5', 'rpi-zero-2w']
/** The least that a PC or a container should have. */
const SMALL = { compatible: [], ramBytes: 512 * 2 ** 20 }

function folder(t: ExecutionContext, files: Readonly<Record<string, string>>): string {
	const path = mkdtempSync(join(tmpdir(), 'boards-'))
	t.teardown(() => rmSync(path, { recursive: true, force: true }))
	for (const [name, text] of Object.entries(files)) writeFileSync(join(path, `${name}.toml`), text)
	return path
}

async function shipped(): Promise<Board[]> {
	const { boards, faults } = await loadBoards(SHIPPED)
	if (faults.length > 0) throw new Error(faults.map(({ cause }) => cause).join('\n'))
	return boards
}

test('every wanted board resolves', async (t) => {
	t.deepEqual((await shipped()).map(({ name }) => name), WANTED)
})

test('the budget of every board fits its share of its memory', async (t) => {
	for (const board of await shipped()) {
		const plan = planOf(board.limits, ONE_SERVER)
		if (isShortage(plan)) {
			t.fail(`${board.name}: ${plan.needBytes} bytes needed`)
			continue
		}
		const share = board.profile.limits['ram-share'] * ramOf(board, SMALL)
		const need = plan.totalBytes + plan.outsideBytes
		t.true(need <= share, `${board.name}: ${need} of ${share}`)
		const gateway = planOf(board.limits, { ...ONE_SERVER, gatewayPorts: 2 })
		t.true(!isShortage(gateway) && gateway.totalBytes + gateway.outsideBytes <= share, board.name)
	}
})

test('every value of every shipped profile has a reason beside it', async (t) => {
	for (const name of boardNames(SHIPPED)) {
		for (const { key, reason, file, line } of await explain(await loadBoard(name, SHIPPED))) {
			t.not(reason, '', `${file}:${line}: ${key}`)
		}
	}
})

test('nothing claims a test on hardware that nobody had', async (t) => {
	for (const { name, profile } of await shipped()) {
		const { level } = profile.status
		if (name !== 'host' && name !== 'qemu-arm64') t.is(level, 'experimental', name)
		const elsewhere = (profile.tested ?? []).filter(({ where }) => !/QEMU|x64/.test(where))
		t.deepEqual(elsewhere, [], name)
	}
})

test('the common profile has the limits of the program itself', async (t) => {
	const { limits } = await loadBoard('host', SHIPPED)
	t.deepEqual(
		[limits.connections, limits.connect, limits.keepalive, limits.deadPeer, limits.drain],
		[CONNECTIONS_MAX, CONNECT_TIMEOUT, KEEPALIVE, DEAD_PEER, DRAIN])
})

test('origins: each value names the file and line that said it', async (t) => {
	const values = await explain(await loadBoard('rpi-4', SHIPPED))
	const memory = values.find(({ key }) => key === 'limits.memory')!
	const lines = readFileSync(memory.file, 'utf8').split('\n')
	t.regex(lines[memory.line - 1]!, /^memory = "128M" /)
	t.true(memory.file.endsWith('boards/rpi-4.toml'))
	t.true(values.find(({ key }) => key === 'limits.drain')!.file.endsWith('boards/linux.toml'))
	t.true(values.find(({ key }) => key === 'console.device')!.file.endsWith('boards/rpi.toml'))
	t.is(new Set(values.map(({ key }) => key)).size, values.length)
})

test('a new board is a new file: no code', async (t) => {
	const dir = folder(t, {
		'my-router': 'schema = 1\ninherits = "openwrt-arm64"\ntitle = "my router"\n'
			+ '[status]\nlevel = "experimental"\nreason = "mine"\n'
			+ '[hardware]\nram = "512M"\ncompatible = ["acme,router-7"]\n'
			+ '[limits]\nconnections = 300 # guests\n',
	})
	const board = await loadBoard('my-router', boardFolders(dir))
	t.is(board.limits.connections, 300)
	t.is(board.profile.network.lan, 'br-lan')
	t.is(board.profile.tested, undefined, 'what the parent was tested for is not ours')
	const { boards } = await loadBoards(boardFolders(dir))
	const machine = { compatible: ['acme,router-7', 'arm,v8'], ramBytes: 0 }
	t.is(recognise(boards, machine)?.name, 'my-router')
	const { code, stdout } = runCurvegate(['boards', 'show', 'my-router', '--boards', dir])
	t.is(code, 0)
	t.regex(stdout, /connections = 300 +my-router\.toml:11 +guests\n/)
	t.regex(runCurvegate(['boards', '--boards', dir]).stdout, /^my-router +experimental +512M/m)
})

test('an earlier folder hides a later one, and may extend what it hides', async (t) => {
	const first = folder(t, {
		host: 'inherits = "host"\ntitle = "this machine"\n[status]\nlevel = "supported"\n'
			+ 'reason = "mine"\n[limits]\nprograms = 7\n',
	})
	const board = await chooseBoard('host', [first, ...SHIPPED])
	t.is(board.limits.programs, 7)
	t.is(board.limits.connections, 1024)
})

interface Case {
	readonly files: Readonly<Record<string, string>>
	readonly load: string
	readonly says: RegExp
}

const OWN = 'title = "x"\n[status]\nlevel = "supported"\nreason = "x"\n'

const WRONG: Readonly<Record<string, Case>> = {
	'a circle': {
		files: {
			a: `inherits = "b"\n${OWN}`, b: `inherits = "c"\n${OWN}`, c: `inherits = "a"\n${OWN}`,
		},
		load: 'a',
		says: /c\.toml:1:12: inherits itself: a → b → c → a/,
	},
	'a profile that inherits itself': {
		files: { 'my-own': `inherits = "my-own"\n${OWN}` },
		load: 'my-own',
		says: /my-own\.toml:1:12: inherits: no board profile 'my-own'/,
	},
	'an unknown parent': {
		files: { a: `inherits = "linus"\n${OWN}` },
		load: 'a',
		says: /a\.toml:1:12: inherits: no board profile 'linus'; did you mean 'linux'\?/,
	},
	'an unknown key in a parent': {
		files: {
			a: `inherits = "b"\n${OWN}`,
			b: `inherits = "linux"\n${OWN}[limits]\nmemroy = "1M"\n`,
		},
		load: 'a',
		says: /b\.toml:7:1: unknown key 'memroy' in \[limits\]; did you mean 'memory'\?/,
	},
	'a wrong value': {
		files: { a: `inherits = "linux"\n${OWN}[limits]\nmemory = 48\n` },
		load: 'a',
		says: /a\.toml:7:10: memory: expected a size as "48M"; found the number 48/,
	},
	'a table that must be there': {
		files: { a: `schema = 1\n${OWN}` },
		load: 'a',
		says: /a\.toml:\d+:\d+: hardware is missing in the profile/,
	},
	'a board without a status of its own': {
		files: { a: 'inherits = "host"\ntitle = "x"\n' },
		load: 'a',
		says: /status is missing in the profile/,
	},
	'no TOML': {
		files: { a: 'inherits = host\n' },
		load: 'a',
		says: /a\.toml:1:12: expected a value: text stands in quotes/,
	},
}

for (const [title, { files, load, says }] of Object.entries(WRONG)) {
	test(`refused with file, line and key: ${title}`, async (t) => {
		const dir = folder(t, files)
		const error = await t.throwsAsync(loadBoard(load, [dir, ...SHIPPED]), { instanceOf: Refused })
		t.regex(error!.message, says)
		const { boards, faults } = await loadBoards([dir, ...SHIPPED])
		t.true(faults.some(({ cause }) => says.test(cause)))
		t.true(boards.length >= WANTED.length, 'the others are there all the same')
	})
}

test('an unknown board names the nearest', async (t) => {
	const error = await t.throwsAsync(loadBoard('rpi4', SHIPPED), { instanceOf: Usage })
	t.is(error!.message, "unknown board 'rpi4'; did you mean 'rpi-4'?")
	await t.throwsAsync(loadBoard('../boards/host', SHIPPED), { instanceOf: Usage })
	const none = await t.throwsAsync(loadBoard('host', ['/nowhere']), { instanceOf: Usage })
	t.regex(none!.message, /no profiles in \/nowhere/)
})

test('the board is recognised from the device tree, and a mismatch is said', async (t) => {
	const boards = await shipped()
	const tree = mkdtempSync(join(tmpdir(), 'tree-'))
	t.teardown(() => rmSync(tree, { recursive: true, force: true }))
	mkdirSync(join(tree, 'chosen'))
	writeFileSync(join(tree, 'compatible'), 'raspberrypi,3-model-b-plus\0brcm,bcm2837\0')
	const machine = thisMachine(tree)
	t.deepEqual(machine.compatible, ['raspberrypi,3-model-b-plus', 'brcm,bcm2837'])
	t.is(recognise(boards, machine)?.name, 'rpi-3')
	const board = (name: string): Board => boards.find((one) => one.name === name)!
	t.is(mismatch(board('rpi-3'), boards, machine), undefined)
	t.is(mismatch(board('rpi-4'), boards, machine),
		"board 'rpi-4' is chosen, but this machine is a Raspberry Pi 3: "
			+ 'board = "rpi-3" has its interfaces and limits')
	t.regex(mismatch(board('host'), boards, machine)!, /board = "rpi-3"/)
	const other = { compatible: ['acme,unknown'], ramBytes: 0 }
	t.is(mismatch(board('host'), boards, other), undefined, 'host is for anything')
	t.regex(mismatch(board('rpi-4'), boards, other)!, /this machine is acme,unknown/)
	const pc = thisMachine('/nowhere')
	t.deepEqual(pc.compatible, [])
	t.is(mismatch(board('rpi-4'), boards, pc), undefined, 'no device tree tells nothing')
	t.is(await mismatchHere(board('rpi-3'), SHIPPED, machine), undefined)
	const said = await mismatchHere(board('rpi-4'), SHIPPED, machine)
	t.regex(said!, /this machine is a Raspberry Pi 3/)
	t.is(await mismatchHere(board('rpi-4'), SHIPPED, pc), undefined)
})

test('no two boards claim one device-tree string', async (t) => {
	const all = (await shipped()).flatMap(({ profile }) => profile.hardware.compatible ?? [])
	t.deepEqual(all, [...new Set(all)])
})

test('on the board itself its own memory counts, elsewhere the smallest model\'s', async (t) => {
	const board = await loadBoard('rpi-4', SHIPPED)
	t.is(ramOf(board, { compatible: [], ramBytes: 2 ** 35 }), 2 ** 30)
	t.is(ramOf(board, { compatible: ['raspberrypi,4-model-b'], ramBytes: 2 ** 33 }), 2 ** 33)
	t.is(ramOf(await loadBoard('host', SHIPPED), SMALL), SMALL.ramBytes)
})

test('the profiles beside the package are found without being told where', (t) => {
	const own = boardFolders().at(-1)!
	t.deepEqual(readdirSync(own), readdirSync('boards'))
})
