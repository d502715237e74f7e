// make pins: the newest version of every package that some board's image needs, into pins.txt.

import { execFileSync } from 'node:child_process'
import { sourceDate } from '../source-date.ts'
import { Apt } from './apt.ts'
import { PINS_FILE, writePins, type DebPin, type NpmPin } from './pins.ts'
import { kernelOf, recipes, SYSTEM_PACKAGES, type Recipe } from './recipe.ts'
import { runMain } from './run-main.ts'
import { CACHE } from './store.ts'
import { Tools } from './tools.ts'

await runMain('pins', async () => {
	const tools = new Tools(sourceDate())
	const all = await recipes()
	const debs: DebPin[] = []
	for (const suite of new Set(all.map((recipe) => recipe.suite))) {
		for (const architecture of new Set(all.map((recipe) => recipe.architecture))) {
			const ours = all.filter((recipe) =>
				recipe.suite === suite && recipe.architecture === architecture)
			const apt = new Apt(tools, CACHE, suite, architecture)
			if (ours.length > 0) debs.push(...debsOf(apt, tools, ours))
		}
	}
	const npm = all.map(({ architecture, nodeVersion }) =>
		npmPin(`node-linux-${architecture}`, nodeVersion))
	writePins({ debs, npm })
	console.log(`${PINS_FILE}: ${debs.length} packages of Debian, ${new Set(
		npm.map(({ name }) => name)).size} of npm`)
})

function debsOf(apt: Apt, tools: Tools, ours: readonly Recipe[]): DebPin[] {
	const system = apt.newest(apt.closure(SYSTEM_PACKAGES), 'system')
	const board = apt.newest([...new Set(ours.flatMap(({ packages }) => packages))], 'board')
	const metas = ours.map(({ kernelPackage }) => board.find(({ name }) => name === kernelPackage)!)
	const kernels = [...apt.fetch(metas).values()].map((path) => kernelOf(tools, path))
	const more = [...new Set(kernels)].filter((name) => !board.some((pin) => pin.name === name))
	return [...system, ...board, ...more.length > 0 ? apt.newest(more, 'board') : []]
}

function npmPin(name: string, version: string): NpmPin {
	const integrity = execFileSync('npm', ['view', `${name}@${version}`, 'dist.integrity'], {
		encoding: 'utf8',
	}).trim()
	return { name, version, integrity }
}
