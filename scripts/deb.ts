// Debian packages in build/deb, without root and without a build environment: the bundle, koffi for
// one architecture, boards, units, manual, completions. The same source makes the same bytes.
// `make deb ARGS='amd64'`: only these architectures.

import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { VERSION } from '../src/base/version.ts'
import { TOOL_NAMES } from '../src/cli/nacl/tools.ts'
import { addKoffi } from './native.ts'
import { sourceDate } from './source-date.ts'
import { Tree } from './tree.ts'

const OUT = 'build/deb'
const LIBRARY = 'usr/lib/curvegate'
/** Debian's name of an architecture: koffi's. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
	amd64: 'x64', arm64: 'arm64', armhf: 'arm',
}

const date = sourceDate()

function buildMain(architecture: string): string {
	const tree = new Tree(join(OUT, `curvegate-${architecture}`), date)
	tree.copy('build/curvegate', `${LIBRARY}/build/curvegate`, 0o755)
	for (const tool of TOOL_NAMES) tree.copy(`build/${tool}`, `${LIBRARY}/build/${tool}`, 0o755)
	tree.write(`${LIBRARY}/package.json`, `${JSON.stringify(
		{ name: 'curvegate', version: VERSION, type: 'module', private: true })}\n`)
	for (const board of readdirSync('boards')) {
		tree.copy(`boards/${board}`, `${LIBRARY}/boards/${board}`)
	}
	addKoffi(tree, `${LIBRARY}/node_modules`, ARCHITECTURES[architecture]!, join(OUT, 'npm'))
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
	const tree = new Tree(join(OUT, 'curvegate-curvecp'), date)
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
	const files = tree.files().filter((path) => !path.startsWith('DEBIAN/'))
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
