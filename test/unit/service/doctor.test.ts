// The doctor's checks on facts that a test makes up, and its looking around in a tree of files.

import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { holdersOf } from '../../../src/platform/device-holder.ts'
import { examine, scopeOf } from '../../../src/service/doctor-checks.ts'
import {
	capabilitiesOf, lookAtPorts, lookAtStorage, lookAtVoltage, type Facts,
} from '../../../src/service/doctor-facts.ts'
import { makeFolder } from '../../support/processes.ts'

const HEALTHY: Facts = {
	capabilities: new Set([10, 12, 13]),
	listens: [{ address: '0.0.0.0', port: 4000, holder: undefined }],
	lowestFreePort: 1024,
	buffers: { wanted: 4_194_304, receive: 212_992, send: 212_992 },
	missing: [],
	gateway: { datapath: 'auto', ipForward: '1', nftMissing: undefined },
	boardMismatch: undefined,
	clock: Date.UTC(2026, 0, 1),
	extension: { source: 'file:/etc/curvecpextension', note: undefined },
	addresses: ['198.51.100.7'],
	published: [{ host: 'a.example', port: 4000, found: ['198.51.100.7'] }],
	outside: [],
	console: { device: '/dev/ttyAMA0', holder: undefined },
	storage: [{ path: '/keys', device: '/dev/mmcblk0p2', readOnly: false, errors: 0, worn: 0.1 }],
	undervoltage: { now: false, before: false },
	world: [],
}

test('a healthy machine has nothing but fine findings, one for each check', (t) => {
	const findings = examine(HEALTHY)
	t.deepEqual(findings.filter(({ state }) => state !== 'fine'), [])
	t.deepEqual(findings.map(({ check }) => check), ['port', 'buffers', 'libraries', 'capabilities',
		'forwarding', 'nft', 'clock', 'extension', 'address', 'nat', 'console', 'storage', 'voltage'])
})

const finds = test.macro({
	exec(t, ill: Partial<Facts>, check: string, state: string, message: RegExp, cure?: RegExp) {
		const other = examine({ ...HEALTHY, ...ill }).filter((one) => one.state !== 'fine')
		t.is(other.length, 1, JSON.stringify(other))
		const [found] = other
		t.deepEqual([found?.check, found?.state], [check, state])
		t.regex(found?.message ?? '', message)
		if (cure === undefined) t.is(found?.cure, null)
		else t.regex(found?.cure ?? '', cure)
	},
	title: (title = '') => title,
})

const listen = (holder: Facts['listens'][number]['holder'], port = 4000): Partial<Facts> =>
	({ listens: [{ address: '0.0.0.0', port, holder }] })
const bare: Partial<Facts> = { capabilities: new Set(), gateway: undefined,
	buffers: { wanted: 1, receive: 2, send: 2 } }
const gateway = { datapath: 'auto', ipForward: '1', nftMissing: undefined }

test('a port of another program', finds, listen({ pid: 7, command: 'named -f' }), 'port', 'trouble',
	/held by process 7, named -f/, /end it/)
test('a port of a program that cannot be seen', finds, listen({ pid: 0, command: '' }), 'port',
	'trouble', /another user/, /ss -lunp 'sport = :4000'/)
test('a port that needs root', finds, { ...bare, ...listen(undefined, 53) }, 'port', 'trouble',
	/ports below 1024/, /setcap/)
test('small buffers', finds, { ...bare, buffers: { wanted: 4_194_304, receive: 212_992,
	send: 4_194_304 } }, 'buffers', 'trouble', /rmem_max is 212992/, /sysctl -w .*=4194304/)
test('no libsodium', finds, { missing: ['no libsodium; portable crypto'] }, 'libraries', 'note',
	/no libsodium/, /apt-get install libsodium23/)
test('no right to forward', finds, { capabilities: new Set([10, 12]) }, 'capabilities', 'trouble',
	/no CAP_NET_RAW/, /AmbientCapabilities/)
test('forwarding off', finds, { gateway: { ...gateway, ipForward: '0' } }, 'forwarding', 'trouble',
	/ip_forward is off/, /sysctl -w net\.ipv4\.ip_forward=1/)
