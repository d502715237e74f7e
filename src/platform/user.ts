// Another user for this process, once it has bound its ports and read its keys. setuid in Node
// changes every thread, and takes the capabilities of every thread but of the one that is to keep
// some. What cannot be done is trouble: nobody serves as root by accident.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { assert } from '../base/assert.ts'
import { giveUpRights } from './linux/rights.ts'
import { Trouble, causeOf, codeOf } from './trouble.ts'

export interface User {
	readonly name: string
	readonly uid: number
	readonly gid: number
	/** All groups, the main one among them. */
	readonly groups: readonly number[]
	readonly home: string
	readonly shell: string
}

export function findUser(name: string): User {
	const uid = ask(name, '-u')[0] ?? numberOf(inPasswd(name, 2))
	const gid = ask(name, '-g')[0] ?? numberOf(inPasswd(name, 3))
	if (uid === undefined || gid === undefined) throw new Trouble('become', name, 'no such user')
	const groups = ask(name, '-G')
	return {
		name, uid, gid, groups: groups.length > 0 ? groups : [gid],
		home: inPasswd(name, 5) ?? '/', shell: inPasswd(name, 6) ?? '/bin/sh',
	}
}

/**
 * undefined: whom we are already. manage: some rights over the network stay with us, and with none
 * of the programs that we serve. Returns what a person should know.
 */
export function settle(user: User | undefined, manage: boolean): string | undefined {
	return giveUpRights(() => {
		if (user !== undefined) becomeUser(user)
	}, manage)
}

function becomeUser({ name, uid, gid, groups, home, shell }: User): void {
	if (process.getuid?.() === uid && process.getgid?.() === gid) return
	const { setuid, setgid, setgroups } = process
	if (setuid === undefined || setgid === undefined || setgroups === undefined) {
		throw new Trouble('become', name, 'this system knows no users')
	}
	try {
		setgroups.call(process, groups)
		setgid.call(process, gid)
		setuid.call(process, uid)
	} catch (error) {
		throw new Trouble('become', name, refusalOf(name, error))
	}
	assert(process.getuid?.() === uid && process.geteuid?.() === uid, 'root is gone for good')
	// Root's environment is nothing for this user's programs.
	for (const variable of Object.keys(process.env)) {
		if (!OURS.test(variable)) delete process.env[variable]
	}
	Object.assign(process.env, { USER: name, LOGNAME: name, HOME: home, SHELL: shell })
}

/** Some builds of Node refuse it to everybody: they cannot know whether io_uring runs. */
function refusalOf(name: string, error: unknown): string {
	if (codeOf(error) !== 'ERR_INVALID_STATE') return `${causeOf(error)}; only root can`
	return `this Node (${process.version}, libuv ${process.versions.uv}) refuses to change the user; `
		+ `cure: start as ${name}, by systemd's User= or setpriv --reuid ${name} --init-groups`
}

/** What everybody may know, and what says how we are to run. */
const OURS = /^(PATH|LANG|LC_\w+|TZ|TERM|NO_COLOR|(NODE|CURVEGATE|WATCHDOG)_\w+|NOTIFY_SOCKET)$/

function numberOf(text: string | undefined): number | undefined {
	return text === undefined ? undefined : Number(text)
}

/** The system's own tool knows users of every kind; it may be absent. */
function ask(name: string, what: string): number[] {
	try {
		const text = execFileSync('id', [what, '--', name], {
			stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8',
		})
		return text.trim().split(' ').map(Number)
	} catch {
		return []
	}
}

function inPasswd(name: string, field: number): string | undefined {
	try {
		for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
			const fields = line.split(':')
			if (fields[0] === name) return fields[field]
		}
	} catch {
		// A system without the file has no such user.
	}
	return undefined
}
