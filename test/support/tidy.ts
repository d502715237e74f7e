// The rules of the house, each a function from a source file to complaints. Knows no file system:
// test/tidy.test.ts brings the sources, and the bad samples that prove every rule.

import { posix } from 'node:path'
import { parse } from '@babel/parser'

export const FILE_LINES_MAX = 400
export const FUNCTION_LINES_MAX = 70
export const COLUMNS_MAX = 100
const TAB_COLUMNS = 2

/** Who may import whom: layer → the layers below it. */
const LAYERS: Record<string, readonly string[]> = {
	base: [],
	limits: ['base'],
	wire: ['base', 'limits'],
	crypto: ['base', 'limits'],
	handshake: ['base', 'limits', 'crypto', 'wire'],
	message: ['base', 'limits', 'wire'],
	gateway: ['base', 'limits', 'crypto', 'wire'],
	endpoint: ['base', 'limits', 'crypto', 'wire', 'handshake', 'message', 'gateway'],
	platform: ['base', 'limits', 'crypto', 'wire', 'handshake', 'message', 'gateway', 'endpoint'],
}
LAYERS['service'] = [...LAYERS['platform']!, 'platform']
LAYERS['console'] = [...LAYERS['service'], 'service']
LAYERS['cli'] = [...LAYERS['console'], 'console']

/** Layers that run on Node; all others see neither Node, nor a clock, nor chance, nor promises. */
const ABOVE = ['platform', 'service', 'console', 'cli']

/** What npm gives to the layers below platform. */
const PACKAGES_BELOW: Record<string, readonly string[]> = { crypto: ['tweetnacl'] }

/** Loaded only where they are used, by import() or require: a missing one costs one feature. */
const NATIVE = /^(koffi|node-raw-socket|raw-socket|serialport)(\/|$)/

const BANNED_BELOW = new Set([
	'Date', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Buffer', 'BigInt',
	'BigInt64Array', 'BigUint64Array', 'Promise', 'process', 'performance', 'globalThis', 'crypto',
])

/** As the parser gives it; fields that a rule reads are checked where they are read. */
interface Node {
	readonly type: string
	readonly start: number
	readonly end: number
	readonly [field: string]: unknown
}

export interface Source {
	/** From the project's root: src/base/hex.ts. */
	readonly path: string
	readonly text: string
	readonly program: Node
	readonly comments: readonly { value: string, start: number }[]
	/** Module requests: './x.ts', 'node:fs', 'ava'. */
	readonly imports: readonly Import[]
}

export interface Import {
	readonly from: string
	readonly lazy: boolean
	readonly start: number
}

export function readSource(path: string, text: string): Source {
	const { program, comments } = parseText(path, text)
	const root = asNode(program)!
	const imports: Import[] = []
	walk(root, (node) => {
		const source = asNode(node['source'])
		const from = source?.['value']
		if (typeof from !== 'string') return
		imports.push({ from, lazy: node.type === 'ImportExpression', start: node.start })
	})
	const notes = (comments ?? []).map(({ value, start }) => ({ value, start: start ?? 0 }))
	return { path, text, program: root, comments: notes, imports }
}

function parseText(path: string, text: string): ReturnType<typeof parse> {
	try {
		return parse(text, {
			sourceType: 'module', createImportExpressions: true, plugins: ['typescript', 'estree'],
		})
	} catch (error) {
		throw new Error(`${path} cannot be read: ${String(error)}`, { cause: error })
	}
}

function asNode(value: unknown): Node | undefined {
	const isNode = typeof value === 'object' && value !== null && 'type' in value && 'start' in value
	return isNode ? value as Node : undefined
}

function walk(node: Node, visit: (node: Node, parent?: Node) => void, parent?: Node): void {
	visit(node, parent)
	for (const field of Object.values(node)) {
		for (const child of Array.isArray(field) ? field : [field]) {
			const next = asNode(child)
			if (next !== undefined) walk(next, visit, node)
		}
	}
}

function lineOf(source: Source, at: number): number {
	return source.text.slice(0, at).split('\n').length
}

function layerOf(path: string): string | undefined {
	const found = /^src\/(?:([a-z]+)\/|([a-z]+)\.ts$)/.exec(path)
	return found?.[1] ?? found?.[2]
}

export function resolveImport(path: string, from: string): string {
	return posix.join(posix.dirname(path), from)
}

