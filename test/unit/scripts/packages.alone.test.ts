// What people install: the tarball for npm, Debian packages, units. CURVEGATE_LONG=1 also installs
// them: with npm under a prefix of its own, with dpkg in a fresh Debian.

import { execFileSync, spawnSync } from 'node:child_process'
import {
	copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { VERSION } from '../../../src/base/version.ts'
import { long, needs } from '../../support/needs.ts'
import { makeFolder, start } from '../../support/processes.ts'

const DEBS = 'build/deb'
const UNITS = ['curvegate.service', 'curvegate-gateway.service']
const TOOLS = ['curvecpclient', 'curvecpmakekey', 'curvecpmessage', 'curvecpprintkey',
	'curvecpserver']

function say(program: string, args: readonly string[], cwd = '.'): string {
	return execFileSync(program, args, { encoding: 'utf8', cwd, stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Builds and returns what is said: names, sizes, sums. */
function buildDebs(...architectures: readonly string[]): string {
	return say(process.execPath, ['build/out/scripts/deb.js', ...architectures])
}

function debOf(architecture: string): string {
	return `${DEBS}/curvegate_${VERSION}_${architecture}.deb`
}

function listDeb(path: string): { mode: string, owner: string, path: string }[] {
	return say('dpkg-deb', ['-c', path]).trim().split('\n').map((line) => {
		const [mode, owner, , , , name] = line.split(/\s+/)
		return { mode: mode!, owner: owner!, path: name! }
	})
}

needs('npm')('the tarball holds what runs, and nothing of how it is made', (t) => {
	const [{ files }]: [{ files: { path: string, mode: number }[] }] =
		JSON.parse(say('npm', ['pack', '--dry-run', '--json', '--ignore-scripts']))
	const paths = files.map(({ path }) => path).filter((path) => !path.startsWith('boards/'))
	t.deepEqual(paths.sort(), [
		'LICENSE', 'README.md', 'build/completions/_curvegate', 'build/completions/curvegate.bash',
		'build/completions/curvegate.fish', ...TOOLS.map((tool) => `build/${tool}`),
		'build/curvegate', 'build/man/curvegate.1', 'package.json',
	].sort())
	t.true(files.some(({ path }) => path === 'boards/host.toml'))
	const described: { bin: Record<string, string> } =
		JSON.parse(readFileSync('package.json', 'utf8'))
	t.deepEqual(Object.keys(described.bin).sort(), [...TOOLS, 'curvegate'])
	for (const path of Object.values(described.bin)) {
		t.is(files.find((file) => file.path === path)?.mode, 0o755, path)
	}
})

needs('dpkg-deb')('a .deb has the parts of its architecture, owned by root, with its sums', (t) => {
	buildDebs('amd64')
	const entries = listDeb(debOf('amd64'))
	t.deepEqual([...new Set(entries.map(({ owner }) => owner))], ['root/root'])
	const open = entries.filter(({ mode }) => mode[0] !== 'l' && (mode[5] === 'w' || mode[8] === 'w'))
	t.deepEqual(open, [], 'others cannot write')
	const paths = entries.map(({ path }) => path.slice(1))
	for (const path of ['/usr/bin/curvegate', '/etc/curvegate/', '/usr/share/man/man1/curvegate.1.gz',
		'/usr/share/bash-completion/completions/curvegate', '/usr/lib/curvegate/boards/host.toml',
		...UNITS.map((unit) => `/usr/lib/systemd/system/${unit}`)]) t.true(paths.includes(path), path)
	const natives = paths.filter((path) => path.endsWith('.node'))
	const modules = '/usr/lib/curvegate/node_modules'
	t.deepEqual(natives, [`${modules}/@koromix/koffi-linux-x64/linux_x64/koffi.node`])
	t.deepEqual(paths.filter((path) => path.startsWith('/usr/bin/')),
		['/usr/bin/', '/usr/bin/curvegate'])
	const fields = say('dpkg-deb', ['-f', debOf('amd64')])
	t.regex(fields, /^Depends: nodejs \(>= 20\.19\), passwd$/m)
	t.regex(fields, /^Recommends: libsodium23$/m)
	const folder = makeFolder(t)
	say('dpkg-deb', ['-R', debOf('amd64'), folder])
	t.is(spawnSync('md5sum', ['-c', '--quiet', 'DEBIAN/md5sums'], { cwd: folder }).status, 0)
	for (const script of ['postinst', 'prerm', 'postrm']) {
		t.is(spawnSync('sh', ['-n', join(folder, 'DEBIAN', script)]).status, 0, script)
	}
	const postinst = readFileSync(join(folder, 'DEBIAN/postinst'), 'utf8')
	t.notRegex(postinst, /systemctl (start|enable|restart)/)
	const version = spawnSync(join(folder, 'usr/bin/curvegate'), ['--version'], { encoding: 'utf8' })
	t.is(version.stdout, `curvegate ${VERSION}\n`)
})

needs('dpkg-deb')('the same source makes the same bytes', (t) => {
	const first = buildDebs('amd64')
	t.regex(first, /sha256 [0-9a-f]{64}\n$/)
	t.is(buildDebs('amd64'), first)
	t.deepEqual(listDeb(`${DEBS}/curvegate-curvecp_${VERSION}_all.deb`)
		.map(({ path }) => path).filter((path) => path.startsWith('./usr/bin/c')).sort(),
	TOOLS.map((tool) => `./usr/bin/${tool}`))
})

long('dpkg-deb', 'file')('every architecture has its own native part', (t) => {
	buildDebs()
	const machines = { amd64: /x86-64/, arm64: /ARM aarch64/, armhf: /32-bit.* ARM, EABI5/ }
	for (const [architecture, machine] of Object.entries(machines)) {
		t.regex(say('dpkg-deb', ['-f', debOf(architecture)]),
			new RegExp(`^Architecture: ${architecture}$`, 'm'))
		const folder = makeFolder(t)
		say('dpkg-deb', ['-x', debOf(architecture), folder])
		const natives = readdirSync(folder, { recursive: true, encoding: 'utf8' })
			.filter((path) => path.endsWith('.node'))
		t.is(natives.length, 1, natives.join(' '))
		t.regex(say('file', [join(folder, natives[0]!)]), machine)
	}
})

/** A server and a client of that curvegate, over loopback. */
async function tryOut(t: ExecutionContext, curvegate: readonly string[]): Promise<void> {
	const [program, ...before] = curvegate
	const folder = makeFolder(t)
	const server = start(t, program!,
		[...before, 'server', '--listen', '127.0.0.1:0', '--serve', 'echo.example=echo'],
		{ cwd: folder })
	const address = await server.untilPrinted(/curvecp:\S+(?=\n)/)
	const client = start(t, program!, [...before, 'connect', address], { cwd: folder })
	client.feed('through\n')
	t.is((await client.ended).code, 0, client.stderr())
	t.is(client.stdout().toString(), 'through\n')
}

for (const scripts of ['--ignore-scripts', '--foreground-scripts']) {
	long('npm')(`the tarball, installed with npm ${scripts}, runs`, async (t) => {
		const folder = makeFolder(t)
		const name = say('npm', ['pack', '--silent', '--pack-destination', folder]).trim()
		const prefix = join(folder, 'prefix')
		say('npm', ['install', '-g', scripts, '--prefix', prefix, join(folder, name)], folder)
		const bin = (one: string): string => join(prefix, 'bin', one)
		t.is(say(bin('curvegate'), ['--version']), `curvegate ${VERSION}\n`)
		t.deepEqual(readdirSync(join(prefix, 'bin')).sort(), [...TOOLS, 'curvegate'])
		t.is(say(bin('curvecpmakekey'), [join(folder, 'keys')]), '')
		t.regex(say(bin('curvecpprintkey'), [join(folder, 'keys')]), /^[0-9a-f]{64}\n$/)
		await tryOut(t, [bin('curvegate')])
	})
}

const inFreshDebian = long('mmdebstrap', 'root', 'dpkg-deb')

/** A fresh Debian with our packages in its /tmp, and what more it shall have. */
function makeDebian(t: ExecutionContext, ...more: string[]): string {
	buildDebs('amd64')
	const root = join(makeFolder(t), 'root')
	const include = ['nodejs', 'libsodium23', 'passwd', ...more].join()
	say('mmdebstrap', ['--quiet', '--variant=apt', `--include=${include}`, 'trixie', root])
	for (const deb of readdirSync(DEBS).filter((one) => /_(amd64|all)\.deb$/.test(one))) {
		copyFileSync(join(DEBS, deb), join(root, 'tmp', deb))
	}
	return root
}

inFreshDebian('the .deb installs in a fresh Debian, and runs', async (t) => {
	const root = makeDebian(t)
	const inside = (line: string): string => say('chroot', [root, 'sh', '-ec', line])
	inside('dpkg -i /tmp/*.deb')
	t.regex(inside('getent passwd curvegate'), /:\/var\/lib\/curvegate:\/usr\/sbin\/nologin\n$/)
	t.is(inside('stat -c "%U %a" /var/lib/curvegate'), 'curvegate 700\n')
	t.is(inside('curvegate --version'), `curvegate ${VERSION}\n`)
	t.regex(inside('curvecpmakekey /tmp/keys; curvecpprintkey /tmp/keys'), /^[0-9a-f]{64}\n$/)
	t.regex(inside('cd /; curvegate boards'), /^host /m)
	t.is(inside('ls /etc/curvegate'), '')
	await tryOut(t, ['chroot', root, 'env', '--chdir=/tmp', 'curvegate'])
	inside('dpkg -P curvegate-curvecp curvegate')
	t.false(existsSync(join(root, 'usr/lib/curvegate')))
	t.true(existsSync(join(root, 'var/lib/curvegate')), 'keys outlive a purge')
})

const CONFIG = `schema = 1
keys = "/var/lib/curvegate/keys"
[[server]]
listen = "127.0.0.1:4000"
[[server.name]]
name = "who.example"
service = "exec:id -un"
`

long('mmdebstrap', 'root', 'dpkg-deb', 'systemd-nspawn', 'nsenter')(
	'a real systemd starts, reloads, restarts and stops the unit', async (t) => {
		const root = makeDebian(t, 'systemd-sysv', 'dbus')
		say('chroot', [root, 'sh', '-ec', 'dpkg -i /tmp/*.deb'])
		writeFileSync(join(root, 'etc/curvegate/curvegate.toml'), CONFIG)
		const machine = start(t, 'systemd-nspawn', ['--quiet', '--directory', root, '--boot',
			'--private-network', '--register=no', '--keep-unit', '--console=pipe'],
		{ env: { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' } })
		const inside = (line: string): string => {
			const init = say('pgrep', ['-P', String(machine.pid)]).trim()
			return say('nsenter', ['--target', init, '--all', 'env', '-i', 'PATH=/usr/sbin:/usr/bin',
				'sh', '-ec', line]).trim()
		}
		const isUp = (): boolean => {
			try {
				return inside('systemctl is-active multi-user.target') === 'active'
			} catch {
				return false
			}
		}
		await machine.until(isUp, 'multi-user.target')
		inside('runuser -u curvegate -- curvegate keygen /var/lib/curvegate/keys')
		inside('systemctl start curvegate')
		const ask = (): string => inside('echo | curvegate connect '
			+ '"$(curvegate address make --config /etc/curvegate/curvegate.toml)"')
		t.is(ask(), 'curvegate')
		const pid = (): string => inside('systemctl show -p MainPID --value curvegate')
		const rights = inside(`cat /proc/${pid()}/status`)
		for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) {
			t.regex(rights, new RegExp(`^Cap${set}:\\s+0+$`, 'm'))
		}
		t.regex(rights, /^NoNewPrivs:\s+1$/m)
		t.regex(inside('curvegate status'), /who\.example/)
		const before = pid()
		inside('sed -i s/who.example/new.example/ /etc/curvegate/curvegate.toml')
		inside('systemctl reload curvegate')
		t.is(ask(), 'curvegate', 'the new name is served')
		t.is(pid(), before)
		inside(`kill -9 ${before}; until [ "$(systemctl is-active curvegate)" = active ]; do :; done`)
		t.not(pid(), before)
		t.is(ask(), 'curvegate')
		inside('systemctl stop curvegate')
		t.is(inside('systemctl is-failed curvegate || true'), 'inactive')
	})

needs('systemd-analyze')('systemd takes the units, and they forbid what can be forbidden', (t) => {
	const folder = makeFolder(t)
	const exposure = new Map<string, number>()
	for (const unit of UNITS) {
		const text = readFileSync(`scripts/packaging/systemd/${unit}`, 'utf8')
		const path = join(folder, unit)
		// It asks whether the program is there.
		writeFileSync(path, text.replaceAll('/usr/bin/curvegate', resolve('build/curvegate'))
			.replace(/^Documentation=.*\n/m, ''))
		const verified = spawnSync('systemd-analyze', ['verify', '--man=no', path],
			{ encoding: 'utf8', timeout: 60_000 })
		t.is(verified.error, undefined)
		const about = verified.stderr.split('\n').filter((line) => line.includes(unit))
		t.deepEqual(about, [], verified.stderr)
		const security = spawnSync('systemd-analyze',
			['security', '--offline=yes', '--no-pager', path], { encoding: 'utf8', timeout: 60_000 })
		const forbidden = [...security.stdout.matchAll(/^ *[✓✔] (\S+)/gmu)].map(([, what]) => what)
		t.log(`${unit} forbids: ${forbidden.join(' ')}`)
		exposure.set(unit, Number(/Overall exposure level.*: (\d+\.\d)/.exec(security.stdout)?.[1]))
	}
	t.true(exposure.get(UNITS[0]!)! <= 2.5, `${exposure.get(UNITS[0]!)}`)
	t.true(exposure.get(UNITS[1]!)! <= 3.5, `${exposure.get(UNITS[1]!)}`)
})

test('the two units differ in nothing but what a gateway needs', (t) => {
	const [plain, gateway] = UNITS.map((unit) =>
		readFileSync(`scripts/packaging/systemd/${unit}`, 'utf8').split('\n'))
	const extra = gateway!.filter((line) => !plain!.includes(line))
		.filter((line) => !/^(#|Description=|Conflicts=)/.test(line))
	const rights = 'CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE'
	t.deepEqual(extra, [`CapabilityBoundingSet=${rights}`, `AmbientCapabilities=${rights}`,
		'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK AF_PACKET',
		'SystemCallFilter=capset'])
	for (const unit of [plain!, gateway!]) {
		t.true(unit.includes(
			'ExecStart=/usr/bin/curvegate run --config /etc/curvegate/curvegate.toml'))
		t.true(unit.includes('ConditionPathExists=/etc/curvegate/curvegate.toml'))
	}
})

/** procd's functions, which say what they were told. */
const PROCD = `
procd_open_instance() { echo "open $*"; }
procd_set_param() { echo "set $*"; }
procd_close_instance() { echo close; }
procd_send_signal() { echo "signal $*"; }
`

needs('sh')('OpenWrt: procd is told what to run, and nothing without a configuration', (t) => {
	const folder = makeFolder(t)
	const script = readFileSync('scripts/packaging/openwrt/curvegate.init', 'utf8')
	t.regex(script, /^#!\/bin\/sh \/etc\/rc\.common\n/)
	const path = join(folder, 'curvegate')
	const config = join(folder, 'curvegate.toml')
	writeFileSync(path, PROCD + script.replace('/usr/bin/curvegate', join(folder, 'program'))
		.replace('/etc/curvegate/curvegate.toml', config))
	t.is(spawnSync('sh', ['-n', path]).status, 0)
	const call = (what: string, exit = 0): { status: number | null, stdout: string } => {
		writeFileSync(join(folder, 'program'), `#!/bin/sh\nexit ${exit}\n`, { mode: 0o755 })
		return spawnSync('sh', ['-c', `. ${path}; ${what}`], { encoding: 'utf8' })
	}
	t.deepEqual([call('start_service').status, call('start_service').stdout], [0, ''])
	writeFileSync(config, 'schema = 1\n')
	const started = call('start_service').stdout
	const command = `${folder}/program run --config ${config}`
	t.true(started.startsWith(`open \nset command ${command}\n`), started)
	t.regex(started, /^set no_new_privs 1$/m)
	t.regex(started, /\nclose\n$/)
	t.deepEqual([call('start_service', 100).status, call('start_service', 100).stdout], [1, ''])
	t.is(call('start_service', 111).stdout, started)
	t.is(call('reload_service').stdout, 'signal curvegate\n')
	const rights: Record<string, string[]> =
		JSON.parse(readFileSync('scripts/packaging/openwrt/capabilities.json', 'utf8'))
	for (const set of Object.values(rights)) t.is(set.length, 3)
})

const withSystemd = needs('systemd-notify', 'socat')

withSystemd('run tells systemd when it listens; the programs that it serves cannot', async (t) => {
	const folder = makeFolder(t)
	const socket = join(folder, 'notify')
	const listener = start(t, 'socat', ['-u', `UNIX-RECV:${socket}`, 'STDOUT'])
	await listener.until(() => existsSync(socket), 'its socket')
	mkdirSync(join(folder, 'run'))
	const curvegate = resolve('build/curvegate')
	say(curvegate, ['keygen', join(folder, 'keys')])
	writeFileSync(join(folder, 'curvegate.toml'), [
		'schema = 1', 'keys = "keys"', '[[server]]', 'listen = "127.0.0.1:0"',
		'[[server.name]]', 'name = "env.example"', 'service = "exec:env"', '',
	].join('\n'))
	const server = start(t, curvegate, ['run', '--config', join(folder, 'curvegate.toml')],
		{ cwd: folder, env: { NOTIFY_SOCKET: socket, XDG_RUNTIME_DIR: join(folder, 'run') } })
	await listener.untilPrinted(/READY=1/)
	const address = await server.untilPrinted(/curvecp:\S+(?=\n)/)
	const client = start(t, curvegate, ['connect', address])
	client.feed('')
	t.is((await client.ended).code, 0, client.stderr())
	t.notRegex(client.stdout().toString(), /NOTIFY_SOCKET/)
})
