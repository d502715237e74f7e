// The routes file: what a line may be, and that a mistake anywhere changes nothing.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { toHex } from '../../../src/base/hex.ts'
import { formatTarget } from '../../../src/gateway/target.ts'
import { Usage } from '../../../src/platform/trouble.ts'
import { loadRoutes, parseRouteLine } from '../../../src/service/routes-file.ts'
import { EXT, makeGateway, PUBLIC } from '../../support/gateway-fixtures.ts'
import { makeFolder } from '../../support/processes.ts'

const pause = async (): Promise<void> => undefined
const extension = (i: number): string => i.toString(16).padStart(32, '0')

function written(t: ExecutionContext, text: string): string {
	const file = join(makeFolder(t), 'routes')
	writeFileSync(file, text)
	return file
}

/** Everything that a table holds, as lines. */
function linesOf({ tables: { routes } }: ReturnType<typeof makeGateway>): string[] {
	const lines: string[] = []
	const bytes = new Uint8Array(16)
	for (let row = 0; row < routes.rows; row++) {
		if (!routes.isUsed(row)) continue
		routes.extensionOf(row, bytes, 0)
		lines.push(`${toHex(bytes)} ${formatTarget(routes.targetOf(row))}`)
	}
	return lines.sort()
}

test('a line is an extension and a target; spaces, comments and empty lines are free', (t) => {
	for (const line of ['', '   ', '\t', '# all of it', '  # too', '\r']) {
		t.is(parseRouteLine(line), undefined, JSON.stringify(line))
	}
	for (const line of [`${extension(1)} 10.77.0.2`, `\t${extension(1)}\t 10.77.0.2  # one`,
		`${extension(1).toUpperCase()} 10.77.0.2\r`]) {
		const route = parseRouteLine(line)
		t.deepEqual(route, {
			extension: Uint8Array.from([...new Uint8Array(15), 1]),
			target: { kind: 'ipv4', address: 0x0a4d0002, port: 0 },
		}, JSON.stringify(line))
	}
})

test('a wrong line is told with its column', (t) => {
	const rows: [string, number, RegExp][] = [
		['  xyz 10.77.0.2', 3, /'xyz': not 32 hexadecimal digits/],
		[`${extension(1)}0 10.77.0.2`, 1, /not 32/], [`${extension(1)} 10.77.0`, 34, /10\.77\.0: not/],
		[`${extension(1)}   10.77.0.2:0`, 36, /port/], [extension(1), 33, /not ADDR/],
		[`${extension(1)} 10.77.0.2 10.77.0.3`, 34, /not ADDR/],
	]
	for (const [line, column, message] of rows) {
		const wrong = parseRouteLine(line)
		if (wrong === undefined || !('message' in wrong)) t.fail(line)
		else {
			t.is(wrong.column, column, line)
			t.regex(wrong.message, message)
		}
	}
})

test('the table becomes exactly what file and configuration say', async (t) => {
	const gateway = makeGateway()
	const fixed = [{ extension: EXT.none, target: { kind: 'own', port: 4001 } as const }]
	const file = written(t, `${extension(1)} 10.77.0.2\n${extension(2)} [fd00:77::2]:5000\n`)
	t.deepEqual(await loadRoutes(gateway.tables, fixed, file, pause),
		{ routes: 3, added: 3, changed: 0, removed: 8 })
	t.deepEqual(linesOf(gateway), [`${extension(1)} 10.77.0.2`, `${extension(2)} [fd00:77::2]:5000`,
		`${toHex(EXT.none)} :4001`])
	writeFileSync(file, `${extension(1)} 10.77.0.9\n${extension(3)} 10.77.0.2`)
	t.deepEqual(await loadRoutes(gateway.tables, fixed, file, pause),
		{ routes: 3, added: 1, changed: 1, removed: 1 })
	t.deepEqual(await loadRoutes(gateway.tables, fixed, file, pause),
		{ routes: 3, added: 0, changed: 0, removed: 0 }, 'the same again')
})

const REFUSED: readonly [line: string, message: RegExp][] = [
	[`${extension(9)} 127.0.0.1`, /127\.0\.0\.1: never forwarded to: .*loopback/],
	[`${extension(9)} 169.254.7.7`, /link-local/], [`${extension(9)} 224.0.0.251`, /multicast/],
	[`${extension(9)} 255.255.255.255`, /broadcast/], [`${extension(9)} 0.0.0.0`, /unspecified/],
	[`${extension(9)} ${PUBLIC}:4001`, /gateway/], [`${extension(9)} 10.77.0.1`, /gateway/],
	[`${extension(9)} [::1]`, /loopback/], [`${extension(9)} [fe80::1]`, /link-local/],
	[`${extension(9)} mac:ff:ff:ff:ff:ff:ff`, /broadcast/],
	[`${extension(1)} 10.77.0.3`, /this extension has a route already/],
	[`${toHex(EXT.none)} 10.77.0.3`, /this extension has a route already/],
	['nonsense', /not 32 hexadecimal digits/],
]

test('a mistake in the last line changes nothing, and is told with file and line', async (t) => {
	const gateway = makeGateway()
	const before = linesOf(gateway)
	const fixed = [{ extension: EXT.none, target: { kind: 'own', port: 4001 } as const }]
	for (const [line, message] of REFUSED) {
		const file = written(t, `# head\n${extension(1)} 10.77.0.2\n\n${line}\n`)
		const error = await t.throwsAsync(loadRoutes(gateway.tables, fixed, file, pause),
			{ instanceOf: Usage }, line)
		t.regex(error!.message, message, line)
		t.like(error, { place: { file, line: 4 } }, line)
		t.deepEqual(linesOf(gateway), before, line)
	}
})

test('more routes than there is room for are refused in the line that is too much', async (t) => {
	const { tables } = makeGateway()
	const lines = Array.from({ length: 65 }, (_, i) => `${extension(i)} 10.77.0.2\n`)
	const full = written(t, lines.slice(1).join(''))
	t.is((await loadRoutes(tables, [], full, pause)).routes, 64)
	const error = await t.throwsAsync(loadRoutes(tables, [], written(t, lines.join('')), pause))
	t.like(error, { message: 'more than 64 routes', place: { line: 65 } })
	// Others in the place of all of them.
	const others = Array.from({ length: 64 }, (_, i) => `${extension(1000 + i)} 10.77.0.2\n`).join('')
	t.deepEqual(await loadRoutes(tables, [], written(t, others), pause),
		{ routes: 64, added: 64, changed: 0, removed: 64 })
})

test('a line may lie across two pieces of the file; others are served between them', async (t) => {
	const { tables } = makeGateway({ routesMax: 10_000 })
	const count = 8000
	const file = written(t, Array.from({ length: count }, (_, i) =>
		`${extension(i)} 10.77.0.2 # ${'x'.repeat(i % 90)}\n`).join(''))
	let pauses = 0
	const result = await loadRoutes(tables, [], file, async () => {
		pauses++
	})
	t.is(result.routes, count)
	t.true(pauses >= 3, `${pauses} pauses`)
})

test('a file that is not there is trouble, and changes nothing', async (t) => {
	const gateway = makeGateway()
	const before = linesOf(gateway)
	const file = join(makeFolder(t), 'nowhere')
	await t.throwsAsync(loadRoutes(gateway.tables, [], file, pause), { message: /nowhere/ })
	t.deepEqual(linesOf(gateway), before)
})
