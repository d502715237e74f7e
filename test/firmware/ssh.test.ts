// The serial session of an owner: from the first start to ssh through CurveCP, typed as a person
// types it. What was seen is left in build/firmware-session.txt.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { firmware, Bench } from '../support/firmware.ts'
import { findProgram } from '../support/needs.ts'
import { HOST_PORT, type Machine } from '../support/machine.ts'
import { makeFolder } from '../support/processes.ts'

const SESSION = 'build/firmware-session.txt'
/** A console prints its prompt when it is done. */
const PROMPT = 'curvegate> '
const PORT = 2222

/** What the console has said to it, up to the next prompt. */
async function typed(machine: Machine, line: string): Promise<string> {
	const before = machine.text.length
	machine.type(line)
	const echoed = line.slice(-10).replaceAll(/[^\w ]/g, '.')
	await machine.until(new RegExp(`^[^]{${before}}[^]*${echoed}[^]*\\n${PROMPT}$`))
	return machine.text.slice(before)
}

firmware('ssh', 'sshd', 'ssh-keygen')('from first start to ssh through CurveCP', async (t) => {
	const bench = new Bench(t)
	const folder = makeFolder(t)
	for (const name of ['host', 'user']) {
		execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)])
	}
	bench.box.run('mkdir', '-p', '/run/sshd')
	const sshd = bench.box.start(t, findProgram('sshd')!, ['-D', '-e', '-f', '/dev/null',
		...['ListenAddress=127.0.0.1', `Port=${PORT}`, `HostKey=${folder}/host`, 'UsePAM=no',
			'StrictModes=no', `AuthorizedKeysFile=${folder}/user.pub`, 'PermitRootLogin=yes',
			'PidFile=none'].flatMap((option) => ['-o', option])])
	await sshd.untilPrinted(/Server listening/)

	const machine = bench.power()
	await machine.until(/This is its first start[^]*curvegate> $/)
	t.regex(await typed(machine, 'status'), /curvegate +welcome +0 connections/)
	await typed(machine, 'config set server.0.name.0.name "ssh.attic"')
	// The box's way to its host's loopback.
	await typed(machine, `config set server.0.name.0.service "tcp:10.0.2.2:${PORT}"`)
	t.regex(await typed(machine, 'commit confirmed 600'), /undone in 600 s unless you type: commit/)
	await typed(machine, 'commit')
	const address = await typed(machine, 'address')
	const [, key] = /curvecp:\/\/([0-9a-f]{64})@\S*\/ssh\.attic/.exec(address)!

	const connect = `${process.execPath} ${resolve('build/curvegate')} connect `
		+ `curvecp://${key}@127.0.0.1:${HOST_PORT}/ssh.attic`
	const words = ['-F', 'none', '-i', `${folder}/user`, '-o', 'BatchMode=yes',
		'-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${folder}/known`,
		'-o', `ProxyCommand=${connect}`, 'root@attic', 'echo through CurveCP']
	const ssh = bench.box.start(t, findProgram('ssh')!, words)
	ssh.feed('')
	const { code } = await machine.during(ssh.ended, 'ssh')
	t.is(code, 0, ssh.stderr())
	t.is(ssh.stdout().toString(), 'through CurveCP\n')
	const session = machine.text.slice(machine.text.indexOf('This is its first start'))
	writeFileSync(SESSION, `${session}\n\n$ ssh -o ProxyCommand='curvegate connect curvecp://${key}`
		+ `@…/ssh.attic' root@attic echo through CurveCP\n${ssh.stdout().toString()}`)
	console.log(`the session is in ${SESSION}`)
})
