// Whether others reach a machine behind NAT, by the word of helpers who try.
//
//   pi 10.9.0.2 ── home ── 10.9.0.1 router 192.0.2.1 ── Internet ─┬─ one 192.0.2.2
//                          masquerades                            └─ two 192.0.2.3

import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { natOf, type Outside } from '../../src/service/outside.ts'
import { needs } from '../support/needs.ts'
import { Network, type Box } from '../support/netns.ts'
import { makeFolder, type Started } from '../support/processes.ts'

const MAIN = resolve('build/out/src/cli/main.js')
const PUBLIC = '192.0.2.1'
const netns = needs('linux', 'root', 'netns', 'ip', 'nft')

class Site {
	readonly pi: Box
	readonly router: Box
	readonly helpers: readonly Box[]
	readonly #folder: string
	readonly #t: ExecutionContext

	constructor(t: ExecutionContext) {
		this.#t = t
		this.#folder = makeFolder(t)
		const network = new Network(t)
		const [home, internet] = [network.segment('home'), network.segment('net')]
		this.pi = network.box('pi')
		this.router = network.box('router')
		this.helpers = ['one', 'two'].map((name) => network.box(name))
		network.join(this.pi, 'eth0', home, '10.9.0.2/24')
		network.join(this.router, 'lan0', home, '10.9.0.1/24')
		network.join(this.router, 'wan0', internet, `${PUBLIC}/24`)
		this.helpers.forEach((box, i) => network.join(box, 'eth0', internet, `192.0.2.${2 + i}/24`))
		this.pi.ip('route add default via 10.9.0.1')
		this.router.sysctl('net.ipv4.ip_forward', '1')
	}

	/** The router's rules: how it translates, and whether it forwards port 4000 to the Pi. */
	translate(how: 'masquerade' | 'masquerade fully-random', forwards: boolean): void {
		const dnat = forwards ? 'iifname "wan0" udp dport 4000 dnat to 10.9.0.2' : ''
		this.router.run('nft', `flush ruleset; table ip home {
			chain post { type nat hook postrouting priority 100; oifname "wan0" ${how}; }
			chain pre { type nat hook prerouting priority -100; ${dnat}; }
		}`.replace('; ;', ';'))
	}

	/** One of ours with one service, and its address as others see the host. */
	async serve(box: Box, host: string, service: string): Promise<string> {
		const keys = join(this.#folder, `keys-${host}`)
		box.run(process.execPath, MAIN, 'keygen', keys)
		const server = box.start(this.#t, process.execPath, [
			MAIN, 'server', '--keys', keys, '--listen', '0.0.0.0:4000', '--serve', `x=${service}`,
		])
		await server.untilPrinted(/^curvecp:\S+$/m)
		return box.run(process.execPath, MAIN, 'address', 'make', '--keys', keys, '--host', host,
			'--name', 'x').trim().replaceAll('\'', '')
	}

	/** seconds: after which they give up. */
	async serveHelpers(seconds: number): Promise<string[]> {
		const service =
			`exec:${process.execPath} ${MAIN} ping --json --timeout ${seconds} --count 2 -`
		return await Promise.all(this.helpers.map(async (box, i) =>
			await this.serve(box, `192.0.2.${2 + i}`, service)))
	}

	ask(command: string, address: string, helpers: readonly string[], ...more: string[]): Started {
		return this.pi.start(this.#t, process.execPath, [MAIN, command, address,
			...helpers.flatMap((one) => ['--from-outside', one]), ...more])
	}
}

