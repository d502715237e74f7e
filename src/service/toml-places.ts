// Where in a TOML text each key and value stands, and the comments beside them. Loaded only when a
// fault has to be shown, a comment read or a value replaced: the parser costs memory.

import { parseTOML, type AST } from 'toml-eslint-parser'
import type { Path } from './toml-schema.ts'

export interface Span {
	/** Both from 1. */
	readonly line: number
	readonly column: number
	/** In the text, from 0; end is exclusive. */
	readonly start: number
	readonly end: number
	readonly lastLine: number
}

export interface Place {
	/** The key as written, or the table's header. */
	readonly key: Span
	/** The value; of a table its whole body. */
	readonly value: Span
	/** KEY = VALUE, or the whole table with its header. */
	readonly whole: Span
	/** A table that has a header of its own. */
	readonly headed: boolean
}

export class Places {
	readonly text: string
	readonly #program: AST.TOMLProgram
	readonly #places = new Map<string, Place>()

	/** text has passed smol-toml; what this parser alone refuses is thrown. */
	constructor(text: string) {
		this.text = text
		this.#program = parseTOML(text)
		for (const node of this.#program.body[0].body) {
			if (node.type === 'TOMLKeyValue') this.#keyValue([], node)
			else this.#table(node)
		}
	}

	find(path: Path): Place | undefined {
		return this.#places.get(JSON.stringify(path))
	}

	/** All places, in the order of the text as far as tables go. */
	entries(): [Path, Place][] {
		return [...this.#places].map(([name, place]) => [JSON.parse(name), place])
	}

	/** The place of path, or of the nearest table that would hold it. */
	near(path: Path): Place | undefined {
		for (let n = path.length; n > 0; n--) {
			const place = this.find(path.slice(0, n))
			if (place !== undefined) return place
		}
		return undefined
	}

	/** The comment behind a value, or the ones right above its key. */
	comment(path: Path): string {
		const place = this.find(path)
		if (place === undefined) return ''
		const { comments } = this.#program
		const beside = comments.find(({ loc }) => loc.start.line === place.whole.lastLine)
			?? comments.find(({ loc }) => loc.start.line === place.key.line)
		if (beside !== undefined) return beside.value.trim()
		const lines: string[] = []
		for (let line = place.whole.line - 1; line > 0; line--) {
			const above = comments.find(({ loc, range }) => loc.start.line === line
				&& /(^|\n)[ \t]*$/.test(this.text.slice(0, range[0])))
			if (above === undefined) break
			lines.unshift(above.value.trim())
		}
		return lines.join(' ')
	}

	#table(node: AST.TOMLTable): void {
		const path = [...node.resolvedKey]
		const whole = spanOf(node)
		const last = node.body.at(-1)
		const header = spanOf(node.key)
		const body = last === undefined ? header : { ...header, end: last.range[1] }
		this.#note(path, { key: header, value: body, whole, headed: true })
		if (node.kind === 'array') {
			this.#note(path.slice(0, -1), { key: header, value: body, whole, headed: true })
		}
		for (const one of node.body) this.#keyValue(path, one)
	}

	#keyValue(table: Path, node: AST.TOMLKeyValue): void {
		const path = [...table]
		for (const key of node.key.keys) {
			path.push(key.type === 'TOMLBare' ? key.name : key.value)
			this.#note(path, {
				key: spanOf(key), value: spanOf(node.value), whole: spanOf(node), headed: false,
			})
		}
		this.#content(path, node.value)
	}

	#content(path: Path, node: AST.TOMLContentNode): void {
		if (node.type === 'TOMLInlineTable') {
			for (const one of node.body) this.#keyValue(path, one)
		}
		if (node.type !== 'TOMLArray') return
		node.elements.forEach((element, i) => {
			const span = spanOf(element)
			this.#note([...path, i], { key: span, value: span, whole: span, headed: false })
			this.#content([...path, i], element)
		})
	}

	/** The first place of a path counts: later ones are dotted keys of the same table. */
	#note(path: Path, place: Place): void {
		const name = JSON.stringify(path)
		if (!this.#places.has(name)) this.#places.set(name, place)
	}
}

function spanOf({ range, loc }: { range: [number, number], loc: AST.SourceLocation }): Span {
	return {
		line: loc.start.line,
		column: loc.start.column + 1,
		start: range[0],
		end: range[1],
		lastLine: loc.end.line,
	}
}
