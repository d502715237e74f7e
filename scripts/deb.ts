// Debian packages in build/deb, without root and without a build environment: the bundle, koffi for
// one architecture, boards, units, manual, completions. The same source makes the same bytes.
// `make deb ARGS='amd64'`: only these architectures.

import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import {
	chmodSync, existsSync, lutimesSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync,
	symlinkSync, writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { VERSION } from '../src/base/version.ts'
import { TOOL_NAMES } from '../src/cli/nacl/tools.ts'
import { sourceDate } from './source-date.ts'

const OUT = 'build/deb'
const LIBRARY = 'usr/lib/curvegate'
/** Debian's name of an architecture: koffi's. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
	amd64: 'x64', arm64: 'arm64', armhf: 'arm',
}
/** Of koffi what is loaded: the rest is its source. */
const KOFFI_FILES = ['package.json', 'LICENSE.txt', 'index.cjs', 'src/koffi/index.cjs',
	'src/koffi/src/static.cjs']

const date = sourceDate()

class Tree {
	readonly root: string

	constructor(root: string) {
		this.root = root
		rmSync(root, { recursive: true, force: true })
	}

	write(path: string, content: string | Buffer, mode = 0o644): void {
		const full = join(this.root, path)
		mkdirSync(dirname(full), { recursive: true })
		writeFileSync(full, content)
		chmodSync(full, mode)
	}

	copy(from: string, path: string, mode = 0o644): void {
		this.write(path, readFileSync(from), mode)
	}

	link(path: string, target: string): void {
		mkdirSync(dirname(join(this.root, path)), { recursive: true })
		symlinkSync(target, join(this.root, path))
	}

	/** Plain files below the root, in order. */
	files(): string[] {
		return readdirSync(this.root, { recursive: true, withFileTypes: true })
			.filter((entry) => entry.isFile())
			.map((entry) => join(entry.parentPath, entry.name).slice(this.root.length + 1))
			.filter((path) => !path.startsWith('DEBIAN/'))
			.sort()
	}

	/** Times and modes say nothing of who built it, and when. */
	settle(): void {
		for (const entry of readdirSync(this.root, { recursive: true, withFileTypes: true })) {
			const path = join(entry.parentPath, entry.name)
			if (entry.isDirectory()) chmodSync(path, 0o755)
			lutimesSync(path, date, date)
		}
		chmodSync(this.root, 0o755)
		lutimesSync(this.root, date, date)
	}
}

function buildMain(architecture: string): string {
	const tree = new Tree(join(OUT, `curvegate-${architecture}`))
	tree.copy('build/curvegate', `${LIBRARY}/build/curvegate`, 0o755)
	for (const tool of TOOL_NAMES) tree.copy(`build/${tool}`, `${LIBRARY}/build/${tool}`, 0o755)
	tree.write(`${LIBRARY}/package.json`, `${JSON.stringify(
		{ name: 'curvegate', version: VERSION, type: 'module', private: true })}\n`)
	for (const board of readdirSync('boards')) {
		tree.copy(`boards/${board}`, `${LIBRARY}/boards/${board}`)
	}
	addKoffi(tree, ARCHITECTURES[architecture]!)
	tree.link('usr/bin/curvegate', '../lib/curvegate/build/curvegate')
	for (const unit of readdirSync('scripts/packaging/systemd')) {
		tree.copy(`scripts/packaging/systemd/${unit}`, `usr/lib/systemd/system/${unit}`)
	}
	tree.write('usr/share/man/man1/curvegate.1.gz', gzip('build/man/curvegate.1'))
	tree.copy('build/completions/curvegate.bash', 'usr/share/bash-completion/completions/curvegate')
	tree.copy('build/completions/_curvegate', 'usr/share/zsh/vendor-completions/_curvegate')
	tree.copy('build/completions/curvegate.fish',
		'usr/share/fish/vendor_completions.d/curvegate.fish')
	tree.copy('LICENSE', 'usr/share/doc/curvegate/copyright')
	tree.write('usr/share/doc/curvegate/README.md.gz', gzip('README.md'))
	mkdirSync(join(tree.root, 'etc/curvegate'), { recursive: true })
	for (const script of ['postinst', 'prerm', 'postrm']) {
		tree.copy(`scripts/packaging/debian/${script}`, `DEBIAN/${script}`, 0o755)
	}
	return finish(tree, [
		'Package: curvegate', `Architecture: ${architecture}`,
		'Depends: nodejs (>= 20.19), passwd', 'Recommends: libsodium23', 'Suggests: nftables',
		'Description: CurveCP server, client and gateway',
		' Reaches services on a small computer, a home router or the boxes behind it',
		' through one UDP port, encrypted and authenticated end to end, without',
		' certificates, accounts or a relay.',
	])
}

/** NaCl's names in the PATH: not beside the originals, which have the same. */
function buildNames(): string {
	const tree = new Tree(join(OUT, 'curvegate-curvecp'))
	for (const tool of TOOL_NAMES) {
		tree.link(`usr/bin/${tool}`, `../lib/curvegate/build/${tool}`)
		tree.link(`usr/share/man/man1/${tool}.1.gz`, 'curvegate.1.gz')
	}
	tree.copy('LICENSE', 'usr/share/doc/curvegate-curvecp/copyright')
	return finish(tree, [
		'Package: curvegate-curvecp', 'Architecture: all',
		`Depends: curvegate (= ${VERSION})`, 'Conflicts: nacl-tools',
		"Description: NaCl's CurveCP commands, by curvegate",
		' curvecpserver, curvecpclient, curvecpmessage, curvecpmakekey and',
		" curvecpprintkey with the arguments, descriptors and exit codes of NaCl's.",
	])
}

function finish(tree: Tree, control: readonly string[]): string {
	const files = tree.files()
	const bytes = files.reduce((sum, path) => sum + statSync(join(tree.root, path)).size, 0)
	const [description] = control.flatMap((line, i) => line.startsWith('Description:') ? [i] : [])
	tree.write('DEBIAN/control', [
		...control.slice(0, 1), `Version: ${VERSION}`, ...control.slice(1, description),
		`Installed-Size: ${Math.ceil(bytes / 1024)}`, 'Section: net', 'Priority: optional',
		'Maintainer: The Curvegate project <curvegate@invalid>', ...control.slice(description), '',
	].join('\n'))
	tree.write('DEBIAN/md5sums', files.map((path) =>
		`${createHash('md5').update(readFileSync(join(tree.root, path))).digest('hex')}  ${path}\n`)
		.join(''))
	tree.settle()
	const [, name] = /^Package: (.*)/.exec(control[0]!)!
	const [, architecture] = /^Architecture: (.*)/.exec(control[1]!)!
	const deb = join(OUT, `${name}_${VERSION}_${architecture}.deb`)
	execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', tree.root, deb], {
		stdio: ['ignore', 'ignore', 'inherit'],
		env: { ...process.env, SOURCE_DATE_EPOCH: String(date) },
	})
	rmSync(tree.root, { recursive: true })
	return deb
}

