// Splits a command into words as a POSIX shell does: blanks, quotes, backslashes. No shell is
// started: what only a shell could carry out is refused, with its place, instead of being taken
// literally.

/** What is wrong with a text, and where: the first character is at 1. */
export interface Fault {
	readonly at: number
	readonly message: string
}

const BLANKS = ' \t\n'
/** Unquoted, these make a shell do something. */
const OPERATORS = '|&;<>()'
/** Behind a backslash inside double quotes, only these lose their meaning. */
const ESCAPED_IN_QUOTES = '$`"\\'

export function splitWords(text: string): readonly string[] | Fault {
	const words: string[] = []
	let word: string | undefined
	for (let i = 0; i < text.length; i++) {
		const c = text[i]!
		if (BLANKS.includes(c)) {
			if (word !== undefined) words.push(word)
			word = undefined
			continue
		}
		const part = readPart(text, i)
		if ('message' in part) return part
		word = (word ?? '') + part.text
		// A line that continues is no word yet: it begins with what follows.
		if (part.text === '' && c === '\\' && word === '') word = undefined
		i = part.end - 1
	}
	if (word !== undefined) words.push(word)
	return words
}

interface Part {
	readonly text: string
	readonly end: number
}

/** One character, or one quoted stretch, that starts at i. */
function readPart(text: string, i: number): Part | Fault {
	const c = text[i]!
	if (c === '\'') return readSingle(text, i)
	if (c === '"') return readDouble(text, i)
	if (c === '\\') {
		if (i + 1 === text.length) return { at: i + 1, message: 'nothing follows the backslash' }
		return { text: text[i + 1] === '\n' ? '' : text[i + 1]!, end: i + 2 }
	}
	if (OPERATORS.includes(c)) {
		const cure = 'no shell is started: quote it, or use sh -c \'…\''
		return { at: i + 1, message: `'${c}' means nothing here, since ${cure}` }
	}
	return expands(text, i) ?? { text: c, end: i + 1 }
}

function readSingle(text: string, start: number): Part | Fault {
	const end = text.indexOf('\'', start + 1)
	if (end < 0) return { at: start + 1, message: 'this single quote is never closed' }
	return { text: text.slice(start + 1, end), end: end + 1 }
}

function readDouble(text: string, start: number): Part | Fault {
	let inside = ''
	for (let i = start + 1; i < text.length; i++) {
		const c = text[i]!
		if (c === '"') return { text: inside, end: i + 1 }
		const next = text[i + 1]
		if (c === '\\' && next === '\n') {
			i++
		} else if (c === '\\' && next !== undefined && ESCAPED_IN_QUOTES.includes(next)) {
			inside += next
			i++
		} else {
			const fault = expands(text, i)
			if (fault !== undefined) return fault
			inside += c
		}
	}
	return { at: start + 1, message: 'this double quote is never closed' }
}

/** A variable or a command whose output a shell would put here. */
function expands(text: string, i: number): Fault | undefined {
	const c = text[i]!
	if (c !== '`' && !(c === '$' && /[A-Za-z0-9_{(@*#?!$-]/.test(text[i + 1] ?? ''))) return undefined
	const cure = 'no shell is started: put it in single quotes, or use sh -c \'…\''
	return { at: i + 1, message: `'${c}' is not expanded, since ${cure}` }
}
