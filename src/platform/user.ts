// Another user for this process, once it has bound its ports and read its keys. setuid in Node
// changes every thread. What cannot be done is trouble: nobody serves as root by accident.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { assert } from '../base/assert.ts'
import { Trouble, causeOf } from './trouble.ts'

export interface User {
	readonly name: string
	readonly uid: number
	readonly gid: number
	/** All groups, the main one among them. */
	readonly groups: readonly number[]
}

export function findUser(name: string): User {
	const uid = ask(name, '-u')[0] ?? inPasswd(name, 2)
	const gid = ask(name, '-g')[0] ?? inPasswd(name, 3)
	if (uid === undefined || gid === undefined) throw new Trouble('become', name, 'no such user')
	const groups = ask(name, '-G')
	return { name, uid, gid, groups: groups.length > 0 ? groups : [gid] }
}

export function becomeUser({ name, uid, gid, groups }: User): void {
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
		throw new Trouble('become', name, `${causeOf(error)}; only root can`)
	}
	assert(process.getuid?.() === uid && process.geteuid?.() === uid, 'root is gone for good')
	process.env['USER'] = name
	process.env['LOGNAME'] = name
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

function inPasswd(name: string, field: number): number | undefined {
	try {
		for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
			const fields = line.split(':')
			if (fields[0] === name) return Number(fields[field])
		}
	} catch {
		// A system without the file has no such user.
	}
	return undefined
}
