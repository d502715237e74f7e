// Board profiles: finds them, merges them with what they inherit, and knows of every value which
// file said it. A profile is data: a new board is a new file in one of the folders. spec:
// product.md 7

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { dirname, join, parse } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TomlTable, TomlValue } from 'smol-toml'
import { nearest } from '../base/nearest.ts'
import { causeOf, Trouble, Usage } from '../platform/trouble.ts'
import { OWN_KEYS, profileSchema, type Profile } from './board-schema.ts'
import { BUILT_IN } from './boards-built-in.ts'
import type { Limits } from './plan.ts'
import { faultsOf, Refused, type Fault } from './refused.ts'
import { isTable, parseToml, readTomlFile, type TomlFile } from './toml-file.ts'
import { judge, type Complaint, type Path } from './toml-schema.ts'

export const DEFAULT_BOARD = 'host'
const SYSTEM_FOLDER = '/etc/curvegate/boards'
/** Its place among the folders, and a name that no folder has. */
const BUILT_IN_FOLDER = 'built-in:'
const SUFFIX = '.toml'
/** Parents of parents: more is a mistake. */
const CHAIN_MAX = 8

export interface Board {
	readonly name: string
	readonly profile: Profile
	readonly limits: Limits
	/** The profile's own file first, then its parents'. */
	readonly files: readonly TomlFile[]
	/** The file of each value, by its path as JSON. */
	readonly origins: ReadonlyMap<string, TomlFile>
}

/** Folders in the order of search; the first profile of a name counts. */
export function boardFolders(given?: string): string[] {
	const beside = folderBeside(dirname(fileURLToPath(import.meta.url))) ?? BUILT_IN_FOLDER
	return [given, SYSTEM_FOLDER, beside].filter((one) => one !== undefined)
}

/** The package's own: beside build/curvegate's folder, or further up in the sources' output. */
function folderBeside(start: string): string | undefined {
	let folder = start
	for (let up = 0; up < 6; up++) {
		const boards = join(folder, 'boards')
		if (existsSync(join(boards, DEFAULT_BOARD + SUFFIX))) return boards
		folder = dirname(folder)
	}
	return undefined
}

/** Names of all profiles, the abstract ones among them, in order. */
export function boardNames(folders: readonly string[]): string[] {
	const names = new Set<string>()
	for (const folder of folders) {
		for (const file of filesOf(folder)) {
			if (file.endsWith(SUFFIX)) names.add(file.slice(0, -SUFFIX.length))
		}
	}
	return [...names].sort()
}

function filesOf(folder: string): string[] {
	if (folder === BUILT_IN_FOLDER) return Object.keys(BUILT_IN)
	try {
		return readdirSync(folder)
	} catch {
		return []
	}
}

function isThere(file: string): boolean {
	return builtIn(file) !== undefined || existsSync(file)
}

function builtIn(file: string): string | undefined {
	const { dir, base } = parse(file)
	return dir === BUILT_IN_FOLDER ? BUILT_IN[base] : undefined
}

function readProfile(file: string): TomlFile {
	const text = builtIn(file)
	return text === undefined ? readTomlFile(file, 'the board profile')
		: { file, text, value: parseToml(file, text) }
}

/** Throws Usage for an unknown name, Refused for a profile with faults. */
export async function loadBoard(name: string, folders: readonly string[]): Promise<Board> {
	const files = await readChain(name, folders)
	const merged: TomlTable = {}
	const origins = new Map<string, TomlFile>()
	for (const [depth, file] of files.toReversed().entries()) {
		const isOwn = depth === files.length - 1
		merge(merged, isOwn ? file.value : withoutOwn(file.value), [], file, origins)
	}
	const judged = judge(profileSchema, merged)
	if ('complaints' in judged) throw await refusedBy(files, origins, judged.complaints)
	const profile = judged.value
	return { name, profile, limits: limitsOf(profile), files, origins }
}

