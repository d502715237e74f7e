// Runs nft: transactions in, the kernel's words out. Looks for it where systems keep it and not in
// PATH: under npm a package called nft (a file tracer) stands there first.

import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { lendRights } from './linux/rights.ts'
import { causeOf, Trouble } from './trouble.ts'

const PLACES = ['/usr/sbin/nft', '/sbin/nft', '/usr/local/sbin/nft', '/usr/bin/nft', '/bin/nft']

/** A signal for our whole process group, a hangup say, ends no nft in the middle of its work. */
const APART = { detached: true }

/** Our tables: the prefix, the interface, and the process that made them. */
const PREFIX = 'curvegate_'

export interface NftTable {
	readonly family: 'ip' | 'netdev'
	readonly name: string
	/** Of the process that made it. */
	readonly pid: number
}

/** Why nft cannot be used here; undefined when it can. */
export function nftMissing(): string | undefined {
	if (place() === undefined) return 'nft is not installed'
	const result = run(['-c', '-f', '-'], `table ip ${PREFIX}probe { }\n`)
	return result.status === 0 ? undefined : firstLine(result.stderr)
}

/** One transaction. Throws Trouble with the rule and the kernel's words. */
export async function nftApply(text: string): Promise<void> {
	const path = place()
	if (path === undefined) throw new Trouble('run', 'nft', 'it is not installed', 'ENOENT')
	const child = lendRights(() =>
		spawn(path, ['-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'], ...APART }))
	let stderr = ''
	child.stderr.on('data', (bytes: Buffer) => {
		if (stderr.length < 4096) stderr += bytes.toString()
	})
	// A refused transaction may be noticed before all of it is written.
	child.stdin.on('error', () => undefined)
	child.stdin.end(text)
	const status = await new Promise<number | null>((resolve, reject) => {
		child.on('error', reject)
		child.on('close', resolve)
	})
	if (status !== 0) throw refusal(text, stderr)
}

/** The same, and done on return: for the end of a process. */
export function nftApplyNow(text: string): void {
	const { status, stderr } = run(['-f', '-'], text)
	if (status !== 0) throw refusal(text, stderr)
}

/** Throws Trouble when the kernel would refuse the transaction; changes nothing. */
export function nftCheck(text: string): void {
	const { status, stderr } = run(['-c', '-f', '-'], text)
	if (status !== 0) throw refusal(text, stderr)
}

/** "/dev/stdin:12:3-9: Error: words": names the rule of line 12. */
function refusal(text: string, stderr: string): Trouble {
	const [, line, words] = /:(\d+):\d+-\d+: Error: (.*)/.exec(stderr) ?? []
	const rule = line === undefined ? '' : text.split('\n')[Number(line) - 1]?.trim() ?? ''
	const shown = rule.length > 160 ? `${rule.slice(0, 157)}...` : rule
	return new Trouble('load', shown === '' ? 'nft rules' : `nft rule '${shown}'`, words
		?? firstLine(stderr))
}

function firstLine(text: string): string {
	return text.split('\n').find((line) => line.trim() !== '')?.trim() ?? 'refused without a word'
}

export function nftTableName(wan: string, pid: number): string {
	return `${PREFIX}${wan.replace(/[^A-Za-z0-9]/g, '_')}_${pid}`
}

/** Tables that gateways for this interface made, ours and those of others. */
export function nftOwnTables(wan: string): NftTable[] {
	const prefix = nftTableName(wan, 0).slice(0, -1)
	const tables: NftTable[] = []
	for (const object of listAll()) {
		const { table } = object
		if (table === undefined || !table.name.startsWith(prefix)) continue
		const pid = Number(table.name.slice(prefix.length))
		if ((table.family === 'ip' || table.family === 'netdev') && Number.isInteger(pid) && pid > 0) {
			tables.push({ family: table.family, name: table.name, pid })
		}
	}
	return tables
}

export function nftDelete(tables: readonly NftTable[]): string {
	return tables.map(({ family, name }) => `delete table ${family} ${name}\n`).join('')
}

