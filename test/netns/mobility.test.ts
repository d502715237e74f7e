// A laptop that changes its address, for real: an interface loses its address and gets another,
// three times, under one connection.
//
//   laptop (connect) eth0 ──── segment ──── eth0 10.9.0.1 server
//   10.9.0.2 → .3 → .4 → .5

import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ExecutionContext } from 'ava'
import { makeGenerator } from '../support/generator.ts'
import { findProgram, needs } from '../support/needs.ts'
import { Network, type Box } from '../support/netns.ts'
import { makeFolder, type Started } from '../support/processes.ts'

const MAIN = resolve('build/out/src/cli/main.js')
const MEGABYTE = 1_000_000
const moving = needs('linux', 'root', 'netns', 'ip')
const shell = needs('linux', 'root', 'netns', 'ip', 'ssh', 'sshd', 'ssh-keygen')

class Site {
	readonly laptop: Box
	readonly server: Box
	readonly folder: string
	#number = 2

	constructor(t: ExecutionContext) {
		const network = new Network(t)
		this.folder = makeFolder(t)
		const segment = network.segment('lan')
		this.laptop = network.box('laptop')
		this.server = network.box('server')
		network.join(this.laptop, 'eth0', segment, '10.9.0.2/24')
		network.join(this.server, 'eth0', segment, '10.9.0.1/24')
	}

	/** Our server with one service; its process and its address. */
	async serve(t: ExecutionContext, service: string): Promise<[Started, string]> {
		const keys = join(this.folder, 'keys')
		this.server.run(process.execPath, MAIN, 'keygen', keys)
		const server = this.server.start(t, process.execPath, [
			MAIN, 'server', '--keys', keys, '--listen', '0.0.0.0:4000', '--serve', `pi=${service}`,
		])
		await server.untilPrinted(/^curvecp:\S+$/m)
		return [server, /^curvecp:\S+$/m.exec(String(server.stdout()))![0]]
	}

	/** The address is gone before the next one comes. */
	move(): void {
		this.laptop.ip(`addr del 10.9.0.${this.#number}/24 dev eth0`)
		this.laptop.ip(`addr add 10.9.0.${++this.#number}/24 dev eth0`)
	}
}

const connections = (server: Started): number =>
	[...String(server.stderr()).matchAll(/ opened /g)].length

moving('50 MB there and back while the address changes three times, one connection', async (t) => {
	const site = new Site(t)
	const [server, address] = await site.serve(t, 'echo')
	const sent = new Uint8Array(50 * MEGABYTE)
	makeGenerator(50).fill(sent, 0, sent.length)
	const client = site.laptop.start(t, process.execPath, [MAIN, 'connect', address])
	client.feed(sent)
	const received = (): number => client.output.stdout.reduce((sum, { length }) => sum + length, 0)
	for (const megabytes of [5, 20, 35]) {
		await client.until(() => received() >= megabytes * MEGABYTE, `${megabytes} MB`)
		site.move()
	}
	t.deepEqual(await client.ended, { code: 0, signal: null }, String(client.stderr()))
	t.is(hashOf(client.stdout()), hashOf(sent))
	t.is(connections(server), 1)
})

shell('an OpenSSH session goes on through three changes of address', async (t) => {
	const site = new Site(t)
	const file = (name: string): string => join(site.folder, name)
	for (const name of ['host', 'user']) {
		site.server.run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', file(name))
	}
	writeFileSync(file('sshd_config'), [
		'Port 2222', 'ListenAddress 127.0.0.1', `HostKey ${file('host')}`, 'UsePAM no',
		`AuthorizedKeysFile ${file('user.pub')}`, 'StrictModes no', 'PermitRootLogin yes',
		`PidFile ${file('sshd.pid')}`, '',
	].join('\n'))
	site.server.run('mkdir', '-p', '/run/sshd')
	const sshd = site.server.start(
		t, findProgram('sshd')!, ['-D', '-e', '-f', file('sshd_config')])
	await sshd.untilPrinted(/Server listening/)
	const [server, address] = await site.serve(t, 'tcp:127.0.0.1:2222')
	const session = site.laptop.start(t, 'ssh', [
		'-F', 'none', '-i', file('user'), '-o', 'StrictHostKeyChecking=no',
		'-o', `UserKnownHostsFile=${file('known')}`,
		'-o', `ProxyCommand=${process.execPath} ${MAIN} connect '${address.replaceAll('%', '%%')}'`,
		'root@pi', 'echo ready; while read line; do echo "got $line"; done; echo bye',
	])
	await session.untilPrinted(/ready/)
	for (const word of ['one', 'two', 'three']) {
		site.move()
		session.child.stdin!.write(`${word}\n`)
		await session.untilPrinted(new RegExp(`got ${word}`))
	}
	session.child.stdin!.end()
	t.deepEqual(await session.ended, { code: 0, signal: null }, String(session.stderr()))
	t.is(String(session.stdout()), 'ready\ngot one\ngot two\ngot three\nbye\n')
	t.is(connections(server), 1)
	t.is([...String(sshd.stderr()).matchAll(/Accepted publickey/g)].length, 1)
})

function hashOf(bytes: Uint8Array): string {
	return createHash('sha256').update(bytes).digest('hex')
}
