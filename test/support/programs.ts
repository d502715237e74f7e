// What this machine has: programs, rights, kernel features. Without AVA, so that benchmarks may
// ask.

import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { accessSync, constants, existsSync } from 'node:fs'

/** What a need can be beside the name of a program. Each says what is missing, or undefined. */
const FACTS: Record<string, () => string | undefined> = {
	/** The optional package, which npm builds where its install script may run. */
	'raw-socket': () => (loads('node-raw-socket') ? undefined : 'raw-socket, built'),
	root: () => (process.geteuid?.() === 0 ? undefined : 'root'),
	linux: () => (process.platform === 'linux' ? undefined : 'Linux'),
	/** Network namespaces of our own: root alone is not enough inside some containers. */
	netns: () => (runs('unshare', '--net', 'true') ? undefined : 'network namespaces'),
}

/** undefined when this machine has it. */
export function whatIsMissing(thing: string): string | undefined {
	const fact = FACTS[thing]
	if (fact !== undefined) return fact()
	return findProgram(thing) === undefined ? thing : undefined
}

/** Where a program is; administrators' folders too, which a user's PATH often lacks. */
export function findProgram(name: string): string | undefined {
	if (name.includes('/')) return existsSync(name) ? name : undefined
	const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']
	return folders.map((folder) => `${folder}/${name}`).find((path) => {
		try {
			accessSync(path, constants.X_OK)
			return true
		} catch {
			return false
		}
	})
}

function loads(name: string): boolean {
	try {
		createRequire(import.meta.url)(name)
		return true
	} catch {
		return false
	}
}

function runs(program: string, ...args: readonly string[]): boolean {
	try {
		execFileSync(program, args, { stdio: 'ignore' })
		return true
	} catch {
		return false
	}
}
