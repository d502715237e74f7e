// Installing, on a device in memory: what arrives in pieces of any size, what is refused, and power
// cuts before every write.

import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { Trouble } from '../../../../src/platform/trouble.ts'
import { goodApp } from '../../../../src/service/firmware/app-store.ts'
import { Installer } from '../../../../src/service/firmware/install.ts'
import { Rng } from '../../../sim/rng.ts'
import { MemoryDisk, PowerCut } from '../../../support/power-cut.ts'
import { makeUpdate, MemoryDevice, SUBJECT } from '../../../support/update-place.ts'

const BOOT = Uint8Array.from(randomBytes(100_000))
const ROOT = Uint8Array.from(randomBytes(300_000))
const BUNDLE = Uint8Array.from(randomBytes(50_000))
const SLOT = makeUpdate([['boot', BOOT], ['root', ROOT]])
const APP = makeUpdate([['app', gzipSync(BUNDLE)]])

interface How {
	readonly piece?: number
	readonly older?: boolean
	readonly dryRun?: boolean
}

function install(device: MemoryDevice, update: Uint8Array, how: How = {}): void {
	const { piece = 40_000, older = false, dryRun = false } = how
	const installer = new Installer(device, { older, dryRun })
	try {
		for (let at = 0; at < update.length; at += piece) {
			installer.take(update.subarray(at, at + piece))
		}
		installer.finish()
	} finally {
		installer.close()
	}
}

/** Whether the other slot holds the whole update. */
function isInstalled({ boot, root }: MemoryDevice): boolean {
	return Buffer.compare(boot.content.subarray(0, BOOT.length), BOOT) === 0 &&
		Buffer.compare(root.content.subarray(0, ROOT.length), ROOT) === 0
}

test('a slot arrives in pieces of any size, and is tried once', (t) => {
	for (const piece of [1 << 20, 65_536, 4096, 1000, 77]) {
		const device = new MemoryDevice()
		install(device, SLOT, { piece })
		t.true(isInstalled(device), String(piece))
		t.deepEqual(device.state.tries, { a: 3, b: 1 })
		t.is(device.starts, 'b')
		t.is(device.log[0], 'forbid')
		t.is(device.log.at(-1), 'try')
		t.true(device.root.content.subarray(ROOT.length).every((byte) => byte === 0xee))
	}
})

test('an application arrives whole beside the running one', (t) => {
	const device = new MemoryDevice()
	install(device, APP, { piece: 1000 })
	t.deepEqual(device.disk.tree(), ['data/ 755', 'data/app/ 755', 'data/app/trial/ 755',
		'data/app/trial/built 5 644', `data/app/trial/curvegate ${BUNDLE.length} 755`])
	t.is(device.starts, 'a')
	t.deepEqual(device.log, [], 'no partition was touched')
})

