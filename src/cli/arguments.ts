// What was typed after the command's name, checked against its entry: node:util's parser cuts it
// into words, this file says in one line what is wrong and what is right.

import { parseArgs } from 'node:util'
import { assert } from '../base/assert.ts'
import { Usage } from '../platform/trouble.ts'
import type { Command, Option } from './command.ts'
import { didYouMean } from './nearest.ts'

/** Every command has these. */
export const HELP_OPTION: Option = { name: 'help', summary: 'this text' }

/** A value's meaning, or what was expected instead. */
export type Reader<T> = (text: string) => T | Expected

export class Expected {
	readonly what: string

	constructor(what: string) {
		this.what = what
	}
}

export class Arguments {
	readonly positionals: readonly string[]
	readonly #command: Command
	readonly #values: ReadonlyMap<string, readonly string[]>

	constructor(
		command: Command, positionals: readonly string[],
		values: ReadonlyMap<string, readonly string[]>,
	) {
		this.#command = command
		this.positionals = positionals
		this.#values = values
	}

	/** Whether a flag, or an option at all, was given. */
	has(name: string): boolean {
		return this.texts(name) !== undefined
	}

	text(name: string): string | undefined {
		return this.texts(name)?.[0]
	}

	/** All values in their order; undefined when the option was not given. */
	texts(name: string): readonly string[] | undefined {
		const known = name === 'help' || this.#command.options.some((option) => option.name === name)
		assert(known, `${this.#command.name} declares --${name}`)
		return this.#values.get(name)
	}

	value<T>(name: string, read: Reader<T>): T | undefined {
		return this.values(name, read)?.[0]
	}

	values<T>(name: string, read: Reader<T>): T[] | undefined {
		return this.texts(name)?.map((text) => {
			const value = read(text)
			if (!(value instanceof Expected)) return value
			throw new Usage(`--${name} '${text}': expected ${value.what}`)
		})
	}

	/** For an option that this command cannot do without. */
	demand(name: string): string {
		const text = this.text(name)
		if (text !== undefined) return text
		const option = this.#command.options.find((one) => one.name === name)
		throw new Usage(`--${name} ${option?.value ?? ''} is missing: ${option?.summary ?? ''}`)
	}
}

export function readArguments(command: Command, words: readonly string[]): Arguments {
	const options = [...command.options, HELP_OPTION]
	const rest = options.find((option) => option.rest === true)
	const cut = rest === undefined ? -1 : words.indexOf(`--${rest.name}`)
	const own = cut < 0 ? words : words.slice(0, cut)
	const { tokens } = parseArgs({
		args: [...own],
		options: Object.fromEntries(options.map(({ name, value }) =>
			[name, { type: value === undefined ? 'boolean' : 'string' } as const])),
		strict: false,
		tokens: true,
	})
	const values = new Map<string, string[]>()
	const positionals: string[] = []
	for (const token of tokens) {
		if (token.kind === 'positional') positionals.push(token.value)
		if (token.kind === 'option') takeOption(options, values, token)
	}
	if (rest !== undefined && cut >= 0) values.set(rest.name, takeRest(rest, words.slice(cut + 1)))
	if (!values.has('help')) checkPositionals(command, positionals)
	return new Arguments(command, positionals, values)
}

interface OptionToken {
	readonly name: string
	readonly rawName: string
	readonly value: string | undefined
	readonly inlineValue: boolean | undefined
}

function takeOption(
	options: readonly Option[], values: Map<string, string[]>, token: OptionToken,
): void {
	const { name, rawName, value, inlineValue } = token
	const option = options.find((one) => one.name === name)
	if (option === undefined || !rawName.startsWith('--')) {
		if (name === 'h') {
			values.set('help', [''])
			return
		}
		throw new Usage(`unknown option ${rawName}${didYouMean(name, options, '--')}`)
	}
	if (option.value === undefined && inlineValue === true) {
		throw new Usage(`${rawName} takes no value, found '${value}'`)
	}
	// The parser hands over a following option as a value; a value that starts so is written --a=-b.
	const swallowed = inlineValue === false && value?.startsWith('--') === true
	if (option.value !== undefined && (value === undefined || value === '' || swallowed)) {
		throw new Usage(`${rawName} needs ${option.value}: ${option.summary}`)
	}
	const before = values.get(name)
	if (before !== undefined && option.many !== true && option.value !== undefined) {
		throw new Usage(`${rawName} is given twice: '${before[0]}' and '${value}'`)
	}
	values.set(name, [...before ?? [], value ?? ''])
}

function takeRest(option: Option, words: readonly string[]): string[] {
	if (words.length > 0) return [...words]
	throw new Usage(`--${option.name} needs ${option.value}: ${option.summary}`)
}

function checkPositionals(command: Command, given: readonly string[]): void {
	const missing = command.takes[given.length]
	if (missing !== undefined && !missing.startsWith('[')) {
		throw new Usage(`${missing} is missing; usage: ${usageOf(command)}`)
	}
	const spare = given[command.takes.length]
	if (spare !== undefined) throw new Usage(`unexpected '${spare}'; usage: ${usageOf(command)}`)
}

export function usageOf(command: Command): string {
	const { name, takes, options } = command
	return ['curvegate', name, ...takes, ...(options.length > 0 ? ['[OPTION]…'] : [])].join(' ')
}
