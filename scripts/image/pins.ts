// The exact packages that images are made of: one line each in pins.txt, with the sum of what is
// downloaded. The same pins and the same source make the same image.

import { readFileSync, writeFileSync } from 'node:fs'
import { Usage } from '../../src/platform/trouble.ts'

export const PINS_FILE = 'scripts/image/pins.txt'

export interface DebPin {
	readonly suite: string
	readonly architecture: string
	/** In every image, or named by a board. */
	readonly use: 'system' | 'board'
	readonly name: string
	readonly version: string
	readonly sha256: string
}

export interface NpmPin {
	readonly name: string
	readonly version: string
	readonly integrity: string
}

export interface Pins {
	readonly debs: readonly DebPin[]
	readonly npm: readonly NpmPin[]
}

const HEAD = `# What images are made of, written by "make pins":
# deb SUITE ARCHITECTURE system|board NAME VERSION SHA256 / npm NAME VERSION INTEGRITY
`

export function readPins(file = PINS_FILE): Pins {
	const debs: DebPin[] = []
	const npm: NpmPin[] = []
	for (const [i, line] of readFileSync(file, 'utf8').split('\n').entries()) {
		if (line === '' || line.startsWith('#')) continue
		const [kind, ...words] = line.split(' ')
		if (kind === 'deb' && words.length === 6) debs.push(debOf(words))
		else if (kind === 'npm' && words.length === 3) npm.push(npmOf(words))
		else {
			throw new Usage('expected deb with six words or npm with three', { file, line: i + 1 })
		}
	}
	return { debs, npm }
}

function debOf(words: readonly string[]): DebPin {
	const [suite, architecture, use, name, version, sha256] = words
	return {
		suite: suite!, architecture: architecture!, use: use === 'system' ? 'system' : 'board',
		name: name!, version: version!, sha256: sha256!,
	}
}

function npmOf([name, version, integrity]: readonly string[]): NpmPin {
	return { name: name!, version: version!, integrity: integrity! }
}

export function writePins({ debs, npm }: Pins, file = PINS_FILE): void {
	const lines = [
		...debs.map(({ suite, architecture, use, name, version, sha256 }) =>
			`deb ${suite} ${architecture} ${use} ${name} ${version} ${sha256}`),
		...npm.map(({ name, version, integrity }) => `npm ${name} ${version} ${integrity}`),
	]
	writeFileSync(file, `${HEAD}${[...new Set(lines)].sort().join('\n')}\n`)
}

/** The pin of a package, or a word on how to come by one. */
export function findDeb(
	pins: Pins, suite: string, architecture: string, name: string,
): DebPin {
	const found = pins.debs.find((pin) =>
		pin.suite === suite && pin.architecture === architecture && pin.name === name)
	if (found !== undefined) return found
	throw new Usage(`no pin for ${name} of ${suite} on ${architecture}; make pins writes one`)
}

export function findNpm(pins: Pins, name: string, version: string): NpmPin {
	const found = pins.npm.find((pin) => pin.name === name && pin.version === version)
	if (found !== undefined) return found
	throw new Usage(`no pin for npm's ${name} ${version}; make pins writes one`)
}
