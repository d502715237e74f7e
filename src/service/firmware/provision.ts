// What the owner has put onto the boot partition before the first start: a configuration with a
// table [provision] for what belongs into no configuration. All of it is taken, or nothing.

import { dirname, join } from 'node:path'
import * as v from 'valibot'
import { fromHex } from '../../base/hex.ts'
import { nodeDisk } from '../../platform/disk.ts'
import { codeOf, messageOf, Trouble, Usage } from '../../platform/trouble.ts'
import { EXTENSION_BYTES } from '../../wire/packets.ts'
import { replaceFile } from '../config-save.ts'
import { configOf, type Config, type ConfigOptions } from '../config.ts'
import { hashPassword, passwordFault } from '../password.ts'
import { refuse } from '../refused.ts'
import { editToml, type Edit } from '../toml-edit.ts'
import { parseToml, readTomlFile } from '../toml-file.ts'
import { judge, list, Tables, text } from '../toml-schema.ts'
import { hex } from '../toml-values.ts'
import { Wrong } from '../wrong.ts'
import { DEFAULT_SERVER, type KeptOptions } from './kept-config.ts'

const tables = new Tables()

const digits = (what: string, n: number) => text(what, (given): string | Wrong => {
	const bytes = hex(given, n)
	return bytes instanceof Wrong ? bytes : given.toLowerCase()
})

const schema = v.looseObject({
	provision: v.optional(tables.table('[provision]', {
		'extension': v.optional(digits('this machine\'s extension in 32 hexadecimal digits',
			EXTENSION_BYTES)),
		'clients': v.optional(list(digits('a client\'s public key of 64 hexadecimal digits', 32),
			'a list of public keys')),
		'console-password': v.optional(text('a password', (given): string | Wrong => {
			const fault = passwordFault(given)
			return fault === undefined ? given : new Wrong(fault)
		})),
	})),
})

/** Says in words what has become of the file; undefined: there is none. Throws nothing. */
export async function provision(
	from: string, file: string, options: KeptOptions,
): Promise<{ readonly isTaken: boolean, readonly words: string } | undefined> {
	try {
		const toml = readTomlFile(from, 'the provisioning')
		await take(toml.text, from, file, options)
		return { isTaken: true, words: `${from} was taken over` }
	} catch (error) {
		if (codeOf(error) === 'ENOENT') return undefined
		if (!(error instanceof Usage) && !(error instanceof Trouble)) throw error
		return { isTaken: false, words: `nothing was taken over: ${messageOf(error)}` }
	}
}

/** Throws Refused with every fault, told with its place in the owner's file. */
export async function checkProvision(given: string, from: string, options: ConfigOptions) {
	const { provision: _, ...rest } = parseToml(from, given)
	const judged = judge(schema, parseToml(from, given))
	if ('complaints' in judged) throw await refuse(from, given, judged.complaints)
	const wanted = judged.value.provision ?? {}
	const { clients } = wanted
	if (clients !== undefined) for (const { name } of openNames(rest)) name['clients'] = clients
	await configOf({ file: from, text: given, value: rest }, options)
	return { rest, wanted }
}

async function take(
	given: string, from: string, file: string, options: KeptOptions,
): Promise<void> {
	const { rest, wanted } = await checkProvision(given, from, options)
	const withoutSecrets = editToml(given, [{ path: ['provision'], value: undefined }])
	const whole = 'server' in rest ? withoutSecrets : `${withoutSecrets}\n${DEFAULT_SERVER}`
	const admitting = editToml(whole, clientEdits(wanted.clients, parseToml(file, whole)))
	const value = parseToml(file, admitting)
	const config = await configOf({ file, text: admitting, value }, options)
	const result = editToml(admitting, await passwordEdit(wanted['console-password'], config))
	await configOf({ file, text: result, value: parseToml(file, result) }, options)
	const { disk = nodeDisk, owner } = options
	const write = (path: string, bytes: Uint8Array): void => {
		replaceFile(path, bytes, disk)
		owner?.give(path)
	}
	if (wanted.extension !== undefined) {
		write(join(dirname(file), 'curvecpextension'), fromHex(wanted.extension, EXTENSION_BYTES)!)
	}
	write(file, new TextEncoder().encode(result))
}

async function passwordEdit(password: string | undefined, config: Config): Promise<Edit[]> {
	if (password === undefined) return []
	const value = await hashPassword(password)
	const path = ['console', 'password']
	return config.console === undefined ? [{ path: ['console'], value: { password: value } }]
		: [{ path, value }]
}

/** For names that say nothing of their own: the console would be served to nobody without. */
function clientEdits(clients: readonly string[] | undefined, value: Table): Edit[] {
	if (clients === undefined) return []
	return openNames(value).map(({ path }) => ({ path: [...path, 'clients'], value: [...clients] }))
}

type Table = Record<string, unknown>

interface OpenName {
	readonly path: readonly (string | number)[]
	readonly name: Table
}

/** Those that admit anybody, in whatever was parsed: nobody has said that it is right. */
function openNames(value: Table): OpenName[] {
	return tablesOf(value['server']).flatMap(([server, i]) => tablesOf(server['name'])
		.filter(([name]) => name['clients'] === undefined)
		.map(([name, k]) => ({ path: ['server', i, 'name', k], name })))
}

function tablesOf(value: unknown): [Table, number][] {
	const all: unknown[] = Array.isArray(value) ? value : []
	return all.flatMap((one, i): [Table, number][] => isTable(one) ? [[one, i]] : [])
}

function isTable(value: unknown): value is Table {
	return typeof value === 'object' && value !== null && !Array.isArray(value)
}
