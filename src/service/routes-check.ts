// The routes file of a configuration, line by line: every fault, where starting the gateway stops
// at the first.

import { readFileSync } from 'node:fs'
import { toHex } from '../base/hex.ts'
import { Forbidden, formatTarget } from '../gateway/target.ts'
import { troubleOf } from '../platform/trouble.ts'
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
	const firstLines = new Map(gateway.route.map(({ extension }) => [toHex(extension), 0]))
	const faults: Fault[] = []
	const judge = (route: Route, line: number): string | undefined => {
		const key = toHex(route.extension)
		const before = firstLines.get(key)
		if (before === 0) return `${key} is routed by the configuration already: one target each`
		if (before !== undefined) return `${key} is routed in line ${before} already: one target each`
		firstLines.set(key, line)
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
		if (firstLines.size <= limits.routes) continue
		const message = `more than ${limits.routes} routes: raise [limits] routes`
		return [...faults, { file, line, column: 1, source, message }]
	}
	return faults
}