/** Packets that each named counter has seen, in both families. */
export function nftCounters(table: string): Map<string, number> {
	const counts = new Map<string, number>()
	for (const { counter } of listAll()) {
		if (counter?.table !== table) continue
		counts.set(counter.name, (counts.get(counter.name) ?? 0) + counter.packets)
	}
	return counts
}

/** Tables of others that filter what the kernel routes. */
export function nftFilters(): string[] {
	const found = new Set<string>()
	for (const { chain } of listAll()) {
		if (chain?.type !== 'filter' || chain.table.startsWith(PREFIX)) continue
		if (chain.family !== 'ip' && chain.family !== 'inet') continue
		if (chain.hook !== 'prerouting' && chain.hook !== 'forward') continue
		found.add(`table ${chain.family} ${chain.table}`)
	}
	return [...found]
}

/** Packets per route, by extension in hex; empty when the table does not count them. */
export function nftRouteCounters(table: string): Map<string, number> {
	const counts = new Map<string, number>()
	for (const [kind, family, name] of [['map', 'netdev', 'near'], ['map', 'ip', 'servers'],
		['map', 'ip', 'ported'], ['set', 'ip', 'own']] as const) {
		for (const object of listJson(['list', kind, family, table, name])) {
			for (const element of object[kind]?.elem ?? []) {
				const counted = elementOf(element)
				if (counted !== undefined) counts.set(counted.key, counted.packets)
			}
		}
	}
	return counts
}

interface CountedElement {
	readonly elem: {
		/** A number of any length as text, or four words. */
		readonly val: string | number | { readonly concat: readonly number[] }
		readonly counter?: { readonly packets: number }
	}
}

/** An element of nft's JSON: alone in a set, with its data behind it in a map. */
type JsonElement = CountedElement | readonly [CountedElement, unknown] | string | number

function elementOf(element: JsonElement): { key: string, packets: number } | undefined {
	if (typeof element === 'string' || typeof element === 'number') return undefined
	const { elem } = 'elem' in element ? element : element[0]
	if (elem?.counter === undefined) return undefined
	const key = typeof elem.val === 'object'
		? elem.val.concat.map((word) => word.toString(16).padStart(8, '0')).join('')
		: String(elem.val).replace(/^0x/, '').padStart(32, '0')
	return { key, packets: elem.counter.packets }
}

interface JsonObject {
	readonly chain?: {
		readonly family: string, readonly table: string, readonly type?: string, readonly hook?: string
	}
	readonly table?: { readonly family: string, readonly name: string }
	readonly counter?: { readonly table: string, readonly name: string, readonly packets: number }
	readonly map?: { readonly elem?: readonly JsonElement[] }
	readonly set?: { readonly elem?: readonly JsonElement[] }
}

/** Everything but elements, which nft fetches for any narrower question: a million take seconds. */
function listAll(): readonly JsonObject[] {
	return listJson(['-t', 'list', 'ruleset'])
}

function listJson(words: readonly string[]): readonly JsonObject[] {
	const { status, stdout, stderr } = run(['-j', ...words], '')
	if (status !== 0) throw new Trouble('ask', 'nft', firstLine(stderr))
	const { nftables }: { nftables: readonly JsonObject[] } = JSON.parse(stdout)
	return nftables
}

interface Result {
	readonly status: number | null
	readonly stdout: string
	readonly stderr: string
}

/** Long enough for a million routes. */
const OUTPUT_MAX = 1 << 28

function run(words: readonly string[], input: string): Result {
	const path = place()
	if (path === undefined) throw new Trouble('run', 'nft', 'it is not installed', 'ENOENT')
	const { error, status, stdout, stderr } = lendRights(() =>
		spawnSync(path, words, { input, encoding: 'utf8', maxBuffer: OUTPUT_MAX, ...APART }))
	// It may be there and not run, or say more than anybody reads.
	return error === undefined ? { status, stdout, stderr }
		: { status: null, stdout: '', stderr: `${path}: ${causeOf(error)}` }
}

let found: string | undefined

function place(): string | undefined {
	found ??= PLACES.find((path) => existsSync(path))
	return found
}
