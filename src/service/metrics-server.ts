// Metrics over HTTP, for a collector on this machine: one page, a few askers at a time, short
// requests only.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { causeOf, Trouble, troubleOf } from '../platform/trouble.ts'
import { addressText } from '../platform/udp.ts'
import type { Log } from './log.ts'
import { METRICS_TYPE, metricsText } from './metrics.ts'
import type { Status } from './status.ts'
import type { Listen } from './toml-values.ts'

const CLIENTS_MAX = 8
const HEAD_MAX = 4096
const REQUEST_MS = 5000

export interface MetricsServer {
	readonly port: number
	close(): void
}

/** Throws Trouble when the address cannot be had. */
export async function serveMetrics(
	{ address, port }: Listen, look: () => Status, log: Log,
): Promise<MetricsServer> {
	const where = `${addressText(address)}:${port}`
	if (address >>> 24 !== 127) {
		log.say('warn', 'metrics', { address: where, note: 'whoever reaches this can read them' })
	}
	const server = createServer({
		maxHeaderSize: HEAD_MAX, headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS,
		keepAliveTimeout: REQUEST_MS, connectionsCheckingInterval: REQUEST_MS,
	}, (request, response) => answer(request, response, look, log))
	server.maxConnections = CLIENTS_MAX
	server.timeout = REQUEST_MS
	await new Promise<void>((resolve, reject) => {
		server.once('error', (error) => reject(troubleOf('bind', `metrics at ${where}`, error)))
		server.listen(port, addressText(address), resolve)
	})
	server.on('error', (error) => log.say('warn', 'metrics', { cause: causeOf(error) }))
	server.unref()
	const bound = server.address()
	if (bound === null || typeof bound === 'string') {
		throw new Trouble('bind', where, 'no TCP address')
	}
	return {
		port: bound.port,
		close: () => {
			server.close()
			server.closeAllConnections()
		},
	}
}

function answer(
	request: IncomingMessage, response: ServerResponse, look: () => Status, log: Log,
): void {
	const path = request.url?.split('?')[0]
	const withBody = request.method !== 'HEAD'
	const say = (code: number, type: string, text: string): void => {
		response.writeHead(code, {
			'Content-Type': type, 'Content-Length': Buffer.byteLength(text), 'Cache-Control': 'no-store',
		})
		response.end(withBody ? text : undefined)
	}
	// Nobody has a body to send.
	request.resume()
	if (request.method !== 'GET' && withBody) {
		response.setHeader('Allow', 'GET, HEAD')
		say(405, 'text/plain', 'There is only a page to GET.\n')
	} else if (path !== '/metrics') {
		say(404, 'text/plain', 'There is only one page here: /metrics\n')
	} else {
		try {
			say(200, METRICS_TYPE, metricsText(look()))
		} catch (error) {
			log.say('warn', 'metrics', { cause: causeOf(error) })
			say(500, 'text/plain', 'The log says why this failed.\n')
		}
	}
}
