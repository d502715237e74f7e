// The end of a message about an unknown word: the known one that was probably meant.

import { nearest } from '../base/nearest.ts'

export { edits, nearest } from '../base/nearest.ts'

interface Named {
	readonly name: string
}

/** `; did you mean --keys?`, or the choice when nothing is near. */
export function didYouMean(word: string, known: readonly Named[], dashes = ''): string {
	const near = nearest(word, known.map(({ name }) => name))
	if (near !== undefined) return `; did you mean ${dashes}${near}?`
	return `; known: ${known.map(({ name }) => dashes + name).join(', ')}`
}
