// The status for people who watch: one screen, what moves above what stays. A pure function of what
// was said, the rates and the size.

import type { Seen } from '../service/control-client.ts'
import { merged, type ConnectionStatus, type Status } from '../service/status.ts'
import { inColumns } from '../service/table-text.ts'
import { amount, clean, decimal, gauge, span, sparkline } from '../service/quantity-text.ts'
import type { Moment } from './status-rates.ts'
import { counted, extensionText } from '../service/status-text.ts'
import type { Size } from './terminal.ts'

const BOLD = '\u001b[1m'
const DIM = '\u001b[2m'
const PLAIN = '\u001b[0m'

/** Columns before a sparkline: a word, a rate. */
const LABEL = 8
const RATE = 13
const GAUGE = 20
const SERVERS_SHOWN = 4

export function screenLines(
	seen: readonly Seen[], moment: Moment, { columns, rows }: Size, colour: boolean,
): string[] {
	const style = (code: string, text: string): string =>
		colour && text !== '' ? `${code}${text}${PLAIN}` : text
	const clip = (text: string): string => [...text].slice(0, columns).join('')
	const all = seen.map(({ status }) => status)
	if (all.length === 0) {
		return [style(BOLD, clip('curvegate: nobody answers')), '', clip('waiting; q leaves')]
	}
	const head = [headLine(all), ...movingLines(all, moment, columns), ...standingLines(all, moment)]
	const room = Math.max(0, rows - head.length - 3)
	const table = connectionLines(all, moment, room)
	const lines = [
		style(BOLD, clip(head[0]!)),
		...head.slice(1).map(clip),
		'',
		...table.map((line, i) => i === 0 ? style(BOLD, clip(line)) : clip(line)),
	]
	if (rows === Infinity) return lines
	while (lines.length < rows - 1) lines.push('')
	return [...lines.slice(0, rows - 1), style(DIM, clip('q leaves'))]
}

function headLine(all: readonly Status[]): string {
	const { version, uptimeSeconds } = merged(all)
	const who = all.length === 1 ? `${all[0]!.process} ${all[0]!.pid}`
		: `${all.length} processes`
	return `curvegate ${version}  ${who}, up ${span(uptimeSeconds)}`
}

function movingLines(all: readonly Status[], moment: Moment, columns: number): string[] {
	const { points } = moment
	const now = points.at(-1)
	const width = Math.max(0, columns - LABEL - RATE)
	const line = (label: string, text: string, values: (number | undefined)[]): string =>
		`${label.padEnd(LABEL)}${text.padEnd(RATE)}${sparkline(values, width)}`.trimEnd()
	const rtt = now?.rttMs
	return [
		...all.every(({ servers }) => servers.length === 0) ? [] : [
			line('in', perSecond(now?.inRate ?? 0), points.map(({ inRate }) => inRate)),
			line('out', perSecond(now?.outRate ?? 0), points.map(({ outRate }) => outRate)),
			line('rtt', rtt === undefined ? '-' : `${decimal(rtt)} ms`, points.map((one) => one.rttMs)),
		],
		...all.flatMap(({ gateway }) => gateway === null ? [] : [
			`gateway ${gateway.address}, ${gateway.datapath}, ${counted(gateway.routes, 'route')}: `
				+ `${decimal(moment.gatewayIn)} packets/s in, ${decimal(moment.gatewayOut)} out`,
		]),
	]
}

function standingLines(all: readonly Status[], { drops }: Moment): string[] {
	const { memory, servers, drops: counts } = merged(all)
	const share = memory.budgetBytes === 0 ? 0 : memory.usedBytes / memory.budgetBytes
	const some = Object.entries(counts).filter(([, count]) => count > 0).map(([reason, count]) => {
		const more = drops.get(reason)
		return `${reason} ${count}${more === undefined ? '' : ` (${decimal(more)}/s)`}`
	})
	return [
		`${'memory'.padEnd(LABEL)}${gauge(share, GAUGE)} ${amount(memory.usedBytes)} of `
			+ `${amount(memory.budgetBytes)}, ${amount(memory.rssBytes)} with Node.js`,
		`${'drops'.padEnd(LABEL)}${some.length === 0 ? 'none' : some.join(', ')}`,
		...servers.slice(0, SERVERS_SHOWN).map((server) =>
			`${'server'.padEnd(LABEL)}${server.listen}, ${counted(server.names.length
				+ server.namesLeftOut, 'name')}, extension ${extensionText(server)}`),
		...servers.length > SERVERS_SHOWN
			? [`${''.padEnd(LABEL)}and ${servers.length - SERVERS_SHOWN} more servers`] : [],
	]
}

/** The busiest first. */
function connectionLines(all: readonly Status[], moment: Moment, room: number): string[] {
	const { connections, connectionsLeftOut } = merged(all)
	const total = connections.length + connectionsLeftOut
	if (total === 0) return ['no connections']
	const busy = ({ id }: ConnectionStatus): number => {
		const rates = moment.connections.get(id)
		return rates === undefined ? 0 : rates.inRate + rates.outRate
	}
	const isCut = total > room - 1
	const shown = connections.toSorted((a, b) => busy(b) - busy(a) || a.ageSeconds - b.ageSeconds)
		.slice(0, Math.max(0, isCut ? room - 2 : room - 1))
	const rows = shown.map((one) => {
		const rates = moment.connections.get(one.id)
		return [
			clean(one.name), one.peer, span(one.ageSeconds), perSecond(rates?.inRate ?? 0),
			perSecond(rates?.outRate ?? 0), one.rttMs === null ? '-' : `${decimal(one.rttMs)} ms`,
			one.windowBytes === 0 ? '-' : amount(one.windowBytes),
		]
	})
	const title = ['CONNECTION', 'PEER', 'AGE', 'IN', 'OUT', 'RTT', 'WINDOW']
	const more = total - shown.length
	return [...inColumns([title, ...rows]), ...more > 0 ? [`and ${more} more`] : []]
}

function perSecond(bytes: number): string {
	return `${amount(bytes)}/s`
}