/** Every complaint about one file: `path:line: what is wrong`. */
export function complaints(source: Source): string[] {
	const found: string[] = []
	const complain = (at: number, what: string): void => {
		found.push(`${source.path}:${lineOf(source, at)}: ${what}`)
	}
	checkLengths(source, complain)
	checkImports(source, complain)
	for (const { value, start } of source.comments) {
		if (/@ts-(ignore|expect-error|nocheck)/.test(value)) complain(start, 'the compiler is silenced')
		if (/\b(TODO|FIXME|XXX)\b/.test(value)) complain(start, 'unfinished: write an issue instead')
	}
	const layer = layerOf(source.path)
	const below = layer !== undefined && !ABOVE.includes(layer)
	walk(source.program, (node, parent) => {
		checkTypes(node, complain)
		checkFunction(source, node, complain)
		if (below) checkBans(node, parent, complain)
	})
	return found
}

type Complain = (at: number, what: string) => void

function checkLengths(source: Source, complain: Complain): void {
	const lines = source.text.split('\n')
	if (lines.length - 1 > FILE_LINES_MAX) complain(0, `file of ${lines.length - 1} lines`)
	let at = 0
	for (const line of lines) {
		const tabs = line.length - line.replaceAll('\t', '').length
		const columns = line.length + tabs * (TAB_COLUMNS - 1)
		// A vector or a table's row that cannot be broken is no code.
		const data = /^\s*\S{70,}$/.test(line) || /[0-9a-f]{64}/i.test(line)
		if (columns > COLUMNS_MAX && !data) complain(at, `${columns} columns`)
		at += line.length + 1
	}
}

function checkImports(source: Source, complain: Complain): void {
	const layer = layerOf(source.path)
	for (const { from, lazy, start } of source.imports) {
		if (from.startsWith('.')) {
			if (!/\.(ts|json)$/.test(from)) complain(start, `import of ${from} without .ts`)
			const target = layerOf(resolveImport(source.path, from))
			if (layer === undefined || target === layer) continue
			if (target === undefined || !LAYERS[layer]?.includes(target)) {
				complain(start, `${layer} must not import ${target ?? from}`)
			}
			continue
		}
		if (NATIVE.test(from) && !lazy) complain(start, `${from} is native: load it lazily`)
		if (layer === undefined || ABOVE.includes(layer)) continue
		if (!PACKAGES_BELOW[layer]?.includes(from)) complain(start, `${layer} must not import ${from}`)
	}
}

function checkTypes(node: Node, complain: Complain): void {
	if (node.type === 'TSAnyKeyword') complain(node.start, 'any')
	if (node.type !== 'TSAsExpression') return
	const inner = asNode(node['expression'])
	if (inner?.type !== 'TSAsExpression') return
	const type = asNode(inner['typeAnnotation'])
	if (type?.type === 'TSUnknownKeyword') complain(node.start, 'as unknown as')
}

const FUNCTIONS = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']

function checkFunction(source: Source, node: Node, complain: Complain): void {
	if (!FUNCTIONS.includes(node.type)) return
	const lines = lineOf(source, node.end) - lineOf(source, node.start) + 1
	if (lines > FUNCTION_LINES_MAX) complain(node.start, `function of ${lines} lines`)
}

function checkBans(node: Node, parent: Node | undefined, complain: Complain): void {
	if (node['async'] === true || node.type === 'AwaitExpression') complain(node.start, 'async')
	if (node.type === 'Literal' && 'bigint' in node) complain(node.start, 'a BigInt')
	if (node.type === 'ImportExpression') complain(node.start, 'import()')
	if (node.type !== 'Identifier' || typeof node['name'] !== 'string') return
	const name = node['name']
	const isField = parent?.['computed'] !== true &&
		(parent?.['property'] === node || parent?.['key'] === node)
	const object = parent?.type === 'MemberExpression' ? asNode(parent['object']) : undefined
	const random = name === 'random' && object?.['name'] === 'Math'
	if (random || (BANNED_BELOW.has(name) && !isField)) complain(node.start, `${name} below platform`)
}

/** Sources that none of the entries leads to, in order. */
export function unreachable(sources: readonly Source[], entries: readonly string[]): string[] {
	const byPath = new Map(sources.map((source) => [source.path, source]))
	const alive = new Set<string>()
	const open = [...entries]
	for (let path = open.pop(); path !== undefined; path = open.pop()) {
		const source = byPath.get(path)
		if (source === undefined || alive.has(path)) continue
		alive.add(path)
		for (const { from } of source.imports) {
			if (from.startsWith('.')) open.push(resolveImport(path, from))
		}
	}
	return [...byPath.keys()].filter((path) => path.startsWith('src/') && !alive.has(path)).sort()
}