test('no nft', finds, { gateway: { ...gateway, nftMissing: 'nft is not installed' } }, 'nft',
	'trouble', /not installed/, /apt-get install nftables/)
test('another board', finds, { boardMismatch: 'this machine is a Raspberry Pi 4' }, 'board',
	'trouble', /Raspberry/, /curvegate boards/)
test('1970', finds, { clock: 5000 }, 'clock', 'note', /harmless/)
test('no extension', finds, { extension: { source: 'file:/x', note: '/x is absent' } }, 'extension',
	'note', /\/x is absent/, /16 bytes/)
test('a name that leads nowhere', finds, { published: [{ host: 'a.example', port: 4000,
	found: 'no such host name' }] }, 'address', 'trouble', /not found/, /A record/)
test('a name that leads elsewhere', finds, { published: [{ host: 'a.example', port: 4000,
	found: ['203.0.113.9'] }] }, 'address', 'trouble', /203\.0\.113\.9, this machine has/, /A record/)
test('a provider that translates', finds, { addresses: ['100.64.3.4'], published: [] }, 'nat',
	'trouble', /100\.64/, /public address/)
test('a router before us', finds, { addresses: ['192.168.1.5'], published: [] }, 'nat', 'note',
	/behind NAT/, /forward UDP 4000 of the router to 192\.168\.1\.5/)
const on = (command: string, isGetty: boolean): Partial<Facts> =>
	({ console: { device: '/dev/ttyAMA0', holder: { pid: 9, command, isGetty } } })
test('a getty on the console', finds, on('/sbin/agetty -o ttyAMA0', true), 'console',
	'trouble', /process 9/, /serial-getty@ttyAMA0/)
test('a terminal program on the console', finds, on('minicom', false), 'console',
	'trouble', /process 9 \(minicom\)/, /end it/)
test('ourselves on the console are no trouble', (t) => {
	const found = examine({ ...HEALTHY, ...on('node /usr/bin/curvegate run', false) })
	t.is(found.find(({ check }) => check === 'console')?.state, 'fine')
})
const storage = HEALTHY.storage[0]!
test('a read-only card', finds, { storage: [{ ...storage, readOnly: true }] }, 'storage', 'trouble',
	/read-only/, /remount/)
test('a worn card', finds, { storage: [{ ...storage, worn: 1 }] }, 'storage', 'trouble', /100 %/,
	/replace/)
test('a card with errors', finds, { storage: [{ ...storage, errors: 3 }] }, 'storage', 'trouble',
	/3 errors/, /replace/)
test('a weak supply', finds, { undervoltage: { now: false, before: true } }, 'voltage', 'trouble',
	/was too weak/, /supply/)
test('what the configuration names and is not there', finds, { world: ['no key directory'] },
	'configuration', 'trouble', /no key directory/, /curvegate check/)

test('behind a router, the published address is the router\'s', (t) => {
	const published = [{ host: 'a.example', port: 4000, found: ['203.0.113.9'] }]
	const found = examine({ ...HEALTHY, addresses: ['10.0.0.5'], published })
		.find(({ check }) => check === 'address')
	t.is(found?.state, 'note')
	t.is(found?.cure, 'forward UDP port 4000 of the router to 10.0.0.5')
})

test('our own process may hold the port', (t) => {
	const facts = { ...HEALTHY, ...listen({ pid: 7, command: 'node /usr/bin/curvegate run' }) }
	t.is(examine(facts)[0]?.state, 'fine')
})

test('which addresses the world can reach', (t) => {
	const scopes = ['8.8.8.8', '10.1.1.1', '172.31.0.1', '172.32.0.1', '192.168.0.1', '100.127.0.1',
		'169.254.1.1', '127.0.0.1', '224.0.0.1', '100.128.0.1'].map(scopeOf)
	t.deepEqual(scopes, ['public', 'private', 'private', 'public', 'private', 'carrier', 'other',
		'other', 'other', 'public'])
})

function tree(t: ExecutionContext, files: Record<string, string>): string {
	const root = makeFolder(t)
	for (const [path, text] of Object.entries(files)) {
		mkdirSync(dirname(join(root, path)), { recursive: true })
		writeFileSync(join(root, path), text)
	}
	return root
}

