// Native packages for another machine than this one: exactly those that package-lock.json names,
// and of them only what is loaded.

import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Tree } from './tree.ts'

/** Of koffi what is loaded: the rest is its source. */
const KOFFI_FILES = ['package.json', 'LICENSE.txt', 'index.cjs', 'src/koffi/index.cjs',
	'src/koffi/src/static.cjs']

/** Architecture: npm's name, x64, arm64 or arm. Cache: where packages are kept. */
export function addKoffi(tree: Tree, modules: string, architecture: string, cache: string): void {
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
	if (locked === undefined) throw new Error(`${name} is not in package-lock.json`)
	return fetchPackage(name, locked.version, locked.integrity, cache)
}

/** A package of npm's, unpacked; refused when it is not the expected one. */
export function fetchPackage(
	name: string, version: string, integrity: string, cache: string,
): string {
	const folder = join(cache, `${name.replace('/', '-')}-${version}`)
	mkdirSync(folder, { recursive: true })
	const known = readdirSync(folder).find((file) => file.endsWith('.tgz'))
	const packed = known ?? execFileSync('npm', ['pack', '--silent', '--pack-destination', folder,
		`${name}@${version}`], { encoding: 'utf8' }).trim()
	const path = join(folder, packed)
	const sum = `sha512-${createHash('sha512').update(readFileSync(path)).digest('base64')}`
	if (sum !== integrity) {
		rmSync(path)
		throw new Error(`${name} ${version}: what npm sent is another package than the pinned one`)
	}
	execFileSync('tar', ['-xzf', path, '-C', folder])
	return join(folder, 'package')
}
