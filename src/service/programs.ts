// The programs that run for connections: how each is started, and that each one ends. A program
// whose connection is lost is asked to end, and killed when it does not; their number is bounded.

import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Quota } from '../base/quota.ts'
import { MILLISECOND, type Nanos } from '../base/time.ts'
import { PROGRAM_GRACE, PROGRAM_LINGER } from '../limits.ts'
import { Trouble, causeOf } from '../platform/trouble.ts'
import type { Peer } from './service.ts'

export class Programs {
	readonly #quota: Quota
	/** Each with the timer of its next step, when one runs. */
	readonly #running = new Map<ChildProcess, NodeJS.Timeout | undefined>()

	/** quota: shared with the programs of other ports. */
	constructor(quota: Quota) {
		this.#quota = quota
	}

	get running(): number {
		return this.#running.size
	}

	/** undefined: too many run, since some outlive their connections. */
	start(words: readonly string[], peer: Peer, stdio: StdioOptions): ChildProcess | undefined {
		if (this.#quota.isFull) return undefined
		return this.#add(spawn(words[0]!, words.slice(1), {
			stdio,
			env: { ...cleanEnvironment(process.env), ...environmentOf(peer) },
			// A group of its own: what it starts ends with it, and a Ctrl-C reaches us alone.
			detached: true,
		}))
	}

	/** The same without an environment or a group of its own, as NaCl's tools do it. */
	startPlain(words: readonly string[], stdio: StdioOptions): ChildProcess | undefined {
		if (this.#quota.isFull) return undefined
		return this.#add(spawn(words[0]!, words.slice(1), { stdio }))
	}

	#add(child: ChildProcess): ChildProcess {
		this.#running.set(child, undefined)
		this.#quota.used++
		const gone = (): void => {
			clearTimeout(this.#running.get(child))
			if (this.#running.delete(child)) this.#quota.used--
		}
		child.once('exit', gone)
		child.once('error', () => {
			if (child.pid === undefined) gone()
		})
		return child
	}

	/** Its connection is over. Complete: it may finish what it does; lost: it is to end now. */
	leave(child: ChildProcess, complete: boolean): void {
		if (!this.#running.has(child)) return
		if (complete) this.#later(child, PROGRAM_LINGER / MILLISECOND, () => this.#ask(child))
		else this.#ask(child)
	}

	/** Ends all of them: asks, and kills who is still there after the grace. */
	async endAll(grace: Nanos): Promise<void> {
		const children = [...this.#running.keys()]
		if (children.length === 0) return
		const gone = Promise.all(children.map((child) =>
			new Promise<void>((resolve) => child.once('exit', () => resolve()))))
		for (const child of children) signal(child, 'SIGTERM')
		const timer = setTimeout(() => {
			for (const child of this.#running.keys()) signal(child, 'SIGKILL')
		}, grace / MILLISECOND)
		await gone
		clearTimeout(timer)
	}

	#ask(child: ChildProcess): void {
		signal(child, 'SIGTERM')
		this.#later(child, PROGRAM_GRACE / MILLISECOND, () => signal(child, 'SIGKILL'))
	}

	#later(child: ChildProcess, ms: number, step: () => void): void {
		clearTimeout(this.#running.get(child))
		const timer = setTimeout(step, ms)
		timer.unref()
		this.#running.set(child, timer)
	}
}

/** To the program's whole group. */
function signal(child: ChildProcess, name: NodeJS.Signals): void {
	if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
	try {
		process.kill(-child.pid, name)
	} catch {
		child.kill(name) // it has not made its group yet, or has left us by changing its user
	}
}

/** What is between us and whoever started us, or says how we are to run; and former peers. */
const PRIVATE = new RegExp('^(?:(?:NODE|CURVEGATE|LISTEN|WATCHDOG|SYSTEMD|SUDO)_|CURVECP|TCPREMOTE|'
	+ '(?:NOTIFY_SOCKET|MAINPID|INVOCATION_ID|JOURNAL_STREAM|CREDENTIALS_DIRECTORY|REMOTEPK)$)')

export function cleanEnvironment(all: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
	return Object.fromEntries(Object.entries(all).filter(([name]) => !PRIVATE.test(name)))
}

function environmentOf(peer: Peer): Record<string, string> {
	return {
		PROTO: 'CURVECP',
		CURVECPREMOTEPK: peer.key,
		CURVECPREMOTEIP: peer.ip,
		CURVECPREMOTEPORT: String(peer.port),
		CURVECPREMOTEEXT: peer.extension,
		CURVECPSERVERNAME: peer.serverName,
		REMOTEPK: peer.key,
		TCPREMOTEIP: peer.ip,
	}
}

/** Refuses a command that cannot be run, when the server starts and not when a client comes. */
export function checkProgram(word: string): void {
	const folders = word.includes('/') ? [''] : (process.env['PATH'] ?? '').split(delimiter)
	let cause = 'no such program in the PATH'
	for (const folder of folders) {
		const path = word.includes('/') ? word : join(folder, word)
		try {
			if (!statSync(path).isFile()) throw new Error('not a file')
			accessSync(path, constants.X_OK)
			return
		} catch (error) {
			if (word.includes('/')) cause = causeOf(error)
		}
	}
	throw new Trouble('run', word, cause)
}
