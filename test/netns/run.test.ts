// One process from one file on the router: a gateway and, on its own public port, a server of the
// same file. NaCl's client reaches both from the Internet (drawing: test/support/gateway-site.ts).

import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ExecutionContext } from 'ava'
import { runCurvegate } from '../support/curvegate.ts'
import {
	EXT_ONE, EXT_TWO, makeSite, PUBLIC, randomInput, shownByNft, startStranger, talk,
	type Site,
} from '../support/gateway-site.ts'
import { needs } from '../support/needs.ts'
import type { Started } from '../support/processes.ts'
import { checkRights, idOf, KEPT, NOTHING, statusOf } from '../support/rights.ts'

const MAIN = resolve('build/out/src/cli/main.js')
const NEEDS = ['linux', 'root', 'netns', 'ip', 'nft', 'curvecpserver', 'curvecpclient']
const EXT_OWN = '77777777777777777777777777777777'
const EXT_NEW = '88888888888888888888888888888888'

interface Options {
	readonly datapath: string
	/** As the file has it. */
	readonly service?: string
	readonly user?: string
	readonly extension?: string
	readonly routes?: readonly (readonly [extension: string, target: string])[]
}

function configOf({ datapath, service, user, extension, routes }: Options): string {
	return `schema = 1
keys = "keys"
${user === undefined ? '' : `user = "${user}"`}
[extension]
source = "hex:${extension ?? EXT_OWN}"
[[server]]
listen = "0.0.0.0:4000"
[[server.name]]
name = "server.example"
service = ${service ?? '"echo"'}
[gateway]
wan = "wan0"
lan = "lan0"
datapath = "${datapath}"
${[[EXT_ONE, '10.77.0.2'] as const, ...routes ?? []].map(([from, to]) => `[[gateway.route]]
extension = "${from}"
target = "${to}"
`).join('')}`
}

interface Running {
	readonly process: Started
	readonly file: string
	readonly publicKey: string
}

const controlOf = ({ folder }: Site): string => join(folder, 'control', 'run.sock')

/** prefix: words of a program that starts ours. */
async function startRun(
	t: ExecutionContext, site: Site, options: Options, prefix: readonly string[] = [],
): Promise<Running> {
	const file = join(site.folder, 'curvegate.toml')
	const keys = join(site.folder, 'keys')
	const publicKey = runCurvegate(['keygen', keys]).stdout.trim()
	chmodSync(site.folder, 0o755)
	if (prefix.length > 0) execFileSync('chown', ['-R', 'nobody', keys])
	writeFileSync(file, configOf(options))
	site.gw.sysctl('net.ipv4.ip_forward', options.datapath === 'nftables' ? '1' : '0')
	const [command = '', ...words] = [...prefix, process.execPath, MAIN, 'run', '--config', file,
		'--control', controlOf(site)]
	const run = site.gw.start(t, command, words)
	await run.untilPrinted(/curvecp:.*\n/)
	return { process: run, file, publicKey }
}

for (const datapath of ['nftables', 'packet', 'raw', 'relay']) {
	const things = datapath === 'raw' ? [...NEEDS, 'raw-socket'] : NEEDS
	needs(...things)(`${datapath}: a server on the gateway's own port, and one behind it`,
		async (t) => {
		const site = makeSite(t)
		const one = await startStranger(t, site.one, '10.77.0.2', 4000, EXT_ONE)
		const run = await startRun(t, site, { datapath })
		t.true(run.process.stdout().toString().includes(
			`@${PUBLIC}:4000/server.example?extension=${EXT_OWN}`), run.process.stdout().toString())
		const input = randomInput(50_000)
		const back = await Promise.all([
			talk(t, site.away, run.publicKey, EXT_OWN, input),
			talk(t, site.far, one.publicKey, EXT_ONE, input),
		])
		for (const output of back) t.true(output.equals(input), `${output.length} bytes`)
		let stdout = ''
		// The kernel's counters may be up to a second old.
		await run.process.until(() => {
			stdout = runCurvegate(['status', '--json', '--control', controlOf(site)]).stdout
			const { forwardedIn, forwardedOut } = JSON.parse(stdout).gateway
			return forwardedIn > 0 && forwardedOut > 0
		}, 'the counters')
		const { servers, gateway, memory } = JSON.parse(stdout)
		t.is(servers[0].publicKey, run.publicKey)
		t.like(gateway, { address: PUBLIC, datapath, routes: 2 })
		t.true(memory.usedBytes > 2 ** 20 && memory.usedBytes <= memory.budgetBytes, 'with its tables')
		run.process.child.kill('SIGTERM')
		t.deepEqual(await run.process.ended, { code: 0, signal: null })
		t.is(site.gw.run('nft', 'list', 'ruleset').trim(), '', 'nothing is left')
	})
}

