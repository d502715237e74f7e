// make deploy to a real sshd on loopback, below a folder of its own, with a stand-in for systemctl
// that starts and ends real processes: first version, next version, one that does not answer, one
// that does not take the configuration, and the way back.

import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
	existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { findProgram, long, needs } from '../../support/needs.ts'
import {
	freePort, freeTcpPort, makeFolder, start, type Owner,
} from '../../support/processes.ts'

interface Box {
	readonly root: string
	readonly ssh: string
	/** What systemctl was told, in order. */
	readonly told: () => string[]
}

/** Starts and ends what the unit says, and nothing else. */
const SYSTEMCTL = `#!/bin/sh
root=ROOT
echo "$*" >>$root/told
[ "$1" = restart ] || exit 0
if [ -f $root/pid ]; then
	kill $(cat $root/pid)
	while kill -0 $(cat $root/pid) 2>/dev/null; do sleep 0.05; done
fi
$root/usr/bin/curvegate run --config $root/etc/curvegate/curvegate.toml >$root/log 2>&1 &
echo $! >$root/pid
`

async function startBox(t: Owner): Promise<Box> {
	const folder = makeFolder(t)
	const root = join(folder, 'root')
	const bin = join(folder, 'bin')
	for (const path of [join(root, 'run/systemd/system'), join(root, 'etc/curvegate'), bin]) {
		mkdirSync(path, { recursive: true })
	}
	writeFileSync(join(bin, 'systemctl'), SYSTEMCTL.replace('ROOT', root), { mode: 0o755 })
	for (const key of ['host', 'user']) {
		execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, key)])
	}
	const port = await freeTcpPort()
	writeFileSync(join(folder, 'sshd_config'), [
		`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${folder}/host`, 'PidFile none',
		`AuthorizedKeysFile ${folder}/user.pub`, 'StrictModes no', 'UsePAM no', 'PermitRootLogin yes',
		`SetEnv PATH=${bin}:${process.env['PATH']} CURVEGATE_DEPLOY_PAUSE_MS=300`, '',
	].join('\n'))
	if (process.geteuid?.() === 0) mkdirSync('/run/sshd', { recursive: true })
	const sshd = start(t, findProgram('sshd')!, ['-D', '-e', '-f', join(folder, 'sshd_config')])
	await sshd.untilPrinted(/Server listening/)
	t.teardown(() => {
		if (!existsSync(join(root, 'pid'))) return
		spawnSync('kill', [readFileSync(join(root, 'pid'), 'utf8').trim()])
	})
	return {
		root,
		ssh: `ssh -p ${port} -i ${folder}/user -o BatchMode=yes -o StrictHostKeyChecking=no `
			+ `-o UserKnownHostsFile=${folder}/known -o LogLevel=ERROR`,
		told: () => readFileSync(join(root, 'told'), 'utf8').trim().split('\n'),
	}
}

interface Ran {
	readonly code: number
	readonly said: string
}

