// curvegate server: the servers of a configuration, or one from its flags, or a page for newcomers.

import { mkdirSync } from 'node:fs'
import type { Bytes } from '../base/bytes.ts'
import { toHex } from '../base/hex.ts'
import { createKeys, readPublicKey } from '../platform/keydir.ts'
import { openPlatform } from '../platform/platform.ts'
import { codeOf, EXIT_DONE, Usage } from '../platform/trouble.ts'
import { addressOf } from '../platform/udp.ts'
import { planJson, planText } from '../service/board-report.ts'
import { extentOf } from '../service/config-check.ts'
import {
	defaultConfig, loadConfig, type Config, type NameConfig, type ServerConfig,
} from '../service/config.ts'
import { isShortage, planOf, shortageText } from '../service/plan.ts'
import { wireNameOf } from '../service/server.ts'
import { isFault, readService } from '../service/spec.ts'
import { Expected, type Arguments } from './arguments.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'
import { runConfig } from './running.ts'
import { readEndpoint, readExtension, readName } from './values.ts'

/** The embedded default: a newcomer's first start makes what it needs. */
const DEFAULT_FOLDER = '.curvegate'
const DEFAULT_KEYS = '.curvegate/keys'
const DEFAULT_SERVE = 'localhost=welcome'
/** Each says something about one server. */
const SERVER_FLAGS = ['keys', 'listen', 'extension', 'serve'] as const

export const run: Run = async (args) => {
	const config = await readConfig(args)
	if (args.has('plan')) return printPlan(config, args.has('json'))
	if (config.servers.some(({ keys }) => keys === DEFAULT_KEYS)) await makeDefaultKeys()
	const again = args.has('config') ? { read: () => readConfig(args), options: {} } : undefined
	return await runConfig('server', args, config, again)
}

/** The file's servers, or one of the board's values, with the flags over them. */
async function readConfig(args: Arguments): Promise<Config> {
	const file = args.text('config')
	const options = { board: args.text('board'), boards: args.text('boards') }
	const base = file === undefined ? await defaultConfig(options) : await loadConfig(file, options)
	const flags = SERVER_FLAGS.filter((flag) => args.has(flag))
	if (base.servers.length > 1 && flags.length > 0) {
		throw new Usage(`--${flags[0]}: ${file} has ${base.servers.length} servers, `
			+ 'and this does not say which one is meant')
	}
	if (file !== undefined && base.servers.length === 0 && !args.has('serve')) {
		throw new Usage(`${file} has no [[server]]; curvegate gateway and curvegate run start the rest`)
	}
	return {
		...base,
		user: args.text('user') ?? base.user,
		servers: base.servers.length > 1 ? base.servers : [serverOf(args, base)],
		gateway: undefined,
		console: undefined,
	}
}

function serverOf(args: Arguments, base: Config): ServerConfig {
	const { server } = base.board.profile
	const { keepalive, deadPeer, idle } = base.limits
	const given = base.servers[0]
	const listen = args.value('listen', readEndpoint)
	const liveness = { keepalive, deadPeer, idle }
	const names = args.texts('serve') ?? (given === undefined ? [DEFAULT_SERVE] : undefined)
	return {
		listen: listen === undefined ? given?.listen ?? server.listen
			: { address: addressOf(listen.ip)!, port: listen.port },
		keys: args.text('keys') ?? given?.keys ?? server.keys ?? DEFAULT_KEYS,
		extension: args.value('extension', readExtensionFlag) ?? given?.extension ?? 'from-source',
		names: names === undefined ? given!.names : readNames(names).map((name) => {
			// Who may come is the file's to say.
			const known = given?.names.find((one) => one.name === name.name)
			return { clients: undefined, liveness, ...known, ...name }
		}),
	}
}

function readNames(texts: readonly string[]): Pick<NameConfig, 'name' | 'service'>[] {
	const seen = new Set<string>()
	return texts.map((text) => {
		const equals = text.indexOf('=')
		if (equals < 1) {
			throw new Usage(`--serve '${text}': expected NAME=SERVICE, as ssh.example=tcp:127.0.0.1:22`)
		}
		const name = readName(text.slice(0, equals))
		if (name instanceof Expected) throw new Usage(`--serve '${text}': expected ${name.what}`)
		const service = readService(text.slice(equals + 1))
		if (isFault(service)) {
			const column = equals + 1 + service.at
			throw new Usage(`--serve '${text}', column ${column}: ${service.message}`, { column })
		}
		const wire = toHex(wireNameOf(name))
		if (seen.has(wire)) throw new Usage(`--serve '${text}': this name is served already`)
		seen.add(wire)
		return { name: text.slice(0, equals), service }
	})
}

function readExtensionFlag(text: string): Bytes | 'any' | 'from-source' | Expected {
	if (text === 'any' || text === 'from-source') return text
	return readExtension(text, ', or any')
}

function printPlan(config: Config, json: boolean): number {
	const plan = planOf(config.limits, extentOf(config))
	if (isShortage(plan)) throw new Usage(shortageText(plan, config.limits))
	if (json) printJson(planJson(plan))
	else printLine(planText(plan).join('\n'))
	return EXIT_DONE
}

async function makeDefaultKeys(): Promise<void> {
	try {
		readPublicKey(DEFAULT_KEYS)
	} catch (error) {
		if (codeOf(error) !== 'ENOENT') throw error
		mkdirSync(DEFAULT_FOLDER, { recursive: true })
		const { box, random } = await openPlatform()
		createKeys(DEFAULT_KEYS, box, random)
	}
}
