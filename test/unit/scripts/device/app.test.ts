// Which program a device starts, asked of the shell that asks it there: every state that an update
// or a power cut can leave, through several starts.

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { makeFolder } from '../../../support/processes.ts'

const SCRIPT = 'scripts/device/root/usr/lib/curvegate-device/app'
const BUILT = 1000

interface Device {
	readonly app: string
	/** Starts the service; says which program, and when it answers, that it is good. */
	start(answers: boolean): string
}

function makeDevice(t: ExecutionContext, folders: Readonly<Record<string, string>>): Device {
	const root = makeFolder(t)
	const app = join(root, 'app')
	mkdirSync(app)
	for (const [name, built] of Object.entries(folders)) {
		mkdirSync(join(app, name))
		writeFileSync(join(app, name, 'curvegate'), '')
		writeFileSync(join(app, name, 'built'), built)
	}
	const own = join(root, 'own')
	writeFileSync(own, '')
	return {
		app,
		start(answers) {
			const { stdout, stderr } = spawnSync('sh', ['-euc',
				`. ./${SCRIPT}; app_choose; echo "$program"; ${answers ? 'app_good' : ':'}`],
			{ encoding: 'utf8', env: {
				...process.env, APP: app, APP_OWN: own, BUILT: String(BUILT),
			} })
			t.is(stderr, '')
			const program = stdout.trim()
			return program === own ? 'own' : program.slice(app.length + 1)
		},
	}
}

test('without updates, the slot\'s own', (t) => {
	const device = makeDevice(t, {})
	t.is(device.start(true), 'own')
	t.is(device.start(false), 'own')
})

test('an update is tried once, and stays when it has answered', (t) => {
	const device = makeDevice(t, { trial: '1001\n', good: '1000\n' })
	t.is(device.start(true), 'tried/curvegate')
	t.false(existsSync(join(device.app, 'tried')))
	for (let i = 0; i < 3; i++) t.is(device.start(i !== 0), 'good/curvegate')
	for (const name of ['package.json', 'node_modules', 'boards']) {
		t.is(readlinkSync(join(device.app, name)), `/usr/lib/curvegate/${name}`)
	}
})

test('one that does not answer is taken away; the last good one runs on', (t) => {
	const device = makeDevice(t, { trial: '1001\n', good: '1000\n' })
	t.is(device.start(false), 'tried/curvegate')
	t.is(device.start(false), 'good/curvegate')
	t.false(existsSync(join(device.app, 'tried')))
	const first = makeDevice(t, { trial: '1001\n' })
	t.is(first.start(false), 'tried/curvegate')
	t.is(first.start(true), 'own')
})

test('a newer slot hides an older application; what is cut off never runs', (t) => {
	t.is(makeDevice(t, { good: '999\n' }).start(true), 'own')
	t.is(makeDevice(t, { good: '1000\n' }).start(true), 'good/curvegate')
	t.is(makeDevice(t, { good: '' }).start(true), 'own')
	const device = makeDevice(t, { tried: '1001\n', trial: '1002\n' })
	t.is(device.start(true), 'tried/curvegate')
	const empty = makeDevice(t, {})
	mkdirSync(join(empty.app, 'trial'))
	t.is(empty.start(true), 'own')
	t.is(empty.start(true), 'own')
})

test('a data partition that cannot be written leaves everything as it is', (t) => {
	const device = makeDevice(t, { good: '1001\n' })
	chmodSync(device.app, 0o500)
	t.is(device.start(true), 'good/curvegate')
	chmodSync(device.app, 0o700)
})
