// What the owner puts onto the boot partition before the first start.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { firmware, Bench } from '../support/firmware.ts'
import { makeFolder } from '../support/processes.ts'

const CLIENT = 'c1'.repeat(32)
const WISHES = `schema = 1
[network]
hostname = "attic"
address = "10.0.2.15/24"
router = "10.0.2.2"
[provision]
extension = "000102030405060708090a0b0c0d0e0f"
clients = ["${CLIENT}"]
console-password = "open sesame"
`

firmware('mcopy')('wishes are taken over and go, a password is asked for', async (t) => {
	const bench = new Bench(t)
	const file = join(makeFolder(t), 'curvegate.toml')
	writeFileSync(file, WISHES)
	bench.disk.fat('boot', 'mcopy', file, '::curvegate.toml')
	const machine = bench.power()
	await machine.until(/first start[^]*extension=000102030405060708090a0b0c0d0e0f/)
	await t.throwsAsync(machine.ask('status'), { message: /log/ })
	await machine.ask('login', { password: 'open sesame' })
	const { text } = await machine.ask<{ text: string }>('config', { action: 'show' })
	t.regex(text, /hostname = "attic"/)
	t.true(text.includes(`clients = ["${CLIENT}"]`))
	t.notRegex(text, /provision|sesame/)
	await machine.cutPower()

	t.notRegex(bench.disk.fat('boot', 'mdir', '::'), /curvegate\.toml/)
	const result = bench.disk.fat('boot', 'mtype', '::curvegate-result.txt')
	t.regex(result, /was taken over/)
	t.regex(result, /public key in \/var\/lib\/curvegate\/keys: [0-9a-f]{64}/)
	t.false(bench.disk.read('boot').includes('open sesame'), 'the secret is wiped from the card')
	t.false(bench.disk.read('data').includes('open sesame'))
})

firmware('mcopy')('wishes with a mistake: it is named, the box works without', async (t) => {
	const bench = new Bench(t)
	const file = join(makeFolder(t), 'curvegate.toml')
	writeFileSync(file, WISHES.replace('clients', 'client'))
	bench.disk.fat('boot', 'mcopy', file, '::curvegate.toml')
	const machine = bench.power()
	await machine.until(/unknown key 'client' in \[provision\]/)
	await machine.ask('status')
	await machine.cutPower()
	t.regex(bench.disk.fat('boot', 'mtype', '::curvegate-result.txt'),
		/curvegate\.toml:8:1: unknown key 'client' in \[provision\]; did you mean 'clients'\?/)
	t.regex(bench.disk.fat('boot', 'mdir', '::'), /curvegate\.toml/)
})
