// The routes file of a configuration, line by line: every fault, where starting the gateway stops
// at the first.

import { readFileSync } from 'node:fs'
import { toHex } from '../base/hex.ts'
import { KeyIndex } from '../gateway/key-index.ts'
import { Forbidden, formatTarget } from '../gateway/target.ts'
import { troubleOf } from '../platform/trouble.ts'
import { EXTENSION_BYTES } from '../wire/packets.ts'
import type { Config } from './config.ts'
import type { Fault } from './refused.ts'
import { parseRouteLine, type Route } from './routes-file.ts'

/** More are of no use to anybody. */
const FAULTS_MAX = 20

/** Throws Trouble when the file cannot be read; without such a file there is nothing to say. */
export function checkRoutesFile({ gateway, limits }: Config): Fault[] {
	const file = gateway?.routes
	if (gateway === undefined || file === undefined) return []
	let text: string
	try {
		text = readFileSync(file, 'utf8')
	} catch (error) {
		throw troubleOf('read', file, error)
	}
	const forbidden = new Forbidden(gateway.address === undefined ? [] : [gateway.address], [])
	// Nobody but the owner writes this file: a fixed hash is as good as a secret one.
	const known = new KeyIndex(limits.routes, EXTENSION_BYTES, 0, 0)
	/** Line of each row; 0: the configuration itself. */
	const lines = new Int32Array(limits.routes)
	for (const { extension } of gateway.route) known.insert(extension, 0)
	const faults: Fault[] = []
	const judge = (route: Route, line: number): string | undefined => {
		const before = known.find(route.extension, 0)
		if (before >= 0) {
			const where = lines[before] === 0 ? 'by the configuration' : `in line ${lines[before]}`
			return `${toHex(route.extension)} is routed ${where} already: one target each`
		}
		const row = known.insert(route.extension, 0)
		if (row < 0) return `more than ${limits.routes} routes: raise [limits] routes`
		lines[row] = line
		const why = forbidden.why(route.target)
		const text = formatTarget(route.target)
		if (why !== undefined) return `nothing is ever forwarded to ${text}: ${why}`
		if (route.target.kind !== 'ipv6' || gateway.clientsPrefix !== undefined) return undefined
		return 'IPv6 servers see IPv4 clients under a prefix: [gateway] clients-prefix = "64:ff9b::/96"'
	}
	let line = 0
	for (let at = 0; at < text.length && faults.length < FAULTS_MAX;) {
		line++
		const end = text.indexOf('\n', at)
		const source = text.slice(at, end < 0 ? text.length : end)
		at = end < 0 ? text.length : end + 1
		const route = parseRouteLine(source)
		if (route === undefined) continue
		if ('message' in route) faults.push({ file, line, source, ...route })
		else {
			const message = judge(route, line)
			if (message !== undefined) faults.push({ file, line, column: 1, source, message })
		}
	}
	return faults
}
