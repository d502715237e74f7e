// The packages that images are made of: pinned, fetched, and unpacked once for all builds. Nothing
// of theirs is run.

import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { basename, join, sep } from 'node:path'
import { fetchPackage } from '../native.ts'
import { Apt } from './apt.ts'
import { findDeb, findNpm, readPins, type DebPin } from './pins.ts'
import { kernelOf } from './recipe.ts'
import type { Tools } from './tools.ts'

export const CACHE = 'build/cache'

export class Store {
	readonly tools: Tools
	readonly #pins = readPins()
	readonly #apt: Apt
	readonly #suite: string
	readonly #architecture: string
	/** Pins by the folder into which they were unpacked. */
	readonly #folders = new Map<string, DebPin>()

	/** Debian's names. */
	constructor(tools: Tools, suite: string, architecture: string) {
		this.tools = tools
		this.#apt = new Apt(tools, CACHE, suite, architecture)
		this.#suite = suite
		this.#architecture = architecture
	}

	/** The folder of each package. */
	debs(names: readonly string[]): Map<string, string> {
		return this.#unpacked(names.map((name) =>
			findDeb(this.#pins, this.#suite, this.#architecture, name)))
	}

	/** What every image takes from Debian, with all that it depends on. */
	system(): Map<string, string> {
		return this.#unpacked(this.#pins.debs.filter(({ use, suite, architecture }) =>
			use === 'system' && suite === this.#suite && architecture === this.#architecture))
	}

	/** The folder of the kernel that the package of that name stands for. */
	kernel(name: string): string {
		const pin = findDeb(this.#pins, this.#suite, this.#architecture, name)
		const kernel = kernelOf(this.tools, this.#apt.fetch([pin]).get(name)!)
		return this.debs([kernel]).get(kernel)!
	}

	/** npm's package with Node.js. */
	node(version: string): string {
		const name = `node-linux-${this.#architecture}`
		const { integrity } = findNpm(this.#pins, name, version)
		return fetchPackage(name, version, integrity, join(CACHE, 'npm'))
	}

	/** The package that a file comes from. */
	packageOf(path: string): { pin: DebPin, folder: string } | undefined {
		const [, name] = path.split(join(CACHE, 'unpacked') + sep)
		const folder = join(CACHE, 'unpacked', name?.split(sep)[0] ?? '')
		const pin = this.#folders.get(folder)
		return pin === undefined ? undefined : { pin, folder }
	}

	#unpacked(pins: readonly DebPin[]): Map<string, string> {
		const paths = this.#apt.fetch(pins)
		return new Map(pins.map((pin) => {
			const folder = unpack(this.tools, paths.get(pin.name)!)
			this.#folders.set(folder, pin)
			return [pin.name, folder]
		}))
	}
}

function unpack(tools: Tools, path: string): string {
	const folder = join(CACHE, 'unpacked', basename(path, '.deb'))
	// Made last: a folder without it was left in the middle.
	const whole = join(folder, '.whole')
	if (existsSync(whole)) return folder
	mkdirSync(folder, { recursive: true })
	tools.run('dpkg-deb', ['-x', path, folder])
	// The control file has names for what the copyright file is about.
	tools.run('dpkg-deb', ['-e', path, join(folder, 'DEBIAN')])
	mkdirSync(whole)
	return folder
}

export function filesBelow(folder: string): string[] {
	return readdirSync(folder, { recursive: true, encoding: 'utf8' })
}