async function deploy({ root, ssh }: Box, ...args: readonly string[]): Promise<Ran> {
	const child = spawn(process.execPath, ['build/out/scripts/deploy.js', '--host', '127.0.0.1',
		'--ssh', ssh, '--root', root, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
	const said: Buffer[] = []
	for (const stream of [child.stdout, child.stderr]) {
		stream.on('data', (chunk: Buffer) => said.push(chunk))
	}
	const [code] = await once(child, 'close')
	return { code: Number(code), said: Buffer.concat(said).toString() }
}

/** A configuration of one server; its keys, its port and its control socket are the box's own. */
async function configure({ root }: Box, more = ''): Promise<void> {
	const keys = join(root, 'keys')
	if (!existsSync(keys)) {
		execFileSync(process.execPath, ['build/out/src/cli/main.js', 'keygen', keys])
	}
	writeFileSync(join(root, 'etc/curvegate/curvegate.toml'), `schema = 1
control = "${root}/run/c.sock"
${more}
[[server]]
listen = "127.0.0.1:${await freePort()}"
keys = "${keys}"
[[server.name]]
name = "box.example"
service = "echo"
`)
}

function current({ root }: Box): string {
	return readlinkSync(join(root, 'opt/curvegate/current')).replace('releases/', '')
}

/** Another release of the same program, as options. */
function changed(t: ExecutionContext, change: (text: string) => string): string[] {
	const bundle = join(makeFolder(t), 'curvegate')
	writeFileSync(bundle, change(readFileSync('build/curvegate', 'utf8')))
	return ['--bundle', bundle]
}

needs('sshd', 'ssh', 'ssh-keygen')('first, next, broken, refused, back', async (t) => {
	const box = await startBox(t)
	const first = await deploy(box)
	t.is(first.code, 0, first.said)
	t.regex(first.said, /systemd, Node\.js v\d+\.\d+\.\d+, no release yet$/m)
	t.regex(first.said, /there is no .*curvegate\.toml yet, so nothing is started/)
	t.deepEqual(readdirSync(join(box.root, 'etc/systemd/system')).sort(),
		['curvegate-gateway.service', 'curvegate.service'])
	const one = current(box)

	await configure(box)
	const started = await deploy(box, '--json')
	t.is(started.code, 0, started.said)
	t.regex(started.said, /"event":"installed","release":".*","before":".*","running":true/)
	t.deepEqual(box.told(), ['daemon-reload', 'enable curvegate', 'daemon-reload',
		'restart curvegate'])
	t.is(current(box), one, 'the same release is the same')

	const next = await deploy(box, ...changed(t, (text) => `${text}\n// next\n`))
	t.is(next.code, 0, next.said)
	const two = current(box)
	t.not(two, one)
	t.regex(next.said, new RegExp(`${two} is installed and answers; ${one} is kept`))

	const back = await deploy(box, '--rollback')
	t.is(back.code, 0, back.said)
	t.is(current(box), one)

	const broken = await deploy(box, ...changed(t, (text) => text.replace(/^(.*\n.*\n)/,
		'$1if (process.argv[2] === "run") process.exit(1);\n')))
	t.is(broken.code, 111, broken.said)
	t.regex(broken.said, new RegExp(`does not answer; ${one} runs again`))
	t.is(current(box), one)
	t.is(spawnSync(join(box.root, 'usr/bin/curvegate'),
		['status', '--control', join(box.root, 'run/c.sock')]).status, 0)
})

needs('sshd', 'ssh', 'ssh-keygen')('what is refused changes nothing', async (t) => {
	const box = await startBox(t)
	t.is((await deploy(box, '--rollback')).code, 111)
	const dry = await deploy(box, '--dry-run')
	t.is(dry.code, 0, dry.said)
	t.false(existsSync(join(box.root, 'opt')))
	await configure(box, 'colour = "blue"')
	const refused = await deploy(box)
	t.is(refused.code, 100, refused.said)
	t.regex(refused.said, /nothing was changed:[^]*colour/)
	t.false(existsSync(join(box.root, 'opt/curvegate/current')))
	await configure(box)
	mkdirSync(join(box.root, 'usr/bin'), { recursive: true })
	writeFileSync(join(box.root, 'usr/bin/curvegate'), '#!/bin/sh\n')
	t.regex((await deploy(box)).said, /is somebody else's; cure: apt remove curvegate/)
	const nobody = await deploy({ ...box, ssh: 'false' })
	t.is(nobody.code, 111)
	t.regex(nobody.said, /unable to reach 127\.0\.0\.1/)
})

const longWithLdd = long('sshd', 'ssh', 'ssh-keygen', 'ldd')

longWithLdd('with Node.js and its libraries brought along', async (t) => {
	const box = await startBox(t)
	const runtime = join(makeFolder(t), 'runtime')
	mkdirSync(join(runtime, 'bin'), { recursive: true })
	mkdirSync(join(runtime, 'lib'))
	execFileSync('cp', [process.execPath, join(runtime, 'bin/node')])
	const libraries = execFileSync('ldd', [process.execPath], { encoding: 'utf8' })
	for (const [path] of libraries.matchAll(/\/\S+\.so\.\d+/g)) {
		execFileSync('cp', ['-L', path, join(runtime, 'lib')])
	}
	await configure(box)
	const ran = await deploy(box, '--runtime', runtime)
	t.is(ran.code, 0, ran.said)
	t.regex(ran.said, /is installed and answers$/m)
	const pid = readFileSync(join(box.root, 'pid'), 'utf8').trim()
	t.regex(readFileSync(`/proc/${pid}/maps`, 'utf8'), /runtime\/lib\/libc\.so/)
})

test('wrong usage', async (t) => {
	const box = { root: '/x', ssh: 'ssh', told: () => [] }
	t.is((await deploy(box, '--hots', 'x')).code, 100)
	const option = await deploy({ ...box, ssh: 'ssh "' })
	t.is(option.code, 100, option.said)
	t.regex((await deploy(box, '--help')).said, /--runtime PATH/)
})
