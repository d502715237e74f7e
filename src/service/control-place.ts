// Where control sockets are. Whoever looks finds every process of the same user; whoever serves
// takes a name that no living process holds. spec: product.md 2

import {
	chmodSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync,
} from 'node:fs'
import { connect } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { codeOf, Trouble, troubleOf } from '../platform/trouble.ts'

const SUFFIX = '.sock'
/** What the kernel takes; a longer path would be cut off. */
const PATH_MAX = 107
/** Sockets of one folder that are looked at. */
const SOCKETS_MAX = 256
/** A living process accepts at once, unless it is busy. */
const PATIENCE_MS = 1000

export interface Surroundings {
	readonly uid: number
	readonly env: Readonly<Record<string, string | undefined>>
}

export function ours(): Surroundings {
	return { uid: process.getuid?.() ?? -1, env: process.env }
}

export function controlFolder({ uid, env }: Surroundings = ours()): string {
	if (uid === 0) return '/run/curvegate'
	const runtime = env['XDG_RUNTIME_DIR'] ?? ''
	return runtime.startsWith('/') ? join(runtime, 'curvegate') : '.curvegate'
}

/** name: server-4000, gateway-eth0, run. */
export function controlPath(name: string, folder = controlFolder()): string {
	return join(folder, `${name.replaceAll(/[^\w.@:-]/g, '_')}${SUFFIX}`)
}

/** Every socket in the folder where processes of ours put theirs. */
export function controlPaths(folder = controlFolder()): string[] {
	try {
		const names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX)).sort()
		return names.slice(0, SOCKETS_MAX).map((name) => join(folder, name))
	} catch {
		return []
	}
}

/** The folder, made when it is absent; throws Trouble for one that others could put things into. */
export function prepareFolder(path: string, { uid }: Surroundings = ours()): void {
	const folder = dirname(resolve(path))
	try {
		if (!isThere(folder)) mkdirSync(folder, { mode: 0o700 })
		const { uid: owner, mode } = statSync(folder)
		const isSticky = (mode & 0o1000) !== 0
		if (owner !== uid && !isSticky) {
			const cure = '--control PATH names another place'
			throw new Trouble('use', folder, `it belongs to another user; ${cure}`)
		}
		if ((mode & 0o022) !== 0 && !isSticky) {
			throw new Trouble('use', folder, `other users may write to it; cure: chmod 700 ${folder}`)
		}
	} catch (error) {
		throw troubleOf('make', folder, error)
	}
}

/**
 * Binds where nobody else can connect, not even for a moment, then gives the socket its name: path,
 * or with our pid when a living process holds that. What a dead one left is removed.
 */
export async function bindPrivately(
	path: string, bind: (path: string) => Promise<void>, pid = process.pid,
): Promise<string> {
	const withPid = path.endsWith(SUFFIX) ? `${path.slice(0, -SUFFIX.length)}-${pid}${SUFFIX}`
		: `${path}-${pid}`
	// Inside, since what is around it may belong to others; join would take the dot away.
	const folder = mkdtempSync(`${dirname(resolve(path))}/.`)
	try {
		const made = join(folder, 's')
		for (const one of [path, made]) {
			if (Buffer.byteLength(one) <= PATH_MAX) continue
			throw new Trouble('make', one,
				`longer than ${PATH_MAX} bytes; --control PATH names a shorter`)
		}
		await bind(made)
		chmodSync(made, 0o600)
		for (const name of [path, withPid]) if (await takeName(made, name)) return name
		throw new Trouble('make', withPid, 'another process holds it')
	} finally {
		rmSync(folder, { recursive: true, force: true })
	}
}

function isThere(path: string): boolean {
	return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

/** False: a living process has it. */
async function takeName(made: string, name: string): Promise<boolean> {
	const there = lstatSync(name, { throwIfNoEntry: false })
	if (there?.isSocket() === false) throw new Trouble('make', name, 'there is a file of that name')
	if (there !== undefined) {
		if (await isAlive(name)) return false
		rmSync(name, { force: true })
	}
	try {
		linkSync(made, name)
		return true
	} catch (error) {
		if (codeOf(error) === 'EEXIST') return false
		throw error
	}
}

/** Whether somebody accepts there; in doubt, yes. */
async function isAlive(path: string): Promise<boolean> {
	return await new Promise<boolean>((done) => {
		const socket = connect(path)
		const say = (alive: boolean) => (): void => {
			socket.destroy()
			done(alive)
		}
		socket.setTimeout(PATIENCE_MS, say(true))
		socket.once('connect', say(true))
		socket.once('error', (error) =>
			say(!['ECONNREFUSED', 'ENOENT'].includes(codeOf(error) ?? ''))())
	})
}
