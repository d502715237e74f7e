// The README's recipes, typed line by line between network namespaces, so that they stay true:
//
//   client (laptop, sensor) 198.51.100.2 ── Internet ─┬─ home.example, a server's own machine
//                                                     └─ one or two gateways ── LAN ── server

import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { findProgram, needs } from '../support/needs.ts'
import { Network, type Box } from '../support/netns.ts'
import { makeFolder, start, type Started } from '../support/processes.ts'
import { readRecipes, type Step } from '../support/recipes.ts'

const PUBLIC = '192.0.2.1'
const READY = /curvecp:\/\/|ports .*routes, |^127\.0\.0\.1:\d+$/m
const recipes = readRecipes()

/** The machines of one recipe: whoever types, in a folder of its own. */
class Site {
	readonly #t: ExecutionContext
	readonly #folder: string
	readonly #path: string
	readonly network: Network
	/** What the page calls a machine → those who do it. */
	readonly machines = new Map<string, readonly Box[]>()
	/** The last address and the last key that any of them printed. */
	#address = ''
	#key = ''
	/** What each line printed on stdout. */
	readonly printed: string[] = []

	constructor(t: ExecutionContext) {
		this.#t = t
		this.#folder = makeFolder(t)
		this.network = new Network(t)
		const programs = join(this.#folder, 'programs')
		mkdirSync(programs)
		symlinkSync(resolve('build/curvegate'), join(programs, 'curvegate'))
		this.#path = [programs, process.env['PATH'], '/usr/sbin'].join(delimiter)
	}

	/** A box that knows home.example, under the names that the page has for it. */
	box(name: string, ...called: readonly string[]): Box {
		const box = this.network.box(name)
		const etc = `/etc/netns/${box.ns}`
		mkdirSync(etc, { recursive: true })
		this.#t.teardown(() => rmSync(etc, { recursive: true }))
		writeFileSync(`${etc}/hosts`, `127.0.0.1 localhost\n${PUBLIC} home.example\n`)
		writeFileSync(`${etc}/resolv.conf`, 'nameserver 127.0.0.1\n')
		for (const one of called) this.machines.set(one, [...this.machines.get(one) ?? [], box])
		mkdirSync(this.folder(box))
		return box
	}

	folder(box: Box): string {
		return join(this.#folder, box.ns)
	}

	/** A program before all others in everybody's PATH. */
	program(name: string, script: string): void {
		writeFileSync(join(this.#folder, 'programs', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
	}

	async follow({ where, language, lines }: Step): Promise<void> {
		const boxes = this.machines.get(where)
		if (boxes === undefined) throw new Error(`who is the ${where}?`)
		for (const box of boxes) {
			if (language === 'toml') {
				writeFileSync(join(this.folder(box), 'curvegate.toml'), lines.map(this.#filled).join('\n'))
			} else {
				for (const line of lines) await this.type(box, this.#filled(line))
			}
		}
	}

	/** One line of shell; one that ends in & goes on until the test ends. */
	async type(box: Box, line: string): Promise<Started> {
		const stays = / &$/.test(line)
		const script = `cd '${this.folder(box)}' && ${stays ? `exec ${line.slice(0, -2)}` : line}`
		const started = start(this.#t, 'ip', ['netns', 'exec', box.ns, 'sh', '-ec', script],
			{ env: { PATH: this.#path } })
		if (stays) {
			await started.untilPrinted(READY)
			return started
		}
		started.feed('')
		const { code } = await started.ended
		this.#t.is(code, 0, `${line}\n${started.stderr()}`)
		const stdout = String(started.stdout())
		this.printed.push(stdout)
		this.#address = /^curvecp:\S+$/m.exec(stdout)?.[0] ?? this.#address
		this.#key = /^[0-9a-f]{64}$/m.exec(stdout)?.[0] ?? this.#key
		return started
	}

	/** The page's placeholders, as a reader fills them in. */
	readonly #filled = (line: string): string =>
		line.replaceAll('curvecp://…', this.#address).replace(/\b(LAPTOP|SENSOR|KEY)\b/, this.#key)
}

/** One segment with both: for the recipes without a gateway. */
function direct(t: ExecutionContext, server: string, client: string): [Site, Box, Box] {
	const site = new Site(t)
	const internet = site.network.segment('net')
	const [near, far] = [site.box('server', server), site.box('client', client)]
	site.network.join(near, 'eth0', internet, `${PUBLIC}/24`)
	site.network.join(far, 'eth0', internet, '192.0.2.77/24')
	return [site, near, far]
}

/** Routers with interfaces wan0 and lan0 between the client and the LAN. */
function behind(
	t: ExecutionContext, server: string, lanAddress: string, gateway: string, gateways: number,
	client: string,
): { site: Site, server: Box, gateways: Box[], client: Box } {
	const site = new Site(t)
	const [internet, lan] = [site.network.segment('net'), site.network.segment('lan')]
	const [near, far] = [site.box('server', server), site.box('client', client)]
	site.network.join(far, 'eth0', internet, '198.51.100.2/24')
	site.network.join(near, 'eth0', lan, `${lanAddress}/24`)
	const all = Array.from({ length: gateways }, (_, i) => {
		const box = site.box(`gw${i}`, gateway)
		site.network.join(box, 'wan0', internet, `${PUBLIC}/32`, `198.51.100.${10 + i}/24`)
		site.network.join(box, 'lan0', lan, `10.77.0.${250 + i}/24`)
		return box
	})
	return { site, server: near, gateways: all, client: far }
}

/** Which gateway both sides send through, as routers would have it. */
function takeGateway(i: number, { client, server }: { client: Box, server: Box }): void {
	client.ip(`route replace ${PUBLIC}/32 via 198.51.100.${10 + i}`)
	server.ip(`route replace default via 10.77.0.${250 + i}`)
}

const recipe = (title: string, run: (t: ExecutionContext, steps: readonly Step[]) => Promise<void>,
	...more: string[]): void => {
	const steps = recipes.find((one) => one.title === title)?.steps ?? []
	needs('linux', 'root', 'netns', 'ip', ...more)(`recipe: ${title}`, async (t) => {
		t.true(steps.length > 1, 'the page has this recipe')
		await run(t, steps)
	})
}

const titles: string[] = []
const tried = (title: string): string => {
	titles.push(title)
	return title
}

recipe(tried('SSH to a Pi at home'), async (t, steps) => {
	const [site, pi] = direct(t, 'Pi', 'laptop')
	const folder = makeFolder(t)
	for (const name of ['host', 'user']) {
		execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)])
	}
	writeFileSync(join(folder, 'sshd_config'), [
		'ListenAddress 127.0.0.1', `HostKey ${folder}/host`, 'UsePAM no', 'StrictModes no',
		`AuthorizedKeysFile ${folder}/user.pub`, 'PermitRootLogin yes', 'PidFile none', '',
	].join('\n'))
	pi.run('mkdir', '-p', '/run/sshd')
	const sshd = pi.start(t, findProgram('sshd')!, ['-D', '-e', '-f', join(folder, 'sshd_config')])
	await sshd.untilPrinted(/Server listening/)
	// What is in the reader's ~/.ssh: an identity that the Pi knows.
	site.program('ssh', `exec ${findProgram('ssh')} -F none -i ${folder}/user -o BatchMode=yes `
		+ `-o StrictHostKeyChecking=no -o UserKnownHostsFile=${folder}/known "$@"`)
	for (const step of steps) await site.follow(step)
	t.regex(site.printed.at(-1) ?? '', /load average/)
}, 'ssh', 'sshd', 'ssh-keygen')

recipe(tried('Twenty boxes behind a router'), async (t, steps) => {
	const place = behind(t, 'box', '10.77.0.107', 'router', 1, 'laptop')
	takeGateway(0, place)
	for (const step of steps) await place.site.follow(step)
	t.regex(place.site.printed.at(-1) ?? '', /box7\.example/)
}, 'nft')

recipe(tried('A web page'), async (t, steps) => {
	const [site, server] = direct(t, 'server', 'laptop')
	const page = `require('http').createServer((_, answer) => answer.end('a page of ours'))
		.listen(80, '127.0.0.1', () => console.log('listens'))`
	await server.start(t, process.execPath, ['-e', page]).untilPrinted(/listens/)
	for (const step of steps) await site.follow(step)
	t.is(site.printed.at(-1), 'a page of ours')
}, 'curl')

recipe(tried('MQTT from sensors'), async (t, steps) => {
	const [site, machine] = direct(t, 'broker\'s machine', 'sensor')
	const broker = machine.start(t, findProgram('mosquitto')!, ['-p', '1883'])
	await broker.untilPrinted(/running/)
	for (const step of steps) await site.follow(step)
	const heard = machine.run('mosquitto_sub', '-h', '127.0.0.1', '-t', '#', '-v', '-C', '1')
	t.is(heard, 'attic/temperature 21.5\n')
}, 'mosquitto', 'mosquitto_pub', 'mosquitto_sub')

recipe(tried('Gateways for an ISP'), async (t, steps) => {
	const place = behind(t, 'customer\'s server', '10.77.0.2', 'gateway', 2, 'client')
	const { site, gateways, client } = place
	const isp = site.box('isp', 'ISP')
	takeGateway(0, place)
	for (const step of steps) {
		if (step.where === 'gateway') {
			for (const box of gateways) {
				execFileSync('cp', ['-r', join(site.folder(isp), 'seal'), site.folder(box)])
			}
		}
		await site.follow(step)
	}
	t.is(site.printed.at(-1), 'hello\n')
	// Which address: the last that the ISP printed, with another gateway under a live connection.
	const address = site.printed.flatMap((text) => /^curvecp:\S+$/m.exec(text) ?? []).at(-1)!
	const talk = client.start(t, resolve('build/curvegate'), ['connect', address])
	talk.child.stdin!.write('one\n')
	await talk.untilPrinted(/one/)
	takeGateway(1, place)
	talk.child.stdin!.write('two\n')
	await talk.untilPrinted(/two/)
	talk.child.stdin!.end()
	t.deepEqual(await talk.ended, { code: 0, signal: null }, talk.stderr())
}, 'nft')

test('every recipe of the page is tried', (t) => {
	t.deepEqual(recipes.map(({ title }) => title), titles)
})
