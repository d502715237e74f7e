// What a process may do, thread by thread, as the kernel has it.

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import type { ExecutionContext } from 'ava'

/** CAP_NET_ADMIN and CAP_NET_RAW. */
export const KEPT = '0000000000003000'
export const NOTHING = '0000000000000000'

/** One line of the status of each thread. */
export function statusOf(pid: number, field: string): string[] {
	return readdirSync(`/proc/${pid}/task`).map((task) => {
		const text = readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8')
		return new RegExp(`^${field}:\\s*(.*?)\\s*$`, 'm').exec(text)![1]!
	})
}

export const idOf = (what: string): string =>
	execFileSync('id', [what, 'nobody'], { encoding: 'utf8' }).trim()

/** Every thread is nobody's; the main one alone manages the network. */
export function checkRights(t: ExecutionContext, pid: number): void {
	const uid = idOf('-u')
	const users = statusOf(pid, 'Uid')
	t.true(users.length > 4, 'a process of several threads')
	for (const line of users) t.is(line, [uid, uid, uid, uid].join('\t'))
	for (const line of statusOf(pid, 'Groups')) t.is(line, idOf('-G'))
	for (const name of ['CapEff', 'CapPrm']) {
		const [main, ...others] = statusOf(pid, name)
		t.is(main, KEPT)
		t.deepEqual(new Set(others), new Set([NOTHING]), `${name} of all other threads`)
	}
	t.deepEqual(new Set(statusOf(pid, 'CapAmb')), new Set([NOTHING]))
}