test('what is refused touches nothing', (t) => {
	const other = { ...SUBJECT, board: 'rpi-5' }
	const old = { ...SUBJECT, version: '0.1.0', built: 999 }
	const parts = [['boot', BOOT], ['root', ROOT]] as const
	const forged = SLOT.slice()
	forged[40]! ^= 1
	const cases: readonly (readonly [Uint8Array, RegExp])[] = [
		[forged, /it is (not signed with the key|no update)/],
		[makeUpdate(parts, other), /is for the board rpi-5, this is rpi-4/],
		[makeUpdate(parts, old), /\(0\.1\.0 of .*\) is older than what runs here \(0\.1\.0 of /],
		[new TextEncoder().encode('PK\u0003\u0004'), /is no update of curvegate/],
		[new Uint8Array(0), /ends before its manifest does/],
		[SLOT.subarray(0, 100), /ends before its manifest does/],
		[makeUpdate([['boot', BOOT], ['root', randomBytes(400_001)]]),
			/does not fit: the part root has 400001 bytes, its partition 400000/],
	]
	for (const [update, words] of cases) {
		const device = new MemoryDevice()
		const error = t.throws(() => install(device, update), { instanceOf: Trouble })
		t.regex(error.message, words)
		t.deepEqual(device.log, [])
		t.is(device.starts, 'a')
	}
	const device = new MemoryDevice()
	install(device, makeUpdate(parts, old), { older: true })
	t.is(device.starts, 'b')
})

test('cut off, too long, or one bit flipped anywhere: never tried', (t) => {
	const start = SLOT.length - BOOT.length - ROOT.length
	for (const n of [start, start + 1, start + BOOT.length, SLOT.length - 1]) {
		const device = new MemoryDevice()
		const error = t.throws(() => install(device, SLOT.subarray(0, n)), { instanceOf: Trouble })
		t.regex(error.message, /is cut off: \d+ bytes are missing/)
		t.is(device.starts, 'a')
	}
	const long = new MemoryDevice()
	t.throws(() => install(long, Buffer.concat([SLOT, Buffer.from('x')])),
		{ message: /longer than its manifest says/ })
	t.is(long.starts, 'a')
	for (const at of [0, 1, 65_535, 65_536, BOOT.length - 1, BOOT.length, SLOT.length - start - 1]) {
		const bad = SLOT.slice()
		bad[start + at]! ^= 0x10
		const device = new MemoryDevice()
		t.throws(() => install(device, bad), { message: /is damaged: the part (boot|root)/ })
		t.is(device.starts, 'a')
		t.false(isInstalled(device))
	}
	const app = APP.slice()
	app[app.length - 1]! ^= 1
	const device = new MemoryDevice()
	t.throws(() => install(device, app), { message: /is damaged: the part app/ })
	t.deepEqual(device.disk.log, [])
})

test('a medium that gives back something else is not started', (t) => {
	const device = new MemoryDevice()
	device.root.forget = () => void (device.root.content[200_000]! ^= 1)
	t.throws(() => install(device, SLOT), { message: /the medium is failing/ })
	t.is(device.starts, 'a')
})

test('a dry run checks everything and writes nothing', (t) => {
	const device = new MemoryDevice()
	install(device, SLOT, { dryRun: true })
	install(device, APP, { dryRun: true })
	t.deepEqual([device.log, device.disk.log], [[], []])
	const bad = SLOT.slice()
	bad[bad.length - 1]! ^= 1
	t.throws(() => install(device, bad, { dryRun: true }), { message: /is damaged/ })
})

test('a power cut before every step: what starts is whole, and the next try succeeds', (t) => {
	const whole = new MemoryDevice()
	install(whole, SLOT)
	const seed = Number(process.env['CURVEGATE_SEED'] ?? 1)
	t.log(`seed ${seed}`)
	const chance = new Rng(seed)
	for (let n = 0; n < whole.log.length; n++) {
		for (let i = 0; i < 3; i++) {
			const device = new MemoryDevice()
			device.cutAt = n
			t.throws(() => install(device, SLOT), { instanceOf: PowerCut })
			device.boot.lose(() => chance.unit())
			device.root.lose(() => chance.unit())
			t.is(device.starts, 'a', `cut before ${whole.log[n]}`)
			device.cutAt = Infinity
			install(device, SLOT)
			t.true(isInstalled(device) && device.starts === 'b')
		}
	}
})

/** What the supervisor would start: a folder of that name has been renamed into place. */
function trialOf(disk: MemoryDisk): string[] {
	return disk.tree().filter((line) => line.startsWith('data/app/trial/'))
}

test('a power cut or an error while an application is written: all of it, or nothing', (t) => {
	const whole = new MemoryDevice()
	install(whole, APP)
	const done = trialOf(whole.disk)
	const chance = new Rng(3)
	for (let n = 0; n < whole.disk.log.length; n++) {
		for (let i = 0; i < 8; i++) {
			const device = new MemoryDevice()
			device.disk.cutAt = n
			t.throws(() => install(device, APP))
			device.disk = device.disk.after(() => chance.unit())
			const found = trialOf(device.disk)
			t.true(found.length === 0 || found.join() === done.join(), found.join())
			install(device, APP)
			t.deepEqual(trialOf(device.disk), done)
		}
		const full = new MemoryDevice()
		full.disk.failAt = n
		const error = t.throws(() => install(full, APP), { instanceOf: Trouble })
		t.regex(error.message, /^unable to write \/data\/app: /)
		t.false(full.disk.tree().some((line) => line.startsWith('data/app/new')), 'nothing is left')
	}
	t.is(goodApp('/data/app', whole.disk), undefined)
})

test('a bundle that would unpack without end is refused', (t) => {
	const bomb = makeUpdate([['app', gzipSync(Buffer.alloc((32 << 20) + 1))]])
	const device = new MemoryDevice()
	t.throws(() => install(device, bomb), { message: /unable to unpack the application/ })
	t.deepEqual(trialOf(device.disk), [])
})
