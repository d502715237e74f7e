// Updates on the booted image, over the emulated UART and over CurveCP: kept when what they brought
// answers, refused when somebody else has signed them, taken back when they do not start.

import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { ExecutionContext } from 'ava'
import nacl from 'tweetnacl'
import { readSecretKey } from '../../scripts/update/key.ts'
import { packUpdate, type Parts } from '../../scripts/update/pack.ts'
import { EXIT_TROUBLE } from '../../src/platform/trouble.ts'
import { manifestBytes } from '../../src/service/firmware/manifest.ts'
import type { UpdateStatus } from '../../src/service/firmware/update-session.ts'
import { firmware, untilLogged, Bench } from '../support/firmware.ts'
import { BOARD } from '../support/image.ts'
import { HOST_PORT, type Machine } from '../support/machine.ts'
import { makeFolder, makeKeyDirectory, type Ended } from '../support/processes.ts'

const KEY = '.curvegate/update.key'
const PROGRAM = 'build/curvegate'
/** As much as curvegate update sends at once over a serial line, several times. */
const PIECE_BYTES = 6000
const SUBJECT = { board: BOARD, version: '0.9.0', built: 4_000_000_000 }

function makeUpdate(parts: Parts, key = readSecretKey(KEY)): Uint8Array {
	return packUpdate(SUBJECT, parts, key)
}

function signedBySomebody(parts: Parts): Uint8Array {
	return makeUpdate(parts, nacl.sign.keyPair().secretKey)
}

/** The program as it is built, changed. */
function application(change: (text: string) => string): Parts {
	return [['app', gzipSync(change(readFileSync(PROGRAM, 'utf8')))]]
}

async function begin(machine: Machine, update: Uint8Array): Promise<UpdateStatus> {
	const head = update.subarray(0, manifestBytes(update, update.length))
	return await machine.ask('update-begin', { manifest: new TextDecoder().decode(head) })
}

/** As curvegate update --serial does; it is tried at once. */
async function send(machine: Machine, update: Uint8Array): Promise<void> {
	const body = update.subarray(manifestBytes(update, update.length))
	let status = await begin(machine, update)
	while (status.at < status.totalBytes) {
		const piece = Buffer.from(body.subarray(status.at, status.at + PIECE_BYTES))
		status = await machine.ask('update-data', { at: status.at, data: piece.toString('base64') })
	}
	while (status.state !== 'installed') status = await machine.ask('update-end', { start: true })
}

interface Running {
	readonly pid: number
	readonly version: string
}

/** Who answers when it is another process than before. */
async function afterRestart(machine: Machine, before: Running): Promise<Running> {
	for (;;) {
		const now = await machine.ask<Running>('status')
		if (now.pid !== before.pid) return now
	}
}

firmware()('applications over the serial line: refused, kept, taken back', async (t) => {
	const bench = new Bench(t)
	const machine = bench.power()
	const own = await machine.ask<Running>('status')
	const next = application((text) => text.replaceAll(`"${own.version}"`, '"0.9.0"'))
	await t.throwsAsync(begin(machine, signedBySomebody(next)), { message: /is not signed with the/ })

	await send(machine, makeUpdate(next))
	t.log(`sent and installed ${machine.seconds.toFixed(0)} s after power on`)
	const updated = await afterRestart(machine, own)
	t.is(updated.version, '0.9.0')
	await untilLogged(machine, 'slot-good')

	// It ends before its first answer.
	await send(machine, makeUpdate(application((text) => text.replace('\n', '\nprocess.exit(1);\n'))))
	const back = await afterRestart(machine, updated)
	t.is(back.version, '0.9.0', 'the last one that answered')
	await machine.cutPower()
	const again = bench.power()
	t.is((await again.ask<Running>('status')).version, '0.9.0')
	t.like(bench.disk.slots, { slot: 'a' })
})

/** A box that lets a client's key onto its console. */
class Reached {
	readonly machine: Machine
	readonly #t: ExecutionContext
	readonly #bench: Bench
	readonly #keys: string
	readonly #folder: string

	constructor(t: ExecutionContext, bench: Bench) {
		this.#t = t
		this.#bench = bench
		this.#folder = makeFolder(t)
		const { path, publicKey } = makeKeyDirectory(t)
		this.#keys = path
		const wishes = join(this.#folder, 'curvegate.toml')
		writeFileSync(wishes, `schema = 1
[[server]]
[[server.name]]
name = "admin"
service = "console"
[provision]
clients = ["${publicKey}"]
`)
		bench.disk.fat('boot', 'mcopy', wishes, '::curvegate.toml')
		this.machine = bench.power()
	}

	/** With curvegate update, over CurveCP. */
	async update(update: Uint8Array): Promise<Ended & { readonly said: string }> {
		const [, key] = await this.machine.until(/curvecp:\/\/([0-9a-f]{64})@\S*\/admin/)
		await this.machine.ask('status')
		const file = join(this.#folder, 'slot.update')
		writeFileSync(file, update)
		const sent = this.#bench.box.start(this.#t, process.execPath, [PROGRAM, 'update', file,
			'--keys', this.#keys, '--over', `curvecp://${key}@127.0.0.1:${HOST_PORT}/admin`, '--reboot'])
		const ended = await this.machine.during(sent.ended, 'curvegate update')
		return { ...ended, said: sent.stdout().toString() + sent.stderr() }
	}
}

firmware('mcopy', 'curvecpmakekey')('slots over CurveCP: refused, taken back', async (t) => {
	const bench = new Bench(t)
	const box = new Reached(t, bench)
	const noise: Parts = [['boot', randomBytes(100_000)], ['root', randomBytes(300_000)]]
	const refused = await box.update(signedBySomebody(noise))
	t.is(refused.code, EXIT_TROUBLE)
	t.regex(refused.said, /is not signed with the/)
	t.like(bench.disk.slots, { slot: 'a', tries: { b: 0 } })

	const before = bench.disk.read('root_a')
	const sent = await box.update(makeUpdate(noise))
	t.is(sent.code, 0, `${sent.said}\n${box.machine.text.slice(-2000)}`)
	t.regex(sent.said, /^slot 0\.9\.0: installed there, tried now\n/)
	await box.machine.ended()
	t.like(bench.disk.slots, { slot: 'b', tries: { a: 3, b: 1 } })
	t.true(bench.disk.read('root_a').equals(before), 'the slot that ran was not touched')

	// The boot loader finds no kernel in slot b, and takes a.
	const back = bench.power()
	await back.until(/slot b cannot be started/)
	await back.ask('status')
	await untilLogged(back, 'rolled-back from=b to=a')
	await back.cutPower()
	t.like(bench.disk.slots, { slot: 'a', tries: { a: 3, b: 0 } })
})
