import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { toHex } from '../../../src/base/hex.ts'
import { NEVER, SECOND } from '../../../src/base/time.ts'
import { Trouble, Usage } from '../../../src/platform/trouble.ts'
import { addressOf } from '../../../src/platform/udp.ts'
import { extentOf } from '../../../src/service/config-check.ts'
import {
	configOf, defaultConfig, loadConfig, type Config, type ConfigOptions,
} from '../../../src/service/config.ts'
import { isShortage, planOf } from '../../../src/service/plan.ts'
import { Refused } from '../../../src/service/refused.ts'
import { parseToml } from '../../../src/service/toml-file.ts'
import { makeGenerator } from '../../support/generator.ts'

const machine = { compatible: [], ramBytes: 2 ** 30 }
const KEY = '0123456789abcdef'.repeat(4)
const OTHER = 'fedcba9876543210'.repeat(4)

async function read(text: string, options: ConfigOptions = {}): Promise<Config> {
	const file = '/etc/curvegate/curvegate.toml'
	return await configOf({ file, text, value: parseToml(file, text) },
		{ boards: 'boards', machine, ...options })
}

/** The example of product.md, section 6, with keys in the place of their ellipses. */
const EXAMPLE = `schema = 1
board = "rpi-4"                       # boards/rpi-4.toml
keys = "/var/lib/curvegate/keys"        # for every [[server]] that names none

[[server]]                            # several: each its own key and extension
listen = "0.0.0.0:4000"
keys = "/var/lib/curvegate/keys"        # optional here
extension = "from-source"
[[server.name]]
name = "ssh.home.example"
service = "tcp:127.0.0.1:22"
clients = ["${KEY}"]
[[server.name]]
name = "admin.home.example"
service = "console"
clients = ["${OTHER.toUpperCase()}"]

[extension]                           # this machine's own 16 bytes, as client and as server
source = "file:/etc/curvecpextension"

[gateway]
wan = "eth0"
address = "192.0.2.1"                 # default: the address of wan
lan = "eth1"
ports = [4000]
datapath = "auto"
routes = "/etc/curvegate/routes"
[[gateway.route]]
extension = "000102030405060708090a0b0c0d0e0f"
target = "10.77.0.2"
[gateway.encoded]
allow = ["10.77.0.0/24"]
ports = [4000]
seal-keys = "/var/lib/curvegate/seal"

[console]
device = "/dev/ttyAMA0"
baud = 115200
[limits]                              # each overrides the board's
connections = 1024
memory = "48M"
connect = "60s"
keepalive = "20s"
dead-peer = "90s"
idle = "never"
drain = "10s"
[log]
level = "info"
format = "text"
[metrics]
listen = "127.0.0.1:9469"
`

const CONSOLE_DEFAULTS = { password: undefined, idle: 600 * SECOND }

test('the example of the product page is read, every value of it', async (t) => {
	const config = await read(EXAMPLE)
	const { board, servers, gateway, limits } = config
	t.is(board.name, 'rpi-4')
	t.is(servers.length, 1)
	const [server] = servers
	t.deepEqual(server!.listen, { address: 0, port: 4000 })
	t.deepEqual([server!.keys, server!.extension], ['/var/lib/curvegate/keys', 'from-source'])
	t.deepEqual(server!.names.map(({ name }) => name), ['ssh.home.example', 'admin.home.example'])
	t.deepEqual(server!.names[0]!.service, { kind: 'tcp', host: '127.0.0.1', port: 22 })
	t.deepEqual(server!.names[1]!.service, { kind: 'console' })
	t.deepEqual([...server!.names[1]!.clients!], [OTHER], 'in the case in which keys are compared')
	t.is(config.extensionSource, 'file:/etc/curvecpextension')
	t.is(gateway!.address, addressOf('192.0.2.1'))
	t.deepEqual([gateway!.wan, gateway!.lan, gateway!.datapath], ['eth0', 'eth1', 'auto'])
	t.is(toHex(gateway!.route[0]!.extension), '000102030405060708090a0b0c0d0e0f')
	const address = addressOf('10.77.0.2')!
	t.deepEqual(gateway!.route[0]!.target, { kind: 'ipv4', address, port: 0 })
	t.is(gateway!.encoded!.sealKeys, '/var/lib/curvegate/seal')
	t.deepEqual(config.console, {
		device: '/dev/ttyAMA0', baud: 115_200, driver: 'serialport', ...CONSOLE_DEFAULTS,
	})
	t.deepEqual([limits.connections, limits.memory], [1024, 48 * 2 ** 20])
	t.deepEqual([limits.connect, limits.keepalive, limits.deadPeer, limits.idle, limits.drain],
		[60 * SECOND, 20 * SECOND, 90 * SECOND, NEVER, 10 * SECOND])
	t.deepEqual(config.log, { level: 'info', format: 'text' })
	t.deepEqual(config.metrics, { address: addressOf('127.0.0.1')!, port: 9469 })
	t.deepEqual(extentOf(config), { servers: 1, listens: 1, gatewayPorts: 1 })
	t.false(isShortage(planOf(limits, extentOf(config))))
})

