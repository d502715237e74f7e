// The README's recipes as steps: which machine does what, in the order of the page. A recipe is a
// heading, a step is a block of code; the last "On the …" or "At the …" before it says where.

import { readFileSync } from 'node:fs'

export interface Step {
	/** As the page calls the machine: Pi, laptop, customer's server. */
	readonly where: string
	readonly language: 'sh' | 'toml'
	/** A continued line is one. */
	readonly lines: readonly string[]
}

export interface Recipe {
	readonly title: string
	readonly steps: readonly Step[]
}

const PLACE = /\b(?:On|At) (?:a|the|every) ([A-Za-z' ]+?)(?=[,:])/g

export function readRecipes(file = 'README.md'): Recipe[] {
	const chapter = readFileSync(file, 'utf8').split(/^## /m).find((one) => one.startsWith('Recipes'))
	if (chapter === undefined) throw new Error(`${file} has no chapter of recipes`)
	return chapter.split(/^### /m).slice(1).map((text) => {
		const title = text.slice(0, text.indexOf('\n'))
		return { title, steps: stepsOf(title, text) }
	})
}

function stepsOf(title: string, text: string): Step[] {
	let where: string | undefined
	return [...text.matchAll(/([^]*?)^```(sh|toml)\n([^]*?)^```$/gm)].map((match) => {
		const [, before = '', language, code = ''] = match
		where = [...before.matchAll(PLACE)].at(-1)?.[1] ?? where
		if (where === undefined || (language !== 'sh' && language !== 'toml')) {
			throw new Error(`${title}: where is the block that starts with ${code.split('\n')[0]}?`)
		}
		return { where, language, lines: code.replaceAll('\\\n', ' ').trim().split('\n') }
	})
}
