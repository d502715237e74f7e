// Programs that tests start: NaCl's tools and our own. Each is a process group of its own, ended by
// its id and nothing else; what they print is kept; what they need on disk lives in a folder that
// goes with the test. Waiting is for facts (a bound port, an exit, a line), never for time to pass.

import { execFileSync, spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'
import { findProgram } from './programs.ts'

/** What an AVA test offers; so helpers clean up after themselves. */
export interface Owner {
	teardown(clean: () => void | Promise<void>): void
}

export interface Ended {
	readonly code: number | null
	readonly signal: NodeJS.Signals | null
}

export interface StartOptions {
	/** Beside 0, 1 and 2, which are pipes: 'pipe' for 8 and 9 of a message handler, say. */
	readonly stdio?: StdioOptions
	readonly env?: Record<string, string>
	readonly cwd?: string
}

const POLL_MILLIS = 3
/** For facts that a healthy machine shows within a second, and a starved one within many. */
const PATIENCE_MILLIS = 60_000
/** So much of the time between two looks counts: a thread that was held up has not waited. */
const LOOK_MILLIS = 100
/** Between asking a process to end and making it. */
const GRACE_MILLIS = 2000
/** A test's program that lives so long hangs: it is ended, and the test can say how. */
const LIFE_MILLIS = 300_000
const LIMITED = process.env['NODE_ENV'] === 'test' && process.env['CURVEGATE_LONG'] === undefined

export class Started {
	readonly pid: number
	readonly child: ChildProcess
	/** Both streams, as they come. */
	readonly output: { stdout: Buffer[], stderr: Buffer[] } = { stdout: [], stderr: [] }
	readonly ended: Promise<Ended>
	readonly name: string
	#end: Ended | undefined

	constructor(name: string, child: ChildProcess) {
		this.name = name
		this.child = child
		// Without a process there is no pid, and 'error' has said so.
		this.pid = child.pid ?? -1
		child.stdout?.on('data', (chunk: Buffer) => this.output.stdout.push(chunk))
		child.stderr?.on('data', (chunk: Buffer) => this.output.stderr.push(chunk))
		// A program that dies early breaks our pipe to it: its exit says more than EPIPE.
		child.stdin?.on('error', () => {})
		this.ended = new Promise((resolve, reject) => {
			child.once('error', reject)
			// After exit, and after the last of its output.
			child.once('close', (code, signal) => {
				this.#end = { code, signal }
				resolve(this.#end)
			})
		})
		this.ended.catch(() => {})
	}

	get running(): boolean {
		return this.child.exitCode === null && this.child.signalCode === null && this.pid !== -1
	}

	stdout(): Buffer {
		return Buffer.concat(this.output.stdout)
	}

	stderr(): string {
		return Buffer.concat(this.output.stderr).toString()
	}

	/** Writes all of it to its input and closes that. */
	feed(input: string | Uint8Array): void {
		this.child.stdin?.end(input)
	}

	/** Descriptor fd of it, when that is a pipe: we write what it reads. */
	writeTo(fd: number): Writable {
		return this.child.stdio[fd] as Writable
	}

	/** The same the other way round. */
	readFrom(fd: number): Readable {
		return this.child.stdio[fd] as Readable
	}

	/** When what it printed matches; fails when it ends before. */
	async untilPrinted(pattern: RegExp): Promise<string> {
		const printed = (): string => this.stdout().toString() + this.stderr()
		await this.until(() => pattern.test(printed()), `${this.name} to print ${pattern}`)
		return pattern.exec(printed())![0]
	}

	/** When the fact holds; fails when the process ends before. */
	async until(fact: () => boolean, what: string): Promise<void> {
		// Not when it has ended, but when its last words have come as well.
		if (await comes(fact, () => this.#end !== undefined || this.pid === -1)) return
		const state = this.running ? 'is running' : `has ended with ${this.child.exitCode}`
		throw new Error(`waited for ${what}: ${this.name} ${state}\n${this.stderr()}`)
	}

	signal(signal: NodeJS.Signals): void {
		if (this.pid !== -1) killGroup(this.pid, signal)
	}

	/** Ends it and everything that it started. */
	async stop(): Promise<void> {
		if (this.pid === -1) return
		this.signal('SIGTERM')
		const late = setTimeout(() => this.signal('SIGKILL'), GRACE_MILLIS)
		await this.ended
		clearTimeout(late)
		this.signal('SIGKILL')
	}
}

/** When the fact holds; for facts that are no process's alone. */
export async function until(
	fact: () => boolean, what: string, patienceMillis = PATIENCE_MILLIS,
): Promise<void> {
	if (!await comes(fact, () => false, patienceMillis)) throw new Error(`waited for ${what}`)
}

/** Whether it came before it could not any more, and before our patience was over. */
async function comes(
	fact: () => boolean, isOver: () => boolean, patience = PATIENCE_MILLIS,
): Promise<boolean> {
	let last = performance.now()
	while (!fact()) {
		if (isOver() || patience < 0) return false
		await pause(POLL_MILLIS)
		const now = performance.now()
		patience -= Math.min(now - last, LOOK_MILLIS)
		last = now
	}
	return true
}

/** Groups that must not outlive us, however we end. */
const groups: Set<number> = new Set()
process.on('exit', () => {
	for (const pid of groups) killGroup(pid, 'SIGKILL')
})

/** The group has its first process's id, and keeps it while any of its processes lives. */
function killGroup(pid: number, signal: NodeJS.Signals): void {
	try {
		process.kill(-pid, signal)
	} catch {
		// Nobody of it is left.
		groups.delete(pid)
	}
}

export function start(
	owner: Owner, command: string, args: readonly string[], options: StartOptions = {},
): Started {
	const child = spawn(findProgram(command) ?? command, args, {
		stdio: options.stdio ?? ['pipe', 'pipe', 'pipe'],
		detached: true,
		env: { ...process.env, ...options.env },
		...(options.cwd === undefined ? {} : { cwd: options.cwd }),
	})
	const started = new Started(command, child)
	if (started.pid !== -1) groups.add(started.pid)
	if (LIMITED) {
		const over = setTimeout(() => void started.stop(), LIFE_MILLIS)
		started.ended.finally(() => clearTimeout(over)).catch(() => {})
	}
	owner.teardown(() => started.stop().catch(() => {}))
	return started
}

export function makeFolder(owner: Owner): string {
	const folder = mkdtempSync(join(tmpdir(), 'curvegate-'))
	// Somebody who is just being ended may still write into it.
	owner.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
	return folder
}

/** Below those that the kernel gives to whoever asks for any: 32,768 and more. */
const PORTS = { first: 10_000, count: 22_000 }
/** Files that are tested at the same time take theirs from different hundreds. */
let portsTaken = 100 * (31 * process.pid + threadId)

function nextPort(): number {
	return PORTS.first + portsTaken++ % PORTS.count
}

/** A UDP port of 127.0.0.1 that nobody has now, nor gets by chance before we come back to it. */
export async function freePort(): Promise<number> {
	const socket = createSocket('udp4')
	return await firstFree(socket, (port) => socket.bind({ address: '127.0.0.1', port }))
}

/** The same of TCP. */
export async function freeTcpPort(): Promise<number> {
	const server = createServer()
	return await firstFree(server, (port) => server.listen(port, '127.0.0.1'))
}

async function firstFree(
	socket: Socket | Server, bind: (port: number) => void,
): Promise<number> {
	for (;;) {
		const port = nextPort()
		const bound = once(socket, 'listening')
		bind(port)
		try {
			await bound
			socket.close()
			return port
		} catch {
			// Somebody has it: another one.
		}
	}
}

/** When somebody has bound the UDP port, as the kernel's table says. */
export async function untilBound(started: Started, port: number): Promise<void> {
	await started.until(() => isBound(port), `UDP port ${port}`)
}

function isBound(port: number): boolean {
	const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
	const lines = readFileSync('/proc/net/udp', 'latin1').split('\n').slice(1)
	return lines.some((line) => line.trim().split(/\s+/)[1]?.endsWith(end))
}

/** A fresh key directory of NaCl's, and its public key in hex. */
export function makeKeyDirectory(owner: Owner): { path: string, publicKey: string } {
	const path = join(makeFolder(owner), 'keys')
	execFileSync('curvecpmakekey', [path])
	return { path, publicKey: execFileSync('curvecpprintkey', [path]).toString().trim() }
}
