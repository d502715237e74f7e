// Another user for this process, once it has bound its ports and read its keys. setuid in Node changes
// every thread. What cannot be done is trouble: nobody serves as root by accident.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { assert } from '../base/assert.ts'
import { Trouble, causeOf } from './trouble.ts'

export interface User {
	readonly name: string
	readonly uid: number
	readonly gid: number
}

export function findUser(name: string): User {
	const known = name.includes(':') ? undefined : inPasswd(name) ?? inDirectory(name)
	if (known !== undefined) return known
	throw new Trouble('become', name, 'no such user')
}

export function becomeUser({ name, uid, gid }: User): void {
	const { setuid, setgid, initgroups } = process
	if (setuid === undefined || setgid === undefined || initgroups === undefined) {
		throw new Trouble('become', name, 'this system knows no users')
	}
	if (process.getuid?.() === uid && process.getgid?.() === gid) return
	try {
		initgroups.call(process, name, gid)
		setgid.call(process, gid)
		setuid.call(process, uid)
	} catch (error) {
		throw new Trouble('become', name, `${causeOf(error)}; only root can`)
	}
	assert(process.getuid?.() === uid && process.geteuid?.() === uid, 'root is gone for good')
	process.env['USER'] = name
	process.env['LOGNAME'] = name
}

function inPasswd(name: string): User | undefined {
	let text: string
	try {
		text = readFileSync('/etc/passwd', 'utf8')
	} catch {
		return undefined
	}
	for (const line of text.split('\n')) {
		const [user, , uid, gid] = line.split(':')
		if (user === name) return { name, uid: Number(uid), gid: Number(gid) }
	}
	return undefined
}

/** Users that are not in the file but in some directory service. */
function inDirectory(name: string): User | undefined {
	try {
		const ask = (what: string): number => {
			const words = [what, '--', name]
			return Number(execFileSync('id', words, { stdio: ['ignore', 'pipe', 'ignore'] }))
		}
		return { name, uid: ask('-u'), gid: ask('-g') }
	} catch {
		return undefined
	}
}
