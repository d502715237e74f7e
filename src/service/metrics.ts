// The status as OpenMetrics text. Labels are listen addresses, reasons and causes, all few; neither
// names nor keys, neither peers nor routes. spec: OpenMetrics 1.0

import type { Status } from './status.ts'

export const METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

type Labels = Readonly<Record<string, string>>
type Sample = readonly [labels: Labels, value: number]

interface Family {
	/** Ends with the unit, where it has one. */
	readonly name: string
	readonly type: 'counter' | 'gauge' | 'info'
	readonly unit?: 'bytes' | 'seconds'
	readonly help: string
	readonly samples: readonly Sample[]
}

const SUFFIXES = { counter: '_total', gauge: '', info: '_info' }

/** Causes of losses that are told apart; there are a dozen. */
const CAUSES_MAX = 32

export function metricsText(status: Status): string {
	const lines = familiesOf(status).filter(({ samples }) => samples.length > 0).flatMap(linesOf)
	return `${[...lines, '# EOF'].join('\n')}\n`
}

function linesOf({ name, type, unit, help, samples }: Family): string[] {
	return [
		`# TYPE ${name} ${type}`,
		...unit === undefined ? [] : [`# UNIT ${name} ${unit}`],
		`# HELP ${name} ${escaped(help)}`,
		...samples.map(([labels, value]) => `${name}${SUFFIXES[type]}${labelText(labels)} ${value}`),
	]
}

function labelText(labels: Labels): string {
	const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escaped(value)}"`)
	return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(text: string): string {
	return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function familiesOf(status: Status): Family[] {
	const { version, process, uptimeSeconds, memory } = status
	return [
		{ name: 'curvegate_build', type: 'info', help: 'What runs here.',
			samples: [[{ version, process }, 1]] },
		{ name: 'curvegate_uptime_seconds', type: 'gauge', unit: 'seconds',
			help: 'Time since start.', samples: [[{}, uptimeSeconds]] },
		{ name: 'curvegate_drops', type: 'counter', help: 'Packets refused, by reason.',
			samples: by('reason', status.drops) },
		{ name: 'curvegate_memory_budget_bytes', type: 'gauge', unit: 'bytes',
			help: 'Memory that is never passed, beside Node.js itself.',
			samples: [[{}, memory.budgetBytes]] },
		{ name: 'curvegate_memory_used_bytes', type: 'gauge', unit: 'bytes',
			help: 'What of the budget is in use.', samples: [[{}, memory.usedBytes]] },
		{ name: 'curvegate_memory_resident_bytes', type: 'gauge', unit: 'bytes',
			help: 'All memory of the process.', samples: [[{}, memory.rssBytes]] },
		...serverFamilies(status),
		...gatewayFamilies(status),
	]
}

function serverFamilies({ servers }: Status): Family[] {
	// Servers on one listen address share its counts.
	const ports = [...new Map(servers.map(({ listen, port }) => [listen, port]))]
	const each = (pick: (port: typeof ports[number][1]) => number): Sample[] =>
		ports.map(([listen, port]) => [{ listen }, pick(port)])
	const bothWays = (received: 'packetsReceived' | 'bytesReceived',
		sent: 'packetsSent' | 'bytesSent'): Sample[] => ports.flatMap(([listen, port]): Sample[] => [
		[{ listen, direction: 'received' }, port[received]],
		[{ listen, direction: 'sent' }, port[sent]],
	])
	return [
		{ name: 'curvegate_connections', type: 'gauge', help: 'Connections held now.',
			samples: each((port) => port.connections) },
		{ name: 'curvegate_connections_opened', type: 'counter', help: 'Connections since start.',
			samples: each((port) => port.opened) },
		{ name: 'curvegate_cookies_sent', type: 'counter', help: 'Hellos that were answered.',
			samples: each((port) => port.cookies) },
		{ name: 'curvegate_packets', type: 'counter', help: 'Packets accepted and sent.',
			samples: bothWays('packetsReceived', 'packetsSent') },
		{ name: 'curvegate_stream_bytes', type: 'counter', unit: 'bytes',
			help: 'Bytes of streams that came, or were acknowledged.',
			samples: bothWays('bytesReceived', 'bytesSent') },
		{ name: 'curvegate_udp_losses', type: 'counter',
			help: 'Datagrams lost on this machine, by cause.',
			samples: ports.flatMap(([listen, { losses }]) => by('cause', losses, { listen })) },
	]
}

function gatewayFamilies({ gateway }: Status): Family[] {
	if (gateway === null) return []
	const { datapath, routes, forwardedIn, forwardedOut, losses } = gateway
	return [
		{ name: 'curvegate_gateway', type: 'info', help: 'How the gateway forwards.',
			samples: [[{ datapath }, 1]] },
		{ name: 'curvegate_gateway_routes', type: 'gauge', help: 'Routes held now.',
			samples: [[{}, routes]] },
		{ name: 'curvegate_gateway_packets', type: 'counter', help: 'Packets forwarded.',
			samples: [[{ direction: 'in' }, forwardedIn], [{ direction: 'out' }, forwardedOut]] },
		{ name: 'curvegate_gateway_losses', type: 'counter',
			help: 'Packets lost below the decision, by cause.', samples: by('cause', losses) },
	]
}

function by(label: string, counts: Readonly<Record<string, number>>, more: Labels = {}): Sample[] {
	return Object.entries(counts).slice(0, CAUSES_MAX)
		.map(([key, count]) => [{ ...more, [label]: key }, count])
}
