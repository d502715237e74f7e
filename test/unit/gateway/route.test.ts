import test from 'ava'
import { toHex } from '../../../src/base/hex.ts'
import { RouteTable } from '../../../src/gateway/route.ts'
import { formatTarget, parseTarget, type Target } from '../../../src/gateway/target.ts'
import { makeGenerator } from '../../support/generator.ts'

function target(text: string): Target {
	const parsed = parseTarget(text)
	if (typeof parsed === 'string') throw new Error(parsed)
	return parsed
}

const TARGETS = [
	'10.77.0.2', '10.77.0.2:5000', ':4001', '[fd00::2]', '[fd00::2]:4000', 'mac:02:00:00:00:00:01',
].map(target)

test('10,000 seeded histories agree with a Map', (t) => {
	const seed = Number(process.env['SEED'] ?? 20110209)
	const random = makeGenerator(seed)
	for (let round = 0; round < 10_000; round++) {
		const capacity = 1 + random.below(12)
		const table = new RouteTable(capacity, random.below(2 ** 32), random.below(2 ** 32))
		const model = new Map<string, string>()
		const p = new Uint8Array(20)
		for (let step = 0; step < 40; step++) {
			p[2] = random.below(20)
			const key = toHex(p, 2, 16)
			const kind = random.below(3)
			const told = `seed ${seed}, round ${round}, step ${step}`
			if (kind === 0) {
				const to = TARGETS[random.below(TARGETS.length)]!
				const fits = model.has(key) || model.size < capacity
				if ((table.set(p, 2, to) >= 0) !== fits) t.fail(`${told}: full at ${model.size}`)
				if (fits) model.set(key, formatTarget(to))
			} else if (kind === 1) {
				if (table.delete(p, 2) !== model.delete(key)) t.fail(`${told}: delete`)
			}
			if (table.count !== model.size) t.fail(`${told}: count ${table.count}, not ${model.size}`)
			const row = table.find(p, 2)
			const found = row < 0 ? undefined : formatTarget(table.targetOf(row))
			if (found !== model.get(key)) t.fail(`${told}: found ${found}, not ${model.get(key)}`)
		}
		for (let value = 0; value < 20; value++) {
			p[2] = value
			const row = table.find(p, 2)
			const found = row < 0 ? undefined : formatTarget(table.targetOf(row))
			if (found !== model.get(toHex(p, 2,
				16))) t.fail(`seed ${seed}, round ${round}: ${value} at the end`)
		}
	}
	t.pass()
})

test('a million routes are found, and a million others are not', (t) => {
	const n = 1_000_000
	const table = new RouteTable(n, 1, 2)
	const p = new Uint8Array(16)
	const number = (i: number): void => {
		p[0] = i
		p[1] = i >> 8
		p[2] = i >> 16
	}
	for (let i = 0; i < n; i++) {
		number(i)
		table.set(p, 0, { kind: 'ipv4', address: 0x0a000000 + i, port: 0 })
	}
	let wrong = 0
	for (let i = 0; i < 2 * n; i++) {
		number(i)
		const row = table.find(p, 0)
		if (i < n ? table.addressOf(row) !== 0x0a000000 + i : row !== -1) wrong++
	}
	t.is(wrong, 0)
	t.is(table.set(p, 0, TARGETS[0]!), -1, 'one more does not fit')
})

test('keys that are expected together are found as any others, or not', (t) => {
	const n = 5000
	const table = new RouteTable(n, 1, 2)
	t.false(table.isFar)
	const keys = Array.from({ length: n + 64 }, (_, i) => {
		const key = new Uint8Array(16)
		new DataView(key.buffer).setUint32(0, i)
		return key
	})
	const rows = keys.slice(0, n).map((key) => table.set(key, 0, TARGETS[0]!))
	t.true(table.isFar)
	for (let from = 0; from < keys.length; from += 64) {
		const together = keys.slice(from, from + 64)
		together.forEach((key, i) => table.expect(i, key, 0))
		table.fetch(together.length)
		t.deepEqual(together.map((key) => table.find(key, 0)),
			together.map((_, i) => rows[from + i] ?? -1))
	}
})

test('a row keeps its number while others come and go', (t) => {
	const table = new RouteTable(8, 1, 2)
	const p = new Uint8Array(16)
	for (let i = 0; i < 8; i++) {
		p[0] = i
		t.is(table.set(p, 0, TARGETS[0]!), i)
	}
	p[0] = 3
	table.delete(p, 0)
	p[0] = 5
	t.is(table.find(p, 0), 5)
	t.is(table.rows, 8)
	p[0] = 200
	t.is(table.set(p, 0, TARGETS[1]!), 3)
})
