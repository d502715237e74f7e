// What travels to a machine: a release that stands by itself, the service files, and the program
// that puts them in place there.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { VERSION } from '../../src/base/version.ts'
import { TOOL_NAMES } from '../../src/cli/nacl/tools.ts'
import { Trouble } from '../../src/platform/trouble.ts'
import { addKoffi } from '../native.ts'
import { sourceDate } from '../source-date.ts'
import { Tree } from '../tree.ts'

const OUT = 'build/deploy'

/** What uname says: koffi's name. */
export const ARCHITECTURES: Readonly<Record<string, string>> = {
	x86_64: 'x64', aarch64: 'arm64', armv7l: 'arm', armv6l: 'arm',
}

/** Node.js of the machine, or the one that came along with its own loader and libraries. */
const SYSTEM_NODE = '#!/bin/sh\nexec node "$@"\n'
const START = '#!/bin/sh\nhere=${0%/*}\nexec "$here/node" "$here/build/curvegate" "$@"\n'

export interface Parcel {
	readonly name: string
	/** A .tar.gz. */
	readonly file: string
	readonly bytes: number
}

/** runtime: a folder, or an image's root.img, that has Node.js and its libraries. */
export async function makeParcel(
	machine: string, bundle: string, runtime: string | undefined,
): Promise<Parcel> {
	const architecture = ARCHITECTURES[machine]!
	const tree = new Tree(join(OUT, machine), sourceDate())
	tree.copy(bundle, 'release/build/curvegate', 0o755)
	for (const tool of TOOL_NAMES) tree.copy(`build/${tool}`, `release/build/${tool}`, 0o755)
	tree.write('release/package.json', `${JSON.stringify(
		{ name: 'curvegate', version: VERSION, type: 'module', private: true })}\n`)
	for (const board of readdirSync('boards')) {
		tree.copy(`boards/${board}`, `release/boards/${board}`)
	}
	addKoffi(tree, 'release/node_modules', architecture, join(OUT, 'npm'))
	tree.write('release/start', START, 0o755)
	const node = runtime === undefined ? SYSTEM_NODE : addRuntime(tree, runtime)
	tree.write('release/node', node, 0o755)
	tree.copyFolder('scripts/packaging/systemd', 'systemd')
	tree.copyFolder('scripts/packaging/openwrt', 'openwrt')
	await build({
		entryPoints: ['scripts/deploy/install.ts'], outfile: join(tree.root, 'release/install.js'),
		bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'warning',
	})
	const name = `${VERSION}-${sumOf(tree).slice(0, 12)}`
	tree.write('name', `${name}\n`)
	tree.settle()
	const file = `${tree.root}.tar.gz`
	execFileSync('tar', ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '-czf', file,
		'-C', tree.root, '.'])
	return { name, file, bytes: statSync(file).size }
}

/** Of everything that runs: the same release has the same name. */
function sumOf(tree: Tree): string {
	const hash = createHash('sha256')
	for (const path of tree.files().filter((one) => one.startsWith('release/'))) {
		hash.update(`${path}\0`).update(readFileSync(join(tree.root, path)))
	}
	return hash.digest('hex')
}

/** Returns the script that starts it: for systems whose C library is not Node's. */
function addRuntime(tree: Tree, runtime: string): string {
	const target = join(tree.root, 'release/runtime')
	if (statSync(runtime).isDirectory()) cpSync(runtime, target, { recursive: true })
	else unpackImage(runtime, target)
	const files = readdirSync(target, { recursive: true, encoding: 'utf8' }).sort()
	const node = files.find((path) => /(^|\/)bin\/node$/.test(path))
	const loader = files.find((path) => /(^|\/)ld-linux[^/]*\.so\.\d+$/.test(path))
	if (node === undefined || loader === undefined) {
		throw new Trouble('use', runtime, 'expected bin/node and ld-linux-….so in it')
	}
	const isLibrary = (path: string): boolean => /\.so(\.|$)/.test(path)
	const folders = [...new Set(files.filter(isLibrary).map((path) =>
		`$here/runtime/${path.includes('/') ? path.replace(/\/[^/]*$/, '') : ''}`))]
	return ['#!/bin/sh', 'here=${0%/*}',
		`exec "$here/runtime/${loader}" --library-path "${folders.join(':')}" \\`,
		`	"$here/runtime/${node}" "$@"`, ''].join('\n')
}

function unpackImage(file: string, target: string): void {
	if (!existsSync('/usr/bin/unsquashfs')) {
		throw new Trouble('unpack', file, 'no unsquashfs here; cure: apt install squashfs-tools')
	}
	execFileSync('unsquashfs', ['-n', '-q', '-d', target, file, 'usr/bin/node', 'lib'],
		{ stdio: ['ignore', 'ignore', 'inherit'] })
}