/** What a service sees: its rights, its descriptors, its environment. */
const LOOK = `["exec", "sh", "-c", '''
grep -E "^(Uid|Cap...):" /proc/self/status
echo fds $(ls /proc/self/fd)
env''']`

/** What is served has no rights, no descriptors of ours, and nothing that is ours to know. */
async function checkService(t: ExecutionContext, site: Site, run: Running): Promise<string> {
	const output = await talk(t, site.away, run.publicKey, EXT_OWN, Buffer.alloc(0))
	const seen = output.toString()
	const uid = idOf('-u')
	t.regex(seen, new RegExp(`^Uid:\\s+${uid}\\s+${uid}\\s+${uid}\\s+${uid}$`, 'm'))
	for (const name of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) {
		t.regex(seen, new RegExp(`^${name}:\\s+${NOTHING}$`, 'm'))
	}
	// The last one is that of ls.
	t.regex(seen, /^fds 0 1 2 3$/m)
	t.regex(seen, /^CURVECPSERVERNAME=server\.example$/m)
	t.notRegex(seen, /^NODE_/m)
	return seen
}

/** The gateway's rules can still be changed, by a child that is lent the right. */
async function checkRoutes(
	t: ExecutionContext, site: Site, run: Running, options: Options,
): Promise<void> {
	const { child } = run.process
	writeFileSync(run.file, configOf({ ...options, routes: [[EXT_TWO, '10.77.0.3']] }))
	child.kill('SIGHUP')
	await run.process.untilPrinted(/info reloaded .*needRestart=0/)
	t.true(site.gw.run('nft', 'list', 'ruleset').includes(shownByNft(EXT_TWO)), 'the new route')
	child.kill('SIGTERM')
	t.deepEqual(await run.process.ended, { code: 0, signal: null })
	t.is(site.gw.run('nft', 'list', 'ruleset').trim(), '', 'nothing is left')
}

needs(...NEEDS)('user: rights are given up in every thread', async (t) => {
	const site = makeSite(t)
	const options = { datapath: 'nftables', service: LOOK, user: 'nobody' }
	const run = await startRun(t, site, options)
	checkRights(t, run.process.pid)
	t.regex(await checkService(t, site, run), /^USER=nobody$/m)
	await checkRoutes(t, site, run, options)
})

needs(...NEEDS, 'setpriv', 'bash')('ambient capabilities: nft has them, services do not',
	async (t) => {
	const site = makeSite(t)
	const options = { datapath: 'nftables', service: LOOK }
	// Node itself sees to the first descriptors only.
	const left = ['bash', '-c', 'exec 200</dev/null && exec "$@"', 'bash']
	const run = await startRun(t, site, options, [...left, 'setpriv', '--reuid', 'nobody', '--regid',
		idOf('-g'), '--clear-groups', '--inh-caps', '+net_admin,+net_raw', '--ambient-caps',
		'+net_admin,+net_raw'])
	const [main] = statusOf(run.process.pid, 'CapAmb')
	t.is(main, NOTHING)
	for (const line of statusOf(run.process.pid, 'CapEff')) t.is(line, KEPT)
	await checkService(t, site, run)
	await checkRoutes(t, site, run, options)
})

needs(...NEEDS)('a changed extension of our own is routed anew', async (t) => {
	const site = makeSite(t)
	const options = { datapath: 'nftables' }
	const run = await startRun(t, site, options)
	writeFileSync(run.file, configOf({ ...options, extension: EXT_NEW }))
	run.process.child.kill('SIGHUP')
	await run.process.untilPrinted(/info reloaded/)
	const input = randomInput(1000)
	const output = await talk(t, site.away, run.publicKey, EXT_NEW, input)
	t.true(output.equals(input), `${output.length} bytes`)
})
