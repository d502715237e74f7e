// The status for people, once: everything, in plain lines.

import type { Seen } from './control-client.ts'
import type {
	ConnectionStatus, GatewaySummary, NameStatus, ServerStatus, Status,
} from './status.ts'
import { inColumns } from './table-text.ts'
import { amount, clean, decimal, span } from './quantity-text.ts'

export function statusText(seen: readonly Seen[]): string {
	return seen.map(({ path, status }) => processText(path, status).join('\n')).join('\n\n')
}

function processText(path: string, status: Status): string[] {
	const { process, pid, version, uptimeSeconds, servers, gateway, memory } = status
	return [
		`${process} ${pid}, curvegate ${version}, up ${span(uptimeSeconds)}  (${clean(path)})`,
		...servers.flatMap(serverText),
		...gateway === null ? [] : gatewayText(gateway),
		...connectionsText(status.connections, status.connectionsLeftOut),
		`drops: ${dropsText(status.drops)}`,
		`memory: ${amount(memory.usedBytes)} in use of ${amount(memory.budgetBytes)}; `
			+ `${amount(memory.rssBytes)} with Node.js`,
	]
}

function serverText(server: ServerStatus): string[] {
	const { listen, state, publicKey, names, namesLeftOut, port } = server
	const losses = Object.entries(port.losses).filter(([, count]) => count > 0)
	return [
		`server ${listen}${state === 'serving' ? '' : `, ${state}`}`,
		...inColumns([
			['key', publicKey],
			['extension', extensionText(server)],
			['packets', `${port.packetsReceived} in, ${port.packetsSent} out; `
				+ `${amount(port.bytesReceived)} in, ${amount(port.bytesSent)} out`],
			['opened', `${port.opened} connections, ${port.cookies} Hellos answered`],
			...losses.length === 0 ? [] : [['losses', countsText(losses)]],
		], '  '),
		...inColumns(names.map(nameRow), '  '),
		...namesLeftOut > 0 ? [`  and ${namesLeftOut} more names`] : [],
	]
}

function nameRow({ name, service, connections }: NameStatus): string[] {
	return [clean(name), clean(service), counted(connections, 'connection')]
}

/** Zeros that nobody asked for are said to be just that. */
export function extensionText({ extension, extensionSource }: ServerStatus): string {
	if (extensionSource === null) return extension
	const { source, note } = extensionSource
	if (note === null) return `${extension} from ${clean(source)}`
	return `${extension}${/^0+$/.test(extension) ? ', since' : ', although'} ${clean(note)}`
}

function gatewayText(gateway: GatewaySummary): string[] {
	const { wan, lan, address, ports, datapath, reason, routes, forwardedIn, forwardedOut } = gateway
	const losses = Object.entries(gateway.losses).filter(([, count]) => count > 0)
	return [
		`gateway ${address}, UDP ${ports.join(', ')}, ${wan} to ${lan}`,
		...inColumns([
			['datapath', `${datapath} (${clean(reason)})`],
			['routes', String(routes)],
			['packets', `${forwardedIn} in, ${forwardedOut} out`],
			...losses.length === 0 ? [] : [['losses', countsText(losses)]],
			...gateway.notes.map((note) => ['note', clean(note)]),
		], '  '),
	]
}

export function connectionsText(
	connections: readonly ConnectionStatus[], leftOut: number,
): string[] {
	if (connections.length === 0) return []
	const rows = connections.map((one) => [
		clean(one.name), one.peer, span(one.ageSeconds), amount(one.receivedBytes),
		amount(one.sentBytes), one.rttMs === null ? '-' : `${decimal(one.rttMs)} ms`,
		one.windowBytes === 0 ? '-' : amount(one.windowBytes),
		one.state === 'open' ? '' : one.state,
	])
	return [
		...inColumns([['CONNECTION', 'PEER', 'AGE', 'IN', 'OUT', 'RTT', 'WINDOW', ''], ...rows]),
		...leftOut > 0 ? [`and ${leftOut} more connections`] : [],
	]
}

export function dropsText(drops: Readonly<Record<string, number>>): string {
	const some = Object.entries(drops).filter(([, count]) => count > 0)
	return some.length === 0 ? 'none' : countsText(some)
}

function countsText(counts: readonly (readonly [string, number])[]): string {
	return counts.map(([what, count]) => `${what} ${count}`).join(', ')
}

export function counted(count: number, what: string): string {
	return `${count} ${what}${count === 1 ? '' : 's'}`
}
