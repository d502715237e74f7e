// Native packages for another machine than this one: exactly those that package-lock.json names,
// and of them only what is loaded.

import { createHash } from 'node:crypto'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Trouble } from '../src/platform/trouble.ts'
import type { Tree } from './tree.ts'

/** Of koffi what is loaded: the rest is its source. */
const KOFFI_FILES = ['package.json', 'LICENSE.txt', 'index.cjs', 'src/koffi/index.cjs',
	'src/koffi/src/static.cjs']

/** Architecture: npm's name, x64, arm64 or arm. Cache: where packages are kept. */
export function addKoffi(tree: Tree, modules: string, architecture: string, cache: string): void {
	if (!existsSync('node_modules/koffi')) throw new Trouble('find', 'koffi', 'npm ci installs it')
	for (const file of KOFFI_FILES) {
		tree.copy(`node_modules/koffi/${file}`, `${modules}/koffi/${file}`)
	}
	const name = `@koromix/koffi-linux-${architecture}`
	const from = nativePackage(name, cache)
	const files = ['package.json', 'index.js', `linux_${architecture}/koffi.node`]
		.map((file) => file.replace('linux_arm/', 'linux_armhf/'))
	for (const file of files) tree.copy(join(from, file), `${modules}/${name}/${file}`)
}

/** serialport with its JavaScript, and of its native half the one for glibc on that machine. */
export function addSerialport(tree: Tree, modules: string, architecture: string): void {
	for (const [path, folder] of closureOf('serialport')) {
		const native = join(folder, 'prebuilds', `linux-${architecture}`)
		for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
			const [top] = file.split('/')
			if (top === 'node_modules' || top === 'prebuilds') continue
			const isWanted = /^(LICENSE|package\.json)|\.js$/.test(file) && !/win32|darwin/.test(file)
			if (isWanted) tree.copy(join(folder, file), join(modules, path, file))
		}
		if (!existsSync(native)) continue
		for (const file of readdirSync(native)) {
			if (/glibc/.test(file)) tree.copy(join(native, file),
				join(modules, path, 'prebuilds', `linux-${architecture}`, file))
		}
	}
}

/** Only for building. */
const NOT_NEEDED = ['node-addon-api']

/** A package and all that it depends on: path below node_modules, and its folder. */
function closureOf(name: string): Map<string, string> {
	const found = new Map<string, string>()
	const open = [[name, '']]
	for (let next = open.pop(); next !== undefined; next = open.pop()) {
		const [wanted, from] = next
		const nested = join(from!, 'node_modules', wanted!)
		const path = from !== '' && existsSync(join('node_modules', nested)) ? nested : wanted!
		if (found.has(path)) continue
		const folder = join('node_modules', path)
		if (!existsSync(folder)) throw new Trouble('find', folder, 'npm ci installs it')
		found.set(path, folder)
		const { dependencies = {} }: { dependencies?: Record<string, string> } =
			JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
		for (const one of Object.keys(dependencies)) {
			if (!NOT_NEEDED.includes(one)) open.push([one, path])
		}
	}
	return found
}

/** The installed one, or npm's: exactly that which the lock file names. */
function nativePackage(name: string, cache: string): string {
	const installed = join('node_modules', name)
	if (existsSync(installed)) return installed
	const lock: { packages: Record<string, { version: string, integrity: string } | undefined> } =
		JSON.parse(readFileSync('package-lock.json', 'utf8'))
	const locked = lock.packages[installed]
	if (locked === undefined) throw new Trouble('find', name, 'not in package-lock.json')
	return fetchPackage(name, locked.version, locked.integrity, cache)
}

/** A package of npm's, unpacked; refused when it is not the expected one. */
export function fetchPackage(
	name: string, version: string, integrity: string, cache: string,
): string {
	const folder = join(cache, `${name.replace('/', '-')}-${version}`)
	mkdirSync(folder, { recursive: true })
	const packed = (): string | undefined => {
		const file = readdirSync(folder).find((one) => one.endsWith('.tgz'))
		return file === undefined ? undefined : join(folder, file)
	}
	const known = packed()
	// Left in the middle, or damaged since.
	if (known !== undefined && integrityOf(known) !== integrity) rmSync(known)
	if (packed() === undefined) pack(`${name}@${version}`, folder)
	const path = packed()
	if (path === undefined || integrityOf(path) !== integrity) {
		throw new Trouble('use', `npm's ${name} ${version}`,
			'damaged download: its sum is not the pinned one')
	}
	execFileSync('tar', ['-xzf', path, '-C', folder])
	return join(folder, 'package')
}

function pack(wanted: string, folder: string): void {
	const { status, stderr, error } = spawnSync('npm',
		['pack', '--silent', '--pack-destination', folder, wanted], { encoding: 'utf8' })
	if (status === 0) return
	const why = error?.message ?? stderr.trim().split('\n').at(-1)!
	throw new Trouble('download', wanted, why === '' ? 'npm could not get it' : why)
}

function integrityOf(path: string): string {
	return `sha512-${createHash('sha512').update(readFileSync(path)).digest('base64')}`
}
