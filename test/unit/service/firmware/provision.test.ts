import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { loadConfig } from '../../../../src/service/config.ts'
import { provision } from '../../../../src/service/firmware/provision.ts'
import { isPassword } from '../../../../src/service/password.ts'
import { makeFolder } from '../../../support/processes.ts'

const OPTIONS = {
	boards: 'boards', board: 'qemu-arm64', alwaysConsole: true,
	machine: { compatible: [], ramBytes: 2 ** 30 },
}
const KEY = 'ab'.repeat(32)

interface Card {
	readonly from: string
	readonly file: string
	take(text: string): ReturnType<typeof provision>
}

function card(t: ExecutionContext): Card {
	const folder = makeFolder(t)
	const from = join(folder, 'boot.toml')
	const file = join(folder, 'curvegate.toml')
	return {
		from, file,
		take: async (text) => {
			writeFileSync(from, text)
			return await provision(from, file, OPTIONS)
		},
	}
}

test('without a file nothing happens', async (t) => {
	const { from, file } = card(t)
	t.is(await provision(from, file, OPTIONS), undefined)
	t.false(existsSync(file))
})

test('everything that an owner may wish, and no secret is left in the configuration', async (t) => {
	const { file, take } = card(t)
	const done = await take(`schema = 1   # mine
[network]
address = "192.0.2.5/24"
[provision]
extension = "000102030405060708090A0B0C0D0E0F"
clients = ["${KEY}"]
console-password = "correct horse"
[[server]]
[[server.name]]
name = "ssh.example"
service = "tcp:192.0.2.9:22"
[[server.name]]
name = "open.example"
service = "echo"
clients = []
`)
	t.true(done?.isTaken)
	const text = readFileSync(file, 'utf8')
	t.regex(text, /^schema = 1 {3}# mine\n/)
	t.notRegex(text, /provision|correct horse/)
	const config = await loadConfig(file, OPTIONS)
	t.is(config.network.address, '192.0.2.5/24')
	t.deepEqual(config.servers[0]!.names.map(({ clients }) => [...clients ?? []]), [[KEY], []])
	t.true(await isPassword('correct horse', config.console!.password!))
	t.deepEqual([...readFileSync(join(file, '../curvecpextension'))], Array.from({ length: 16 },
		(_, i) => i))
})

test('a file without servers gets the page that every image has', async (t) => {
	const { file, take } = card(t)
	t.true((await take(`schema = 1\n[provision]\nclients = ["${KEY}"]\n`))?.isTaken)
	const { servers } = await loadConfig(file, OPTIONS)
	t.is(servers[0]!.names[0]!.service.kind, 'welcome')
	t.deepEqual([...servers[0]!.names[0]!.clients!], [KEY])
})

for (const [what, text, words] of [
	['an unknown key', 'schema = 1\n[provision]\nclient = []\n',
		/boot\.toml:3:1: unknown key 'client' in \[provision\]; did you mean 'clients'\?/],
	['an unknown key of the configuration', 'schema = 1\n[provision]\n[limit]\n',
		/boot\.toml:3:2: unknown key 'limit'/],
	['a short password', 'schema = 1\n[provision]\nconsole-password = "1234567"\n',
		/:3:21: console-password: a password has at least 8 characters/],
	['a key with a wrong digit', `schema = 1\n[provision]\nclients = ["${KEY.slice(1)}x"]\n`,
		/clients\[1\]: expected 64 hexadecimal digits; found "x" as character 64/],
	['an extension too short', 'schema = 1\n[provision]\nextension = "00"\n',
		/extension: expected 32 hexadecimal digits; found 2: 30 missing/],
	['no TOML', 'schema = 1\n[provision\n', /boot\.toml:2:/],
	['no schema', '[provision]\n', /schema is missing in the file/],
] as const) {
	test(`${what} is refused with its place, and nothing is changed`, async (t) => {
		const { file, take } = card(t)
		writeFileSync(file, 'as it was')
		const done = await take(text)
		t.false(done?.isTaken)
		t.regex(done!.words, words)
		t.is(readFileSync(file, 'utf8'), 'as it was')
		t.false(existsSync(join(file, '../curvecpextension')))
	})
}

test('taken twice, as after a power cut, it is the same', async (t) => {
	const { file, take } = card(t)
	const text = `schema = 1\n[provision]\nclients = ["${KEY}"]\n`
	await take(text)
	const once = readFileSync(file, 'utf8')
	await take(text)
	t.is(readFileSync(file, 'utf8'), once)
})

test('a console needs no clients of its own where [provision] names them', async (t) => {
	const { file, take } = card(t)
	const wishes = (more: string): string => `schema = 1
[[server]]
[[server.name]]
name = "admin"
service = "console"
[[server.name]]
name = "own"
service = "echo"
clients = ["${'cd'.repeat(32)}"]
${more}`
	const refused = await take(wishes(''))
	t.false(refused?.isTaken)
	t.regex(refused?.words ?? '', /clients/)
	t.false(existsSync(file))
	t.like(await take(wishes(`[provision]\nclients = ["${KEY}"]\n`)), { isTaken: true })
	const { servers } = await loadConfig(file, OPTIONS)
	t.deepEqual(servers[0]?.names.map(({ clients }) => [...clients ?? []]),
		[[KEY], ['cd'.repeat(32)]])
})