async function readChain(name: string, folders: readonly string[]): Promise<TomlFile[]> {
	const files: TomlFile[] = []
	const seen = new Set<string>()
	let next: string | undefined = name
	let from = 0
	while (next !== undefined) {
		const child: TomlFile | undefined = files[0] === undefined ? undefined : files.at(-1)
		const place: { file: string, folder: number } | undefined = findProfile(next, folders, from)
		if (place === undefined) throw await unknownBoard(next, name, child, folders)
		if (seen.has(place.file) || files.length === CHAIN_MAX) {
			const round = [...files.map(({ file }) => nameOf(file)), next].join(' → ')
			throw await refusedAt(child!, `inherits itself: ${round}`)
		}
		seen.add(place.file)
		const file = readProfile(place.file)
		files.push(file)
		const parent: TomlValue | undefined = file.value['inherits']
		if (parent !== undefined && typeof parent !== 'string') {
			throw await refusedAt(file, 'inherits: expected the name of a board profile')
		}
		// A profile may extend the one of its own name that it hides.
		from = parent === next ? place.folder + 1 : 0
		next = parent
	}
	return files
}

function nameOf(file: string): string {
	return file.slice(file.lastIndexOf('/') + 1, -SUFFIX.length)
}

function findProfile(
	name: string, folders: readonly string[], from: number,
): { file: string, folder: number } | undefined {
	if (!/^[a-z0-9][a-z0-9-]*$/.test(name)) return undefined
	for (let i = from; i < folders.length; i++) {
		const file = join(folders[i]!, name + SUFFIX)
		if (isThere(file)) return { file, folder: i }
	}
	return undefined
}

async function unknownBoard(
	name: string, asked: string, child: TomlFile | undefined, folders: readonly string[],
): Promise<Usage> {
	const names = chosenNames(folders, child !== undefined)
	const near = nearest(name, names)
	const cure = near === undefined ? `known: ${names.join(', ')}` : `did you mean '${near}'?`
	const where = names.length === 0 ? `no profiles in ${folders.join(', ')}` : cure
	if (child === undefined) return new UnknownBoard(`unknown board '${asked}'; ${where}`)
	return await refusedAt(child, `inherits: no board profile '${name}'; ${where}`)
}

/** Names to propose; abstract ones only to those who inherit. */
function chosenNames(folders: readonly string[], withAbstract: boolean): string[] {
	return boardNames(folders).filter((name) => {
		if (withAbstract) return true
		const place = findProfile(name, folders, 0)
		return place !== undefined && !/^abstract *= *true/m.test(
			builtIn(place.file) ?? readFileSync(place.file, 'utf8'))
	})
}

/** For use, not only to look at. */
export async function chooseBoard(name: string, folders: readonly string[]): Promise<Board> {
	const board = await loadBoard(name, folders)
	if (board.profile.abstract !== true) return board
	const names = chosenNames(folders, false).join(', ')
	throw new UnknownBoard(`'${name}' is no board, only what boards inherit; known: ${names}`)
}

/** So that a configuration can say in which line it names the board. */
export class UnknownBoard extends Usage {}

async function refusedAt(file: TomlFile, message: string): Promise<Refused> {
	const complaint: Complaint = { path: ['inherits'], on: 'value', message }
	return new Refused(await faultsOf(file.file, file.text, [complaint]))
}

async function refusedBy(
	files: readonly TomlFile[], origins: ReadonlyMap<string, TomlFile>,
	complaints: readonly Complaint[],
): Promise<Refused> {
	const faults: Fault[] = []
	for (const complaint of complaints) {
		const file = originOf(origins, complaint.path) ?? files[0]!
		faults.push(...await faultsOf(file.file, file.text, [complaint]))
	}
	return new Refused(faults)
}

/** The file that said the value at path, or the table that would hold it. */
export function originOf(origins: Board['origins'], path: Path): TomlFile | undefined {
	for (let n = path.length; n > 0; n--) {
		const file = origins.get(JSON.stringify(path.slice(0, n)))
		if (file !== undefined) return file
	}
	return undefined
}

function withoutOwn(value: TomlTable): TomlTable {
	const inherited = { ...value }
	for (const key of OWN_KEYS) delete inherited[key]
	const { hardware } = inherited
	if (!isTable(hardware)) return inherited
	const { compatible: _, ...rest } = hardware
	return { ...inherited, hardware: rest }
}

