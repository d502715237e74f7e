// Descriptors that this process was started with, for the programs that it starts. Node has opened
// some of its own before anybody can look: those are its pollers, and pipes with both ends here.

import { readlinkSync } from 'node:fs'

/** The open ones among 3 to last. Call it before anything else is opened. */
export function inheritedDescriptors(last: number): number[] {
	const links = new Map<number, string>()
	for (let fd = 0; fd < 64; fd++) {
		const link = linkOf(fd)
		if (link !== undefined) links.set(fd, link)
	}
	const found: number[] = []
	for (let fd = 3; fd <= last; fd++) {
		const link = links.get(fd)
		if (link === undefined || link.startsWith('anon_inode:')) continue
		const ends = [...links].filter(([, other]) => other === link).map(([end]) => end)
		// A pair of its own stands above the usual three.
		const isPair = link.startsWith('pipe:') && ends.length === 2 && ends.every((end) => end > 2)
		if (!isPair) found.push(fd)
	}
	return found
}

/** What spawn is to do with 3 to last: passes those, closes the others. */
export function passed(inherited: readonly number[], last: number): (number | 'ignore')[] {
	return Array.from({ length: last - 2 }, (_, i) => inherited.includes(i + 3) ? i + 3 : 'ignore')
}

function linkOf(fd: number): string | undefined {
	try {
		return readlinkSync(`/proc/self/fd/${fd}`)
	} catch {
		return undefined
	}
}