const SMALL = `schema = 1
keys = "keys"
[[server]]
[[server.name]]
name = "a.example"
service = "unix:run/a.sock"
[[server.name]]
name = "b.example"
service = ["exec", "/bin/echo", "two words"]
dead-peer = "8h"
idle = "10m"
`

test('what the file leaves out comes from the board', async (t) => {
	const host = await read(SMALL)
	t.deepEqual(host.servers[0]!.listen, { address: addressOf('127.0.0.1')!, port: 4000 })
	t.is(host.servers[0]!.extension, 'from-source')
	t.is(host.console, undefined, 'a getty may hold the device: the console is asked for')
	t.is(host.gateway, undefined)
	const zero = await read(SMALL, { board: 'rpi-zero-2w' })
	t.is(zero.board.name, 'rpi-zero-2w')
	t.is(zero.servers[0]!.listen.address, 0)
	t.is(zero.limits.connections, 512)
	const console = await read(`${SMALL}[console]\n`, { board: 'rpi-zero-2w' })
	t.deepEqual(console.console, {
		device: '/dev/ttyS1', baud: 115_200, driver: 'tty', ...CONSOLE_DEFAULTS,
	})
})

test('relative paths count from the folder of the file', async (t) => {
	const { servers } = await read(SMALL)
	t.is(servers[0]!.keys, '/etc/curvegate/keys')
	t.deepEqual(servers[0]!.names[0]!.service, { kind: 'unix', path: '/etc/curvegate/run/a.sock' })
	const { extensionSource } = await read(`${SMALL}[extension]\nsource = "file:ext"\n`)
	t.is(extensionSource, 'file:/etc/curvegate/ext')
})

test('a name may have times of its own; the others have those of [limits]', async (t) => {
	const { servers } = await read(`${SMALL}[limits]\nkeepalive = "30s"\n`)
	const [a, b] = servers[0]!.names
	t.deepEqual(a!.liveness, { keepalive: 30 * SECOND, deadPeer: 90 * SECOND, idle: NEVER })
	t.deepEqual(b!.liveness,
		{ keepalive: 30 * SECOND, deadPeer: 8 * 3600 * SECOND, idle: 600 * SECOND })
	t.deepEqual(b!.service, { kind: 'exec', words: ['/bin/echo', 'two words'] })
})

test('what looks wrong and is not', async (t) => {
	const fine = [
		// Two servers on different ports; on one port with different extensions; on a free port each.
		`${SMALL}[[server]]\nlisten = "127.0.0.1:4001"\n[[server.name]]\nname = "a.example"\n`
			+ 'service = "echo"\n',
		`${SMALL}[[server]]\nextension = "any"\n[[server.name]]\nname = "a"\nservice = "echo"\n`,
		`${SMALL.replace('[[server]]', '[[server]]\nlisten = "127.0.0.1:0"')}[[server]]\n`
			+ 'listen = "127.0.0.1:0"\n[[server.name]]\nname = "a.example"\nservice = "echo"\n',
		// The gateway's own port: its servers are routed by their extension.
		`${SMALL}[gateway]\nwan = "eth0"\nports = [4000]\n`,
		// An empty list of clients serves nobody, which may be meant.
		SMALL.replace('dead-peer = "8h"', 'clients = []'),
		// A text of several forms; no end of line.
		'schema = 1\nkeys = \'k\'\nserver = [{ name = [{ name = "a", service = "echo" }] }]',
		SMALL.replaceAll('\n', '\r\n'),
		// Nobody is given up, so nobody need be asked.
		`${SMALL.replace('dead-peer = "8h"\n', '')}[limits]\nkeepalive = "never"\n`
			+ 'dead-peer = "never"\n',
		'schema = 1\n[console]\ndevice = "/dev/ttyS0"\n',
	]
	for (const text of fine) await t.notThrowsAsync(read(text), text)
})