/** Tables are merged key by key; anything else replaces what was inherited. */
function merge(
	into: TomlTable, from: TomlTable, path: Path, file: TomlFile, origins: Map<string, TomlFile>,
): void {
	for (const [key, value] of Object.entries(from)) {
		const here = [...path, key]
		origins.set(JSON.stringify(here), file)
		if (!isTable(value)) {
			into[key] = value
			continue
		}
		const before = into[key]
		const table: TomlTable = isTable(before) ? before : {}
		into[key] = table
		merge(table, value, here, file, origins)
	}
}

function limitsOf({ limits }: Profile): Limits {
	return {
		connections: limits.connections,
		memory: limits.memory,
		programs: limits.programs,
		routes: limits.routes,
		socketBuffer: limits['socket-buffer'],
		connect: limits.connect,
		keepalive: limits.keepalive,
		deadPeer: limits['dead-peer'],
		idle: limits.idle,
		drain: limits.drain,
	}
}

/** What this machine is, as far as boards are concerned. */
export interface Machine {
	/** The device tree's compatible strings, the most specific first; empty without one. */
	readonly compatible: readonly string[]
	readonly ramBytes: number
}

export function thisMachine(deviceTree = '/proc/device-tree'): Machine {
	let compatible: string[] = []
	try {
		const text = readFileSync(join(deviceTree, 'compatible'), 'latin1')
		compatible = text.split('\0').filter((one) => one !== '')
	} catch (error) {
		// No device tree: a PC, or a virtual machine.
		if (!(error instanceof Error)) throw error
	}
	return { compatible, ramBytes: totalmem() }
}

/** The board that names the most specific of the machine's strings. */
export function recognise(boards: readonly Board[], machine: Machine): Board | undefined {
	for (const one of machine.compatible) {
		const board = boards.find(({ profile }) => profile.hardware.compatible?.includes(one) === true)
		if (board !== undefined) return board
	}
	return undefined
}

/** What the owner should hear when the machine is another board than the one that was chosen. */
export function mismatch(
	board: Board, boards: readonly Board[], machine: Machine,
): string | undefined {
	const { compatible } = board.profile.hardware
	if (compatible?.some((one) => machine.compatible.includes(one)) === true) return undefined
	const right = recognise(boards, machine)
	if (right === undefined || right.name === board.name) {
		if (compatible === undefined || machine.compatible.length === 0) return undefined
		return `board '${board.name}' is chosen, but this machine is ${machine.compatible.join(', ')}`
	}
	return `board '${board.name}' is chosen, but this machine is a ${right.profile.title}: `
		+ `board = "${right.name}" has its interfaces and limits`
}

/** For the machine that runs; the other profiles are read only when this one does not fit. */
export async function mismatchHere(
	board: Board, folders: readonly string[], machine = thisMachine(),
): Promise<string | undefined> {
	const { compatible } = machine
	const fits = board.profile.hardware.compatible?.some((one) => compatible.includes(one))
	if (compatible.length === 0 || fits === true) return undefined
	return mismatch(board, (await loadBoards(folders)).boards, machine)
}

/** The memory that the profile's share is taken of: the machine's own where the profile fits it. */
export function ramOf(board: Board, machine: Machine): number {
	const { ram, compatible } = board.profile.hardware
	if (ram === 'machine') return machine.ramBytes
	const here = compatible?.some((one) => machine.compatible.includes(one)) === true
	return here ? machine.ramBytes : ram
}

/** Every profile that can be read, and why the others cannot. */
export async function loadBoards(
	folders: readonly string[],
): Promise<{ boards: Board[], faults: { name: string, cause: string }[] }> {
	const boards: Board[] = []
	const faults: { name: string, cause: string }[] = []
	for (const name of boardNames(folders)) {
		try {
			const board = await loadBoard(name, folders)
			if (board.profile.abstract !== true) boards.push(board)
		} catch (error) {
			if (!(error instanceof Usage) && !(error instanceof Trouble)) throw error
			faults.push({ name, cause: causeOf(error) })
		}
	}
	return { boards, faults }
}
