// Under which licences what an image holds may be passed on: one line for each component, and the
// texts. A package counts when one of its files was taken.

import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Store } from './store.ts'

interface Component {
	readonly name: string
	readonly version: string
	/** Short names of licences, as the package says them. */
	readonly licences: string
	/** Where its source is to be had. */
	readonly source: string
	readonly text: string
}

/** sources: every file that was copied into the image. bundled: packages inside the program. */
export function licencesText(
	store: Store, sources: Iterable<string>, bundled: readonly string[],
): string {
	const components = new Map<string, Component>()
	for (const path of [...sources, ...bundled.map((name) => `node_modules/${name}/package.json`)]) {
		const component = debianComponent(store, path) ?? npmComponent(path) ?? ours()
		components.set(component.name, component)
	}
	const sorted = [...components.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
	return [
		'# name version: licences (source)',
		...sorted.map(({ name, version, licences, source }) =>
			`${name} ${version}: ${licences} (${source})`),
		...sorted.flatMap(({ name, version, text }) =>
			['', `==== ${name} ${version}`, '', text.trimEnd()]),
		'',
	].join('\n')
}

function debianComponent(store: Store, path: string): Component | undefined {
	const found = store.packageOf(path)
	if (found === undefined) return undefined
	const { pin: { name, version }, folder } = found
	const control = readFileSync(join(folder, 'DEBIAN/control'), 'utf8')
	const source = /^Source: (\S+)(?: \((.*)\))?/m.exec(control)
	const text = copyrightOf(store, folder, name)
	return {
		name, version, licences: shortNames(text), text,
		source: `Debian's source package ${source?.[1] ?? name} ${source?.[2] ?? version}`,
	}
}

/** In the package itself, or in the one whose folder stands there as a link. */
function copyrightOf(store: Store, folder: string, name: string): string {
	const docs = join(folder, 'usr/share/doc', name)
	const isLink = lstatSync(docs).isSymbolicLink()
	if (!isLink) return readFileSync(join(docs, 'copyright'), 'utf8')
	const other = basename(readlinkSync(docs))
	return copyrightOf(store, store.system().get(other)!, other)
}

function shortNames(text: string): string {
	const names = [...text.matchAll(/^License: *(\S.*)$/gm)].map(([, name]) => name!.trim())
	return [...new Set(names)].join(', ') || 'see its text'
}

function npmComponent(path: string): Component | undefined {
	const [, folder] = /^(.*\/(?:node_modules\/(?:@[^/]+\/)?[^/]+|package))\//.exec(`./${path}`) ?? []
	if (folder === undefined) return undefined
	const { name, version, license }: { name: string, version: string, license?: string } =
		JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
	const file = readdirSync(folder).find((one) => /^(licen[cs]e|copying)/i.test(one))
	return {
		name, version, licences: license ?? 'see its text', source: `npm's package ${name}`,
		text: file === undefined ? `It says only: ${license ?? 'nothing'}.`
			: readFileSync(join(folder, file), 'utf8'),
	}
}

function ours(): Component {
	const { version }: { version: string } = JSON.parse(readFileSync('package.json', 'utf8'))
	return {
		name: 'curvegate', version, licences: 'MIT', source: 'its own repository',
		text: readFileSync('LICENSE', 'utf8'),
	}
}
