// Debian packages for another machine, through the ordinary apt, without root: apt gets folders of
// its own under build/cache and the mirrors that this machine's apt uses.

import { createHash } from 'node:crypto'
import {
	existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { Trouble } from '../../src/platform/trouble.ts'
import type { DebPin } from './pins.ts'
import type { Tools } from './tools.ts'

const KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg'
/** Firmware that may be passed on, but is not free software, is a part of its own. */
const COMPONENTS = 'main non-free-firmware'

export class Apt {
	readonly #tools: Tools
	readonly #suite: string
	readonly #architecture: string
	readonly #folder: string
	readonly #debs: string
	#updated = false

	/** Debian's names of suite and architecture. */
	constructor(tools: Tools, cache: string, suite: string, architecture: string) {
		this.#tools = tools
		this.#suite = suite
		this.#architecture = architecture
		this.#folder = resolve(cache, 'apt', `${suite}-${architecture}`)
		this.#debs = resolve(cache, 'debs')
	}

	/** The path of each pinned package; downloads what is not there yet. */
	fetch(pins: readonly DebPin[]): Map<string, string> {
		mkdirSync(this.#debs, { recursive: true })
		const absent = pins.filter((pin) => !isWhole(this.#path(pin), pin))
		if (absent.length > 0) this.#download(absent)
		return new Map(pins.map((pin) => [pin.name, this.#path(pin)]))
	}

	/** The newest version of each package. */
	newest(names: readonly string[], use: DebPin['use']): DebPin[] {
		this.update()
		const said = this.#apt('apt-cache', ['show', '--no-all-versions', ...names]).stdout
		const found = new Map(said.split('\n\n').map((one) => [fieldOf(one, 'Package'), one]))
		return names.map((name) => {
			const one = found.get(name) ?? ''
			const version = fieldOf(one, 'Version')
			const sha256 = fieldOf(one, 'SHA256')
			if (version === undefined || sha256 === undefined) {
				throw new Trouble('find', `${name} in ${this.#suite}`, 'the mirror does not have it')
			}
			return {
				suite: this.#suite, architecture: this.#architecture, use, name, version, sha256,
			}
		})
	}

	/** These packages and all that they depend on. */
	closure(names: readonly string[]): string[] {
		this.update()
		const { status, stdout, stderr } = this.#apt('apt-get',
			['install', '--print-uris', '-y', ...names])
		if (status !== 0) throw new Trouble('resolve', names.join(' '), stderr.trim())
		return [...stdout.matchAll(/^'\S+' (\S+?)_\S+\.deb \d+/gm)].map(([, name]) => name!).sort()
	}

	/** The newest lists of packages, once. */
	update(): void {
		if (this.#updated) return
		this.#configure()
		const { status, stderr } = this.#apt('apt-get', ['update', '-q'])
		if (status !== 0 || /^[EW]: /m.test(stderr)) {
			throw new Trouble('read', `Debian's package lists of ${this.#suite}`, lastLine(stderr))
		}
		this.#updated = true
	}

	#path({ name, version, architecture }: DebPin): string {
		return join(this.#debs, `${name}_${version.replaceAll(':', '%3a')}_${architecture}.deb`)
	}

	#download(pins: readonly DebPin[]): void {
		this.update()
		const folder = join(this.#folder, 'download')
		rmSync(folder, { recursive: true, force: true })
		mkdirSync(folder, { recursive: true })
		const gone = pins.flatMap((pin) => this.#isListed(pin) ? [] : [this.#successor(pin)])
		if (gone.length > 0) {
			throw new Trouble('download', gone.join(', '), 'make pins takes the newest')
		}
		const wanted = pins.map(({ name, version }) => `${name}=${version}`)
		const { status, stderr } = this.#apt('apt-get', ['download', '-q', ...wanted], folder)
		if (status !== 0) throw new Trouble('download', wanted.join(' '), lastLine(stderr))
		for (const pin of pins) {
			const file = readdirSync(folder).find((one) => one.startsWith(`${pin.name}_`))
			if (file === undefined) throw new Trouble('download', pin.name, 'apt left no file')
			if (!isWhole(join(folder, file), pin)) {
				throw new Trouble('use', `${pin.name} ${pin.version}`,
					'damaged download: its sum is not the pinned one')
			}
			renameSync(join(folder, file), this.#path(pin))
		}
	}

	#isListed({ name, version }: DebPin): boolean {
		const { stdout } = this.#apt('apt-cache', ['madison', name])
		return stdout.split('\n').some((line) => line.split('|')[1]?.trim() === version)
	}

	#successor({ name, version }: DebPin): string {
		const { stdout } = this.#apt('apt-cache', ['policy', name])
		const newest = /Candidate: (\S+)/.exec(stdout)?.[1]
		const instead = newest === undefined || newest === '(none)'
			? 'nor any other version' : `its newest is ${newest}`
		return `${name} ${version} (no longer on the mirror; ${instead})`
	}

	#apt(program: string, args: readonly string[], cwd = this.#folder): ReturnType<Tools['try']> {
		const settings = [
			`Dir::State=${this.#folder}/state`,
			`Dir::State::status=${this.#folder}/status`,
			`Dir::Cache=${this.#folder}/cache`,
			'Dir::Cache::pkgcache=pkgcache.bin',
			`Dir::Etc::sourcelist=${this.#folder}/debian.sources`,
			'Dir::Etc::sourceparts=/dev/null',
			`APT::Architecture=${this.#architecture}`,
			'APT::Install-Recommends=false',
			'APT::Sandbox::User=',
			'Acquire::Languages=none',
		]
		const env = { APT_CONFIG: `${this.#folder}/apt.conf` }
		return this.#tools.try(program,
			[...settings.flatMap((setting) => ['-o', setting]), ...args], { env, cwd })
	}

	#configure(): void {
		for (const folder of ['state/lists/partial', 'cache/archives/partial']) {
			mkdirSync(join(this.#folder, folder), { recursive: true })
		}
		writeFileSync(join(this.#folder, 'status'), '')
		writeFileSync(join(this.#folder, 'debian.sources'), this.#sources())
		// A list cannot be replaced on the command line, only added to.
		writeFileSync(join(this.#folder, 'apt.conf'),
			`APT::Architectures { "${this.#architecture}"; };\n`)
	}

	#sources(): string {
		const { main, security } = this.#mirrors()
		const signed = existsSync(KEYS) ? `Signed-By: ${KEYS}\n` : ''
		const source = (uri: string, suites: string): string =>
			`Types: deb\nURIs: ${uri}\nSuites: ${suites}\nComponents: ${COMPONENTS}\n${signed}`
		return [
			source(main, `${this.#suite} ${this.#suite}-updates`),
			source(security, `${this.#suite}-security`),
		].join('\n')
	}

	/** Debian's mirrors that this machine's apt uses, or those that the caller names. */
	#mirrors(): { main: string, security: string } {
		const said = this.#tools.run('apt-get',
			['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'])
		const uris = said.split('\n').map((uri) => uri.replace(/\/$/, ''))
		const main = process.env['DEBIAN_MIRROR'] ?? uris.find((uri) => uri.endsWith('/debian'))
		const security = process.env['DEBIAN_SECURITY']
			?? uris.find((uri) => uri.endsWith('/debian-security'))
		if (main !== undefined && security !== undefined) return { main, security }
		throw new Trouble('find', 'a mirror of Debian', 'apt here uses none; '
			+ 'name them: make image DEBIAN_MIRROR=URL DEBIAN_SECURITY=URL')
	}
}

function isWhole(path: string, { sha256 }: DebPin): boolean {
	if (!existsSync(path)) return false
	return createHash('sha256').update(readFileSync(path)).digest('hex') === sha256
}

function fieldOf(paragraph: string, key: string): string | undefined {
	return new RegExp(`^${key}: (.*)$`, 'm').exec(paragraph)?.[1]
}

function lastLine(text: string): string {
	return text.trim().split('\n').at(-1) ?? ''
}
