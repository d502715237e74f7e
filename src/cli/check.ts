// curvegate check --config FILE: every fault of a configuration, and what it comes to.

import { toHex } from '../base/hex.ts'
import { NEVER, SECOND } from '../base/time.ts'
import { formatTarget } from '../gateway/target.ts'
import { EXIT_DONE, EXIT_TROUBLE, EXIT_USAGE, Trouble } from '../platform/trouble.ts'
import { addressText } from '../platform/udp.ts'
import { boardFolders, loadBoards, mismatch, thisMachine } from '../service/board.ts'
import { extentOf, listenText } from '../service/config-check.ts'
import { lookAtWorld, type World } from '../service/config-world.ts'
import { loadConfig, type Config, type ConsoleConfig, type NameConfig } from '../service/config.ts'
import { extensionOf } from '../service/own-routes.ts'
import { isShortage, planOf } from '../service/plan.ts'
import { formatSize } from '../service/quantities.ts'
import { Refused, type Fault } from '../service/refused.ts'
import { checkRoutesFile } from '../service/routes-check.ts'
import { serviceText } from '../service/spec.ts'
import { inColumns } from '../service/table-text.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'

export const run: Run = async (args) => {
	const file = args.demand('config')
	const boards = args.text('boards')
	const json = args.has('json')
	let config: Config
	try {
		config = await loadConfig(file, { boards, board: args.text('board') })
		const faults = routesOf(config)
		if (faults.length > 0) throw new Refused(faults)
	} catch (error) {
		if (!(error instanceof Refused) || !json) throw error
		const [first] = error.faults
		printJson({ error: first, errors: error.faults })
		return EXIT_USAGE
	}
	const world = lookAtWorld(config)
	const all = await loadBoards(boardFolders(boards))
	const wrongBoard = mismatch(config.board, all.boards, thisMachine())
	const notes = [...world.notes, ...wrongBoard === undefined ? [] : [wrongBoard]]
	if (json) printJson(jsonOf(file, config, { ...world, notes }))
	else printLine(textOf(file, config, { ...world, notes }))
	return world.trouble.length > 0 ? EXIT_TROUBLE : EXIT_DONE
}

/** A file that is not there is one of the world's troubles. */
function routesOf(config: Config): Fault[] {
	try {
		return checkRoutesFile(config)
	} catch (error) {
		if (error instanceof Trouble) return []
		throw error
	}
}

function textOf(file: string, config: Config, world: World): string {
	const { board, gateway, limits } = config
	const plan = planOf(limits, extentOf(config))
	const total = isShortage(plan) ? 0 : plan.totalBytes
	return [
		`${file}: no errors`,
		`board ${board.name}: ${board.profile.title} (${board.profile.status.level})`,
		...config.servers.flatMap((server) => [
			'',
			`server on ${listenText(server)}, extension ${extensionOf(server, world.extension)}`,
			`  keys ${server.keys}${keyNote(world, server.keys)}`,
			...inColumns(server.names.map((name) => [name.name, nameText(name)]), '  '),
		]),
		...gateway === undefined ? [] : ['', ...gatewayText(config, world)],
		...config.console === undefined ? []
			: ['', `console on ${config.console.device}, ${config.console.baud} baud, `
				+ `${config.console.password === undefined ? 'no' : 'with a'} password`],
		'',
		`memory ${formatSize(total)}: ${limits.connections} connections`
			+ `${gateway === undefined ? '' : ', and the gateway\'s tables'}`,
		...section('on this machine', world.trouble),
		...section('notes', world.notes),
	].join('\n')
}

function section(title: string, lines: readonly string[]): string[] {
	return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${line}`)]
}

function keyNote(world: World, dir: string): string {
	const key = world.publicKeys.get(dir)
	return key === undefined ? '' : `, public key ${key}`
}

function nameText({ service, clients }: NameConfig): string {
	const what = serviceText(service)
	if (clients === undefined) return what
	return `${what}, for ${clients.size} ${clients.size === 1 ? 'client' : 'clients'}`
}

function gatewayText({ gateway }: Config, { ownRoutes }: World): string[] {
	const { wan, lan, address, ports, datapath, routes, route, encoded } = gateway!
	const where = address === undefined ? `the address of ${wan}` : addressText(address)
	return [
		`gateway on ${where}, UDP ${ports.join(', ')}, ${lan === undefined ? '' : `to ${lan}, `}`
			+ `datapath ${datapath}`,
		...ownRoutes.map((line) => `  ${line}  # a server of this file`),
		...route.map(({ extension, target }) => `  ${toHex(extension)} ${formatTarget(target)}`),
		...routes === undefined ? [] : [`  and those in ${routes}`],
		...encoded === undefined ? [] : ['  and what extensions name themselves, '
			+ `${encoded.sealKeys === undefined ? 'in the open' : 'sealed'}`],
	]
}

function jsonOf(file: string, config: Config, world: World): object {
	const { board, gateway, limits } = config
	const plan = planOf(limits, extentOf(config))
	return {
		file,
		board: board.name,
		servers: config.servers.map((server) => ({
			listen: listenText(server),
			keys: server.keys,
			publicKey: world.publicKeys.get(server.keys),
			extension: extensionOf(server, world.extension),
			names: server.names.map(({ name, service, clients }) => ({
				name,
				service: serviceText(service),
				clients: clients === undefined ? undefined : [...clients],
			})),
		})),
		gateway: gateway && {
			wan: gateway.wan,
			lan: gateway.lan,
			address: gateway.address === undefined ? undefined : addressText(gateway.address),
			ports: gateway.ports,
			datapath: gateway.datapath,
			ownRoutes: world.ownRoutes,
			routes: gateway.route.map(({ extension, target }) =>
				`${toHex(extension)} ${formatTarget(target)}`),
			routesFile: gateway.routes,
		},
		console: config.console && consoleJson(config.console),
		memory: {
			budgetBytes: isShortage(plan) ? 0 : plan.totalBytes,
			limitBytes: limits.memory,
		},
		trouble: world.trouble,
		notes: world.notes,
	}
}

function consoleJson({ device, baud, driver, password, idle }: ConsoleConfig): object {
	const idleSeconds = idle === NEVER ? null : idle / SECOND
	return { device, baud, driver, password: password !== undefined, idleSeconds }
}
