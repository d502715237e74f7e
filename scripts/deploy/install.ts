// Runs on the machine that is deployed to, from the parcel that was unpacked there. Releases stand
// beside each other; a link says which one counts. A release that does not answer gives the link
// back to the one before it. Says one JSON object a line on stdout.

import { execFileSync, spawnSync } from 'node:child_process'
import {
	chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync,
	rmSync, symlinkSync, writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const DONE = 0
const USAGE = 100
const TROUBLE = 111

class Failure extends Error {
	readonly code: number

	constructor(code: number, message: string) {
		super(message)
		this.code = code
	}
}

const [action = '', rootText = '/', parcel = ''] = process.argv.slice(2)
const root = rootText.replace(/\/+$/, '')
const home = `${root}/opt/curvegate`
const config = `${root}/etc/curvegate/curvegate.toml`
const program = `${root}/usr/bin/curvegate`
const isSystemd = existsSync(`${root}/run/systemd/system`)
const isProcd = existsSync(`${root}/etc/rc.common`)

/** How far two answers must be apart to count, and how often they are asked for. */
const PAUSE_MS = Number(process.env['CURVEGATE_DEPLOY_PAUSE_MS'] ?? 2000)
const ASKED_MAX = 15

async function main(): Promise<void> {
	if (action === 'install') return await install()
	if (action === 'rollback') return await rollback()
	throw new Failure(USAGE, `unknown action '${action}'`)
}

async function install(): Promise<void> {
	refuseForeign()
	const name = readFileSync(join(parcel, 'name'), 'utf8').trim()
	const before = release('current')
	putRelease(name)
	checkConfig(name)
	putServices()
	makeUser()
	// The one before must be one that has answered, not a failed try of this one.
	if (before !== undefined && before !== name) point('previous', before)
	point('current', name)
	if (await start()) {
		prune([name, before ?? release('previous')])
		return say('installed', { release: name, before: before ?? null, running: existsSync(config) })
	}
	if (before === undefined || before === name) {
		throw new Failure(TROUBLE, `${name} does not answer, and there is no other to go back to`)
	}
	await goBack(before)
	throw new Failure(TROUBLE, `${name} does not answer; ${before} runs again`)
}

async function rollback(): Promise<void> {
	const [current, previous] = [release('current'), release('previous')]
	if (previous === undefined || !existsSync(`${home}/releases/${previous}`)) {
		throw new Failure(TROUBLE, 'there is no release to go back to')
	}
	checkConfig(previous)
	await goBack(previous)
	if (current !== undefined) point('previous', current)
	say('rolled-back', { release: previous, before: current ?? null })
}

async function goBack(name: string): Promise<void> {
	point('current', name)
	if (!await start()) throw new Failure(TROUBLE, `${name}, the one before, does not answer either`)
}

/** A package of the system's own is its package manager's business. */
function refuseForeign(): void {
	let text = ''
	try {
		text = readFileSync(program, 'latin1').slice(0, 200)
	} catch {
		return
	}
	if (text.includes('/opt/curvegate/')) return
	throw new Failure(TROUBLE, `${program} is somebody else's; cure: apt remove curvegate`)
}

function putRelease(name: string): void {
	const target = `${home}/releases/${name}`
	const part = `${target}.part`
	mkdirSync(`${home}/releases`, { recursive: true })
	mkdirSync(dirname(config), { recursive: true })
	mkdirSync(dirname(program), { recursive: true })
	rmSync(part, { recursive: true, force: true })
	cpSync(join(parcel, 'release'), part, { recursive: true, verbatimSymlinks: true })
	execFileSync('sync')
	rmSync(target, { recursive: true, force: true })
	renameSync(part, target)
	writeFileSync(`${program}.new`, `#!/bin/sh\nexec ${home}/current/start "$@"\n`)
	chmodSync(`${program}.new`, 0o755)
	renameSync(`${program}.new`, program)
}

/** Whether the program starts at all, and takes the configuration that is there. */
function checkConfig(name: string): void {
	const start = `${home}/releases/${name}/start`
	const version = spawnSync(start, ['--version'], { encoding: 'utf8' })
	if (version.status !== 0) {
		const words = version.error?.message ?? version.stderr.trim().split('\n').at(-1)
		throw new Failure(TROUBLE, `${name} does not start here: ${words ?? ''}`)
	}
	if (!existsSync(config)) return
	const { status, stderr } = spawnSync(start, ['check', '--config', config], { encoding: 'utf8' })
	// 111 is trouble that the running service may not have.
	if (status !== USAGE) return
	const faults = stderr.trim()
	throw new Failure(USAGE, `${name} does not take ${config}; nothing was changed:\n${faults}`)
}

function putServices(): void {
	if (isSystemd) {
		for (const file of readdirSync(join(parcel, 'systemd'))) {
			put(join(parcel, 'systemd', file), `${root}/etc/systemd/system/${file}`, 0o644)
		}
	}
	if (!isProcd) return
	put(join(parcel, 'openwrt/curvegate.init'), `${root}/etc/init.d/curvegate`, 0o755)
	put(join(parcel, 'openwrt/capabilities.json'), `${root}/etc/capabilities/curvegate.json`, 0o644)
}

function put(from: string, to: string, mode: number): void {
	mkdirSync(dirname(to), { recursive: true })
	cpSync(from, `${to}.new`)
	chmodSync(`${to}.new`, mode)
	renameSync(`${to}.new`, to)
}

/** OpenWrt has no useradd: its script starts the service as root then, and says so. */
function makeUser(): void {
	if (root !== '' || spawnSync('id', ['curvegate']).status === 0) return
	spawnSync('useradd', ['--system', '--user-group', '--no-create-home', '--home-dir',
		'/var/lib/curvegate', '--shell', '/usr/sbin/nologin', 'curvegate'])
}

function release(link: 'current' | 'previous'): string | undefined {
	try {
		return readlinkSync(`${home}/${link}`).split('/').at(-1)
	} catch {
		return undefined
	}
}

/** At once, whatever the power does. */
function point(link: 'current' | 'previous', name: string): void {
	rmSync(`${home}/${link}.new`, { force: true })
	symlinkSync(`releases/${name}`, `${home}/${link}.new`)
	renameSync(`${home}/${link}.new`, `${home}/${link}`)
	execFileSync('sync')
}

function prune(kept: readonly (string | undefined)[]): void {
	for (const name of readdirSync(`${home}/releases`)) {
		if (kept.includes(name)) continue
		rmSync(`${home}/releases/${name}`, { recursive: true, force: true })
	}
}

/** True: it answers, or there is nothing to start. */
async function start(): Promise<boolean> {
	if (!existsSync(config)) {
		say('note', { note: `there is no ${config} yet, so nothing is started` })
		return true
	}
	if (!isSystemd && !isProcd) {
		say('note', { note: 'neither systemd nor procd here: start curvegate run yourself' })
		return true
	}
	const since = performance.now()
	serve('enable')
	serve('restart')
	return await answers(since)
}

function serve(verb: 'enable' | 'restart'): void {
	const unit = /^\[gateway[\].]/m.test(readFileSync(config, 'utf8')) ? 'curvegate-gateway'
		: 'curvegate'
	const [manager, ...words] = isSystemd ? ['systemctl', verb, unit]
		: [`${root}/etc/init.d/curvegate`, verb]
	if (isSystemd) spawnSync('systemctl', ['daemon-reload'])
	const { stderr, status } = spawnSync(manager!, words, { encoding: 'utf8' })
	const lines = (stderr ?? '').trim()
	if (status !== 0 && lines !== '') say('note', { note: lines.split('\n').at(-1) })
}

/** Twice the same process, younger than since: one that ends and starts again is no answer. */
async function answers(since: number): Promise<boolean> {
	let before: number | undefined
	for (let asked = 0; asked < ASKED_MAX; asked++) {
		await sleep(PAUSE_MS)
		const pid = ask((performance.now() - since) / 1000)
		if (pid !== undefined && pid === before) return true
		before = pid
	}
	return false
}

/** The process that answers, and is younger than so many seconds. */
function ask(seconds: number): number | undefined {
	const control = /^control\s*=\s*["']([^"']+)["']/m.exec(readFileSync(config, 'utf8'))?.[1]
	const args = ['status', '--json', ...control === undefined ? [] : ['--control', control]]
	const { status, stdout } = spawnSync(program, args, { encoding: 'utf8' })
	if (status !== 0) return undefined
	const { processes }: { processes: { pid: number, uptimeSeconds: number }[] } = JSON.parse(stdout)
	return processes.find(({ uptimeSeconds }) => uptimeSeconds <= seconds)?.pid
}

function say(event: string, facts: object): void {
	process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`)
}

try {
	await main()
	process.exitCode = DONE
} catch (error) {
	const message = error instanceof Error ? error.message : String(error)
	process.exitCode = error instanceof Failure ? error.code : TROUBLE
	say('error', { code: process.exitCode, message })
}
