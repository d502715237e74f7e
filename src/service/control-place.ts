// Where control sockets are. Whoever looks finds every process of the same user; whoever serves
// takes a name that no living process holds. spec: product.md 2

import { chmodSync, lstatSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
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
		mkdirSync(folder, { recursive: true, mode: 0o700 })
		const { uid: owner, mode } = statSync(folder)
		const isSticky = (mode & 0o1000) !== 0
		if (owner !== uid && !isSticky) {
			throw new Trouble('use', folder, 'it belongs to another user; --control PATH names another place')
		}
		if ((mode & 0o022) !== 0 && !isSticky) {
			throw new Trouble('use', folder, `other users may write to it; cure: chmod 700 ${folder}`)
		}
	} catch (error) {
		throw troubleOf('make', folder, error)
	}
}

/** path, or with our pid when a living process holds it; what a dead one left is removed. */
export async function freePath(path: string, pid = process.pid): Promise<string> {
	const withPid = path.endsWith(SUFFIX) ? `${path.slice(0, -SUFFIX.length)}-${pid}${SUFFIX}`
		: `${path}-${pid}`
	for (const one of [path, withPid]) {
		if (Buffer.byteLength(one) > PATH_MAX) {
			throw new Trouble('make', one, `longer than ${PATH_MAX} bytes; --control PATH names a shorter`)
		}
		if (!isThere(one)) return one
		if (!lstatSync(one).isSocket()) throw new Trouble('make', one, 'there is a file of that name')
		if (await isAlive(one)) continue
		rmSync(one, { force: true })
		return one
	}
	throw new Trouble('make', withPid, 'another process holds it')
}

function isThere(path: string): boolean {
	return lstatSync(path, { throwIfNoEntry: false }) !== undefined
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
		socket.once('error', (error) => say(!['ECONNREFUSED', 'ENOENT'].includes(codeOf(error) ?? ''))())
	})
}

/** Binds with nobody else able to connect, not even for a moment. */
export function inPrivate(bind: () => void): void {
	const mask = process.umask(0o177)
	try {
		bind()
	} finally {
		process.umask(mask)
	}
}

export function makePrivate(path: string): void {
	chmodSync(path, 0o600)
}