test('who holds a port, by the kernel\'s table and its descriptors', (t) => {
	const row = (at: string, inode: number): string => `  1: ${at} 00000000:0000 07 `
		+ `00000000:00000000 00:00000000 00000000     0        0 ${inode} 2 0 0`
	const root = tree(t, {
		'proc/net/udp': `head\n${row('0100007F:0FA0', 77)}\n${row('00000000:0035', 78)}\n`,
		'proc/42/cmdline': 'named\0-f\0',
	})
	mkdirSync(join(root, 'proc/42/fd'))
	symlinkSync('socket:[77]', join(root, 'proc/42/fd/3'))
	const listens = [[0x7f000001, 4000], [0x7f000002, 4000], [0, 4000], [0x0a000001, 53], [0, 54]]
	const found = lookAtPorts(listens.map(([address, port]) =>
		({ address: address!, port: port! })), root)
	const named = { pid: 42, command: 'named -f' }
	t.deepEqual(found.map(({ holder }) => holder),
		[named, undefined, named, { pid: 0, command: '' }, undefined])
})

test('a getty, a voltage, a mount, capabilities', (t) => {
	const root = tree(t, {
		'proc/9/cmdline': '/sbin/agetty\0-o\0ttyAMA0\x00115200\0',
		'proc/8/cmdline': '/bin/vi\0ttyS0\0',
		'proc/self/mounts': '/dev/mmcblk0p1 / ext4 rw 0 0\n/dev/mmcblk0p2 /data ext4 ro,x 0 0\n',
		'sys/fs/ext4/mmcblk0p2/errors_count': '4\n',
		'sys/block/mmcblk0/device/life_time': '0x0b 0x01\n',
		'sys/class/hwmon/hwmon1/name': 'rpi_volt\n',
		'sys/class/hwmon/hwmon1/in0_lcrit_alarm': '1\n',
	})
	t.deepEqual(holdersOf('/dev/ttyAMA0', root),
		[{ pid: 9, command: '/sbin/agetty -o ttyAMA0', isGetty: true }])
	t.deepEqual(holdersOf('/dev/ttyS0', root), [])
	t.deepEqual(lookAtVoltage(root), { now: true, before: true })
	t.is(lookAtVoltage(join(root, 'none')), undefined)
	t.deepEqual(lookAtStorage(['/data/keys', '/database'], root), [
		{ path: '/data/keys', device: '/dev/mmcblk0p2', readOnly: true, errors: 4, worn: 1 },
		{ path: '/database', device: '/dev/mmcblk0p1', readOnly: false, errors: 0, worn: 1 },
	])
	t.deepEqual([...capabilitiesOf('CapEff:\t0000000000003000\n')], [12, 13])
	t.deepEqual([...capabilitiesOf('')], [])
})

test('keys behind a link are where the link leads; Node\'s options hide nobody', (t) => {
	const folder = realpathSync(makeFolder(t))
	mkdirSync(join(folder, 'proc/7/fd'), { recursive: true })
	mkdirSync(join(folder, 'proc/self'))
	mkdirSync(join(folder, 'proc/net'))
	mkdirSync(join(folder, 'data'))
	symlinkSync(join(folder, 'data'), join(folder, 'keys'))
	writeFileSync(join(folder, 'proc/self/mounts'),
		`/dev/vda5 / squashfs ro\n/dev/vda7 ${folder}/data ext4 rw\n`)
	t.like(lookAtStorage([join(folder, 'keys')], folder)[0],
		{ device: '/dev/vda7', readOnly: false, path: join(folder, 'data') })
	writeFileSync(join(folder, 'proc/net/udp'), 'head\n   0: 00000000:0FA0 00000000:0000 07 '
		+ '00000000:00000000 00:00000000 00000000     0        0 123 2 0 0\n')
	symlinkSync('socket:[123]', join(folder, 'proc/7/fd/5'))
	writeFileSync(join(folder, 'proc/7/cmdline'),
		'/usr/bin/node\0--max-semi-space-size=1\0--single-threaded\0/usr/bin/curvegate\0run\0')
	t.deepEqual(lookAtPorts([{ address: 0, port: 4000 }], folder)[0]?.holder,
		{ pid: 7, command: '/usr/bin/node /usr/bin/curvegate run' })
})