test('from-source and the same digits in the open are one extension', async (t) => {
	const digits = 'ab'.repeat(16)
	const text = `${SMALL}[[server]]\nextension = "${digits}"\n[[server.name]]\nname = "a"\n`
		+ `service = "echo"\n[extension]\nsource = "hex:${digits}"\n`
	const error = await t.throwsAsync(read(text), { instanceOf: Refused })
	t.regex(error!.message, /nothing else tells them apart/)
})

test('at most 64 servers on one address', async (t) => {
	const hex = (i: number): string => i.toString(16).padStart(32, '0')
	const server = (i: number): string => `[[server]]\nextension = "${hex(i)}"\n`
		+ '[[server.name]]\nname = "a"\nservice = "echo"\n'
	const servers = (n: number): string => Array.from({ length: n }, (_, i) => server(i)).join('')
	const text = (n: number): string =>
		`schema = 1\nkeys = "k"\n${servers(n)}[limits]\nmemory = "700M"\n`
	const big = { machine: { compatible: [], ramBytes: 2 ** 34 } }
	t.is((await read(text(64), big)).servers.length, 64)
	const error = await t.throwsAsync(read(text(65), big), { instanceOf: Refused })
	t.regex(error!.message, /at most 64 servers on one address/)
})

test('at most 65,536 names of one server', async (t) => {
	const name = (i: number): string => `[[server.name]]\nname = "n${i}"\nservice = "echo"\n`
	const names = Array.from({ length: 65_537 }, (_, i) => name(i)).join('')
	const text = `schema = 1\nkeys = "k"\n[[server]]\n${names}`
	const error = await t.throwsAsync(read(text), { instanceOf: Refused })
	t.regex(error!.message, /at most 65536 names of one server; found 65537/)
})

test('damaged files are read or refused, with a place, and nothing else happens', async (t) => {
	const seed = 20_260_807
	const { below } = makeGenerator(seed)
	const pieces = [
		'"', '[', ']', '=', '#', '\n', '\\', '{', '}', ',', '.', '-1', 'never', '\t', 'é', '\0',
		'[[server]]\n', 'schema = 1\n', "'", '48M',
	]
	let refused = 0
	for (let i = 0; i < 1500; i++) {
		const at = below(EXAMPLE.length)
		const cut = below(4) === 0 ? below(60) : below(2)
		const text = EXAMPLE.slice(0, at) + pieces[below(pieces.length)]! + EXAMPLE.slice(at + cut)
		try {
			await read(text)
		} catch (error) {
			refused++
			t.true(error instanceof Usage, `seed ${seed}, case ${i}: ${String(error)}`)
			if (!(error instanceof Refused)) continue
			for (const { line } of error.faults) t.true(line! >= 1, `seed ${seed}, case ${i}`)
		}
	}
	t.true(refused > 500 && refused < 1500, `${refused}`)
})

test('without a file: the board alone', async (t) => {
	const config = await defaultConfig({ boards: 'boards' })
	t.is(config.board.name, 'host')
	t.deepEqual([config.servers, config.gateway, config.file], [[], undefined, undefined])
	t.is(config.limits.connections, 1024)
})

test('a file that cannot be read is trouble of the world, not of the file', async (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'config-'))
	t.teardown(() => rmSync(folder, { recursive: true, force: true }))
	const none = await t.throwsAsync(loadConfig(join(folder, 'none')), { instanceOf: Trouble })
	t.regex(none!.message, /unable to read the configuration .*no such file/)
	const dir = await t.throwsAsync(loadConfig(folder), { instanceOf: Trouble })
	t.regex(dir!.message, /is not a file/)
	const latin = join(folder, 'latin.toml')
	writeFileSync(latin, Buffer.from('schema = 1\nkeys = "/k\xe9ys"\n', 'latin1'))
	const wrong = await t.throwsAsync(loadConfig(latin), { instanceOf: Refused })
	t.regex(wrong!.message, /latin\.toml:2:11: expected UTF-8/)
})
