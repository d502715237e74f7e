// make image BOARD=…: a bootable image, without root and without mounting anything, into
// build/image/BOARD. What it is made of is pinned in pins.txt; progress and sizes on stdout.

import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Usage } from '../../src/platform/trouble.ts'
import { sourceDate } from '../source-date.ts'
import { ensureUpdateKey } from '../update/key.ts'
import { assemble } from './assemble.ts'
import { layoutOf } from './layout.ts'
import { kernelIn } from './modules.ts'
import { recipeOf, recipes } from './recipe.ts'
import type { Material } from './root.ts'
import { runMain } from './run-main.ts'
import { Store } from './store.ts'
import { Tools } from './tools.ts'

const HELP = `make image BOARD=NAME [ARGS='OPTION…']: a bootable image, in build/image/NAME
  --boards DIR       looks for the profile there first
  --update-key FILE  public key of the updates that it accepts; else .curvegate/update.pub
  --out DIR          instead of build/image/NAME`

/** By which an image is known, finished or not. */
const OURS = ['image.json', 'work']

await runMain('image', async () => {
	const { values, positionals } = parseArgs({
		allowPositionals: true, options: {
			'boards': { type: 'string' }, 'update-key': { type: 'string' },
			'out': { type: 'string' }, 'help': { type: 'boolean' },
		},
	})
	if (values.help === true) return console.log(HELP)
	const [name] = positionals
	if (name === undefined) {
		throw new Usage(`BOARD is missing; those with an image: ${await known()}`)
	}
	const started = performance.now()
	const step = (what: string): void => {
		const seconds = (performance.now() - started) / 1000
		console.log(`${seconds.toFixed(1).padStart(6)} s  ${what}`)
	}
	const recipe = await recipeOf(name, values.boards)
	const out = values.out ?? join('build/image', name)
	checkEmpty(out)
	const updateKey = values['update-key'] ?? ensureUpdateKey().publicFile
	if (!existsSync(updateKey)) throw new Usage(`${updateKey}: no such file; cure: make update-key`)
	const tools = new Tools(sourceDate())
	tools.ensure()
	const store = new Store(tools, recipe.suite, recipe.architecture)
	const kernel = kernelIn(tools, store.kernel(recipe.kernelPackage))
	// Not before everything is there: an earlier image is better than none.
	for (const file of readdirSync(out)) rmSync(join(out, file), { recursive: true })
	step(`packages, kernel ${kernel.version}`)
	const material: Material = {
		recipe, store, kernel, layout: layoutOf(recipe.image), updateKey, date: sourceDate(),
	}
	assemble(material, out, step)
})

/** Only what is an earlier image is replaced. */
function checkEmpty(out: string): void {
	mkdirSync(out, { recursive: true })
	const files = readdirSync(out)
	if (files.length > 0 && !files.some((file) => OURS.includes(file))) {
		throw new Usage(`${out} holds files that are no image; name an empty folder`)
	}
}

async function known(): Promise<string> {
	return (await recipes()).map(({ board }) => board).join(', ')
}
