// curvegate run with a console on a cable that the test holds.

import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { runCurvegate } from './curvegate.ts'
import { makeFolder, start, type Owner, type Started } from './processes.ts'
import { Cable, HostEnd } from './pty.ts'

const MAIN = resolve('build/out/src/cli/main.js')

export interface ConsoleRun {
	readonly cable: Cable
	readonly run: Started
	readonly file: string
	/** Of curvecp://, one for each name. */
	addresses(): string[]
}

export interface ConsoleRunOptions {
	readonly driver: 'tty' | 'serialport'
	/** Further lines of [console], and of the file. */
	readonly console?: string
	readonly more?: string
	readonly names?: number
}

export async function startConsoleRun(
	owner: Owner, { driver, console = '', more = '', names = 1 }: ConsoleRunOptions,
): Promise<ConsoleRun> {
	const cable = new Cable(owner)
	await cable.plug()
	const folder = makeFolder(owner)
	runCurvegate(['keygen', join(folder, 'keys')])
	const file = join(folder, 'curvegate.toml')
	writeFileSync(file, `schema = 1
keys = "keys"
control = "run.sock"
[console]
device = "${cable.device}"
driver = "${driver}"
${console}
[[server]]
listen = "127.0.0.1:0"
[[server.name]]
name = "echo.example"
service = "echo"
${more}`)
	const run = start(owner, process.execPath, [MAIN, 'run', '--config', file])
	const addresses = (): string[] => run.stdout().toString().split('\n')
		.filter((line) => line.startsWith('curvecp://'))
	await run.until(() => addresses().length === names && /^info console /m.test(run.stderr()),
		'addresses and console')
	return { cable, run, file, addresses }
}

/** The host's end, with a prompt before it. */
export async function logIn(owner: Owner, cable: Cable): Promise<HostEnd> {
	const host = await HostEnd.open(owner, cable)
	host.write('\r')
	await host.until(/curvegate> /)
	return host
}

/** Seconds of processor time that a process has taken. */
export function cpuOf(pid: number): number {
	const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
	const [user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13)
	return (Number(user) + Number(system)) / 100
}

export function residentOf(pid: number): number {
	const status = readFileSync(`/proc/${pid}/status`, 'latin1')
	return Number(/^VmRSS:\s*(\d+)/m.exec(status)![1]) / 1024
}