netns('a helper outside reaches what the router forwards, and tells the NAT', async (t) => {
	const site = new Site(t)
	site.translate('masquerade', true)
	const address = await site.serve(site.pi, PUBLIC, 'echo')
	const helpers = await site.serveHelpers(15)
	const asked = site.ask('ping', address, helpers.slice(0, 1))
	t.deepEqual(await asked.ended, { code: 0, signal: null }, asked.stderr())
	t.regex(String(asked.stdout()), new RegExp('^192\\.0\\.2\\.2:4000 reaches it: '
		+ '192\\.0\\.2\\.1:4000 answered; handshake [\\d.]+ ms, least of 2 round trips [\\d.]+ ms\n'
		+ 'behind NAT, which keeps ports: 192\\.0\\.2\\.1:\\d+\n$'))
	site.translate('masquerade fully-random', true)
	const json = site.ask('ping', address, helpers, '--json')
	t.deepEqual(await json.ended, { code: 0, signal: null }, json.stderr())
	const { outside, nat } = JSON.parse(String(json.stdout()))
	t.deepEqual(outside.map(({ helper, answered, seen }: Record<string, { ip: string }>) =>
		[helper, answered, seen!.ip]), [['192.0.2.2:4000', '192.0.2.1:4000', PUBLIC],
		['192.0.2.3:4000', '192.0.2.1:4000', PUBLIC]])
	t.regex(nat, /^behind NAT with another port for each destination: /)
})

netns('without forwarding: unreachable, and the doctor names the cure', async (t) => {
	const site = new Site(t)
	site.translate('masquerade', false)
	const address = await site.serve(site.pi, PUBLIC, 'echo')
	const helpers = await site.serveHelpers(2)
	const asked = site.ask('ping', address, helpers.slice(0, 1))
	t.deepEqual(await asked.ended, { code: 111, signal: null }, asked.stderr())
	t.regex(String(asked.stdout()),
		/^192\.0\.2\.2:4000 does not reach it: .*192\.0\.2\.1, port 4000: /)
	const doctor = site.ask('doctor', address, helpers.slice(0, 1), '--json')
	await doctor.ended
	const { findings } = JSON.parse(String(doctor.stdout()))
	const outside = findings.find(({ check }: { check: string }) => check === 'outside')
	t.is(outside.state, 'trouble')
	t.regex(outside.cure, /forward it on the router to 10\.9\.0\.2/)
	const nat = findings.find(({ check }: { check: string }) => check === 'nat')
	t.regex(nat.message, /behind NAT, which keeps ports/)
})

netns('a helper that is no helper is named, with its cure', async (t) => {
	const site = new Site(t)
	site.translate('masquerade', true)
	const address = await site.serve(site.pi, PUBLIC, 'echo')
	const wrong = await site.serve(site.helpers[0]!, '192.0.2.2', 'discard')
	const asked = site.ask('ping', address, [wrong])
	t.is((await asked.ended).code, 111)
	t.regex(asked.stderr(), /the helper 192\.0\.2\.2:4000: it says nothing; its service is to be/)
})

const view = (ip: string, seenPort: number, port = 5000): Outside =>
	({ helper: 'h', seen: { ip, port: seenPort }, port, found: { cause: 'none' } })

test('what helpers see, as words about the NAT', (t) => {
	const table: readonly (readonly [Outside[], RegExp | undefined])[] = [
		[[], undefined],
		[[{ ...view('192.0.2.1', 1), seen: undefined }], undefined],
		[[view('10.9.0.2', 5000)], /^no NAT: we come from 10\.9\.0\.2:5000$/],
		[[view('192.0.2.1', 5000)], /^behind NAT, which keeps ports: 192\.0\.2\.1:5000$/],
		[[view('192.0.2.1', 77)], /^behind NAT, which changes ports: 5000 becomes 192.0.2.1:77$/],
		[[view('192.0.2.1', 77), view('192.0.2.1', 77)], /one port for all destinations/],
		[[view('192.0.2.1', 77), view('192.0.2.1', 78)], /another port for each destination/],
		[[view('192.0.2.1', 77), view('192.0.2.9', 77)], /another port for each destination/],
	]
	for (const [views, expected] of table) {
		const said = natOf(views, ['10.9.0.2'])
		if (expected === undefined) t.is(said, undefined)
		else t.regex(said ?? '', expected)
	}
})
