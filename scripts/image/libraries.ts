// Shared libraries: exactly those that the programs of an image ask for, found in the unpacked
// packages by the names that the dynamic linker would look for.

import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Trouble } from '../../src/platform/trouble.ts'
import type { Tools } from './tools.ts'

/** Opened by name while the program runs, so that no header tells of them. */
const OPENED = ['libsodium.so.23', 'libgcc_s.so.1']

/** Name to path of every library that these programs need; folders: unpacked packages. */
export function librariesOf(
	tools: Tools, programs: readonly string[], folders: readonly string[],
): Map<string, string> {
	const known = new Map(folders.flatMap(sharedObjects).map((path) => [basename(path), path]))
	const needed = new Map<string, string>()
	const open = [...OPENED, ...programs.flatMap((program) => namesIn(tools, program))]
	for (let name = open.pop(); name !== undefined; name = open.pop()) {
		if (needed.has(name)) continue
		const path = known.get(name)
		if (path === undefined) throw new Trouble('find', name, 'no package of the image has it')
		needed.set(name, path)
		open.push(...namesIn(tools, path))
	}
	return needed
}

function sharedObjects(folder: string): string[] {
	return readdirSync(folder, { recursive: true, encoding: 'utf8' })
		.filter((path) => /^(usr\/)?lib\/(aarch64|arm)-linux-gnu\w*\/[^/]+\.so(\.|$)/.test(path))
		.map((path) => join(folder, path))
}

function namesIn(tools: Tools, file: string): string[] {
	const said = tools.run('readelf', ['-d', file])
	return [...said.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name!)
}

/** The names under which busybox works, as it carries them: between zeros, in order. */
export function appletsOf(file: string): string[] {
	const text = readFileSync(file, 'latin1')
	const start = text.indexOf('\0[\0[[\0')
	const end = text.indexOf('\0\0', start + 1)
	if (start < 0 || end < 0) throw new Trouble('read', file, 'no names of applets in it')
	return text.slice(start + 1, end).split('\0')
}