function addKoffi(tree: Tree, architecture: string): void {
	const modules = `${LIBRARY}/node_modules`
	for (const file of KOFFI_FILES) {
		tree.copy(`node_modules/koffi/${file}`, `${modules}/koffi/${file}`)
	}
	const name = `@koromix/koffi-linux-${architecture}`
	const from = nativePackage(name)
	const files = ['package.json', 'index.js', `linux_${architecture}/koffi.node`]
		.map((file) => file.replace('linux_arm/', 'linux_armhf/'))
	for (const file of files) tree.copy(join(from, file), `${modules}/${name}/${file}`)
}

/** The installed one, or npm's: exactly that which the lock file names. */
function nativePackage(name: string): string {
	const installed = join('node_modules', name)
	if (existsSync(installed)) return installed
	const lock: { packages: Record<string, { version: string, integrity: string } | undefined> } =
		JSON.parse(readFileSync('package-lock.json', 'utf8'))
	const locked = lock.packages[installed]
	if (locked === undefined) throw new Error(`${name} is not in package-lock.json`)
	const folder = join(OUT, 'npm', `${name.replace('/', '-')}-${locked.version}`)
	mkdirSync(folder, { recursive: true })
	const known = readdirSync(folder).find((file) => file.endsWith('.tgz'))
	const packed = known ?? execFileSync('npm', ['pack', '--silent', '--pack-destination', folder,
		`${name}@${locked.version}`], { encoding: 'utf8' }).trim()
	const path = join(folder, packed)
	const sum = `sha512-${createHash('sha512').update(readFileSync(path)).digest('base64')}`
	if (sum !== locked.integrity) {
		rmSync(path)
		throw new Error(`${name}: not the package of package-lock.json`)
	}
	execFileSync('tar', ['-xzf', path, '-C', folder])
	return join(folder, 'package')
}

function gzip(path: string): Buffer {
	return gzipSync(readFileSync(path), { level: 9 })
}

const asked = process.argv.slice(2)
const unknown = asked.find((one) => ARCHITECTURES[one] === undefined)
if (unknown !== undefined) {
	console.error(`unknown architecture ${unknown}; known: ${Object.keys(ARCHITECTURES).join(', ')}`)
	process.exit(100)
}
mkdirSync(OUT, { recursive: true })
const architectures = asked.length > 0 ? asked : Object.keys(ARCHITECTURES)
for (const deb of [...architectures.map(buildMain), buildNames()]) {
	const hash = createHash('sha256').update(readFileSync(deb)).digest('hex')
	console.log(`${deb}: ${Math.ceil(statSync(deb).size / 1024)} KiB, sha256 ${hash}`)
}
