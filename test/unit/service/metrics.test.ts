// The metrics against a strict reader of the format, and the tiny server that hands them out.

import { request } from 'node:http'
import { connect } from 'node:net'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { Log } from '../../../src/service/log.ts'
import { METRICS_TYPE, metricsText } from '../../../src/service/metrics.ts'
import { serveMetrics, type MetricsServer } from '../../../src/service/metrics-server.ts'
import { makeDropCounts } from '../../../src/wire/drop.ts'
import { makeStatus } from '../../support/status.ts'

interface Family {
	readonly type: string
	unit: string | undefined
	help: boolean
	readonly samples: Map<string, number>
}

const SUFFIX: Readonly<Record<string, string>> = { counter: '_total', gauge: '', info: '_info' }

/** OpenMetrics 1.0, as far as we use it; throws at the first thing that is not as it should be. */
function read(text: string): Map<string, Family> {
	if (!text.endsWith('\n# EOF\n')) throw new Error('does not end with # EOF and a newline')
	const families = new Map<string, Family>()
	let name = ''
	for (const line of text.split('\n').slice(0, -2)) {
		const meta = /^# (TYPE|UNIT|HELP) ([a-z_]+) (.+)$/.exec(line)
		if (meta?.[1] === 'TYPE') {
			if (families.has(meta[2]!)) throw new Error(`${meta[2]} comes twice`)
			name = meta[2]!
			families.set(name, { type: meta[3]!, unit: undefined, help: false, samples: new Map() })
			continue
		}
		const family = families.get(name)
		if (family === undefined) throw new Error(`before any family: ${line}`)
		if (meta !== null) {
			if (meta[2] !== name || family.samples.size > 0) throw new Error(`out of place: ${line}`)
			if (meta[1] === 'HELP') family.help = true
			else family.unit = meta[3]
			if (meta[1] === 'UNIT' && !name.endsWith(`_${meta[3]}`)) throw new Error(`unit: ${line}`)
			continue
		}
		readSample(line, name, family)
	}
	return families
}

function readSample(line: string, name: string, family: Family): void {
	const label = '[a-zA-Z_]+="(?:[^"\\\\\\n]|\\\\[\\\\n"])*"'
	const form = new RegExp(`^([a-z_]+)(?:\\{(${label}(?:,${label})*)\\})? (\\d+(?:\\.\\d+)?)$`)
	const [, sample, labels = '', value] = form.exec(line) ?? []
	if (sample !== name + SUFFIX[family.type]!) throw new Error(`not of ${name}: ${line}`)
	if (family.samples.has(labels)) throw new Error(`the same sample twice: ${line}`)
	if (family.type === 'info' && value !== '1') throw new Error(`an info is 1: ${line}`)
	family.samples.set(labels, Number(value))
}

const KEY = 'ab'.repeat(32)

test('the text is as the format wants it; counts are what the status says', (t) => {
	const status = makeStatus({ drops: { ...makeDropCounts(), box: 3 } })
	const families = read(metricsText(status))
	for (const [name, { help }] of families) t.true(help, name)
	t.is(families.get('curvegate_drops')?.samples.get('reason="box"'), 3)
	t.is(families.get('curvegate_drops')?.samples.get('reason="replay"'), 0)
	t.is(families.get('curvegate_stream_bytes')?.unit, 'bytes')
	t.is(families.get('curvegate_stream_bytes')?.samples
		.get('listen="127.0.0.1:4000",direction="sent"'), 2_000_000)
	t.is(families.get('curvegate_build')?.samples.size, 1)
	t.is(families.get('curvegate_gateway_routes')?.samples.get(''), 120)
})

test('no keys, no names, no peers; servers that share an address are counted once', (t) => {
	const status = makeStatus({})
	const two = { ...status, servers: [...status.servers, ...status.servers] }
	const text = metricsText(two)
	t.is(text, metricsText(status))
	t.false(text.includes(KEY) || text.includes('ssh.example') || text.includes('203.0.113.9'))
})

test('no gateway, no server: their families are left out', (t) => {
	const families = read(metricsText(makeStatus({ gateway: null, servers: [], connections: [] })))
	t.false([...families.keys()].some((name) => /gateway|connections/.test(name)))
})

test('ever so many causes and odd labels stay bounded and quoted', (t) => {
	const status = makeStatus({})
	const losses = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`"\\\n${i}`, i]))
	const { samples } = read(metricsText({
		...status, gateway: { ...status.gateway!, losses },
	})).get('curvegate_gateway_losses')!
	t.is(samples.size, 32)
})

async function serve(t: ExecutionContext): Promise<MetricsServer> {
	const log = new Log({ level: 'error', format: 'text', write: (line) => t.log(line) })
	const look = () => makeStatus({})
	const server = await serveMetrics({ address: 0x7f000001, port: 0 }, look, log)
	t.teardown(() => server.close())
	return server
}

async function ask(
	port: number, method: string, path: string,
): Promise<{ code: number | undefined, type: string | undefined, body: string }> {
	const asking = request({ port, method, path, host: '127.0.0.1', agent: false }).end()
	const [answer] = await once(asking, 'response')
	let body = ''
	for await (const part of answer) body += String(part)
	return { code: answer.statusCode, type: answer.headers['content-type'], body }
}

test('one page over HTTP', async (t) => {
	const { port } = await serve(t)
	const page = await ask(port, 'GET', '/metrics')
	t.deepEqual([page.code, page.type], [200, METRICS_TYPE])
	t.true(read(page.body).size > 10)
	t.deepEqual(await ask(port, 'HEAD', '/metrics'), { code: 200, type: METRICS_TYPE, body: '' })
	t.is((await ask(port, 'GET', '/')).code, 404)
	t.is((await ask(port, 'POST', '/metrics')).code, 405)
})

test('a head without end is cut off, and the page is there for others', async (t) => {
	const { port } = await serve(t)
	const socket = connect(port, '127.0.0.1')
	let said = ''
	socket.on('data', (bytes: Buffer) => { said += bytes.toString() })
	socket.on('error', () => {})
	await once(socket, 'connect')
	socket.write(`GET /metrics HTTP/1.1\r\nX: ${'x'.repeat(100_000)}`)
	await once(socket, 'close')
	t.regex(said, /^HTTP\/1\.1 431 /)
	t.is((await ask(port, 'GET', '/metrics')).code, 200)
})

test('an address that is taken is trouble with its name', async (t) => {
	const { port } = await serve(t)
	const log = new Log({ level: 'error', format: 'text', write: () => {} })
	await t.throwsAsync(serveMetrics({ address: 0x7f000001, port }, () => makeStatus({}), log),
		{ message: `unable to bind metrics at 127.0.0.1:${port}: address in use by another program` })
})
