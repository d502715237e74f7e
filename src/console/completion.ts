// What could be typed next: for the tab key, and for the question mark.

import { COMMANDS, SESSION_COMMANDS, type Facts } from './commands.ts'

/** before: what stands left of the cursor. */
export function candidates(before: string, known: readonly string[], facts: Facts): string[] {
	const words = before.split(/\s+/)
	const last = words.pop()!
	const name = words[0] === '' ? undefined : words[0]
	const all = name === undefined || words.length === 0 ? allNames(known)
		: name === 'help' ? allNames(known)
			: Object.hasOwn(COMMANDS, name) ? COMMANDS[name]!.next?.(words.slice(1), facts) ?? [] : []
	return all.filter((one) => one.startsWith(last))
}

/** Steps that nobody takes by hand. */
const FOR_PROGRAMS = /^update-/

/** The commands that there are, in the order of the help. */
export function allNames(known: readonly string[]): string[] {
	const own = Object.keys(COMMANDS).filter((name) => known.includes(name))
	const others = known.filter((name) => !Object.hasOwn(COMMANDS, name) && name !== 'help'
		&& !FOR_PROGRAMS.test(name))
	return [...own, ...others, ...Object.keys(SESSION_COMMANDS)]
}

/** What the tab key makes of it: more of the word, or the choice. */
export function complete(
	before: string, known: readonly string[], facts: Facts,
): { readonly insert: string, readonly choices: readonly string[] } {
	const choices = candidates(before, known, facts)
	const length = /\S*$/.exec(before)![0].length
	const start = commonStart(choices).slice(length)
	return { insert: choices.length === 1 ? `${start} ` : start, choices }
}

function commonStart(words: readonly string[]): string {
	const [first = '', ...rest] = words
	let length = first.length
	for (const word of rest) {
		while (!word.startsWith(first.slice(0, length))) length--
	}
	return first.slice(0, length)
}
