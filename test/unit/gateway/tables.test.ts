// Flow table, locals, buckets, gate and checksums, each against a model that is too simple to be
// wrong.

import test from 'ava'
import { Buckets } from '../../../src/gateway/buckets.ts'
import { checkDatagram } from '../../../src/gateway/datagram.ts'
import { FlowTable } from '../../../src/gateway/flow.ts'
import { FRAME_AT, sum, wireOrder } from '../../../src/gateway/frame.ts'
import { Locals } from '../../../src/gateway/locals.ts'
import { formatTarget, type Target } from '../../../src/gateway/target.ts'
import { SECOND } from '../../../src/base/time.ts'
import { classifyToClient, classifyToServer } from '../../../src/wire/classify.ts'
import { makeGenerator } from '../../support/generator.ts'
import { CLIENT, curvecp, internetSum, loadFrame, SERVER } from '../../support/packets.ts'

const SEED = Number(process.env['SEED'] ?? 20110209)

test('10,000 seeded histories of the flow table agree with a list in order of use', (t) => {
	const random = makeGenerator(SEED)
	for (let round = 0; round < 10_000; round++) {
		const capacity = 1 + random.below(8)
		const table = new FlowTable(capacity, 4, 100, random.below(2 ** 32), random.below(2 ** 32))
		let model: { key: number, row: number, at: number }[] = []
		const key = new Uint8Array(4)
		let now = 0
		for (let step = 0; step < 40; step++) {
			now += random.below(40)
			key[0] = random.below(12)
			const told = `seed ${SEED}, round ${round}, step ${step}`
			const mine = model.find((flow) => flow.key === key[0] && now - flow.at < 100)
			const row = table.find(key, 0, now)
			if (row !== (mine?.row ?? -1)) return t.fail(`${told}: row ${row}, not ${mine?.row}`)
			if (mine !== undefined) {
				mine.at = now
				model = [...model.filter((flow) => flow !== mine), mine]
			} else {
				const oldest = model[0]
				const over = oldest !== undefined && now - oldest.at >= 100
				const gone = table.expire(now)
				if (gone !== (over ? oldest.row : -1)) return t.fail(`${told}: expired ${gone}`)
				if (over) model.shift()
				const again = model.find((flow) => flow.key === key[0])
				const fresh = table.insert(key, 0, now)
				const fits = again !== undefined || model.length < capacity
				if ((fresh >= 0) !== fits) return t.fail(`${told}: insert ${fresh}`)
				if (fits) {
					if (again === undefined
						&& model.some((flow) => flow.row === fresh)) return t.fail(`${told}: row taken`)
					model = [...model.filter((flow) => flow !== again), { key: key[0]!, row: fresh, at: now }]
				}
			}
			if (table.count !== model.length) return t.fail(`${told}: count ${table.count}`)
			const wake = model.length === 0 ? Infinity : model[0]!.at + 100
			if (table.wakeAt() !== wake) return t.fail(`${told}: wakes at ${table.wakeAt()}, not ${wake}`)
		}
	}
	return t.pass()
})

test('10,000 seeded histories of the locals agree with counts by name', (t) => {
	const random = makeGenerator(SEED)
	const targets: Target[] = []
	for (let i = 0; i < 3; i++) {
		targets.push({ kind: 'ipv4', address: 0x0a000001 + i, port: 0 })
		targets.push({ kind: 'ipv4', address: 0x0a000001 + i, port: 5000 })
		targets.push({ kind: 'ipv6', address: new Uint8Array(16).fill(i + 1), port: 0 })
	}
	targets.push({ kind: 'own', port: 1 }, { kind: 'mac', mac: new Uint8Array(6).fill(2) })
	for (let round = 0; round < 10_000; round++) {
		const locals = new Locals(16, random.below(2 ** 32), random.below(2 ** 32))
		const model = new Map<string, number>()
		for (let step = 0; step < 20; step++) {
			const target = targets[random.below(targets.length)]!
			const name = formatTarget(target)
			const uses = model.get(name) ?? 0
			if (random.below(2) === 0) {
				locals.add(target)
				model.set(name, uses + 1)
			} else if (uses > 0) {
				locals.remove(target)
				model.set(name, uses - 1)
			}
		}
		for (const target of targets) {
			const uses = model.get(formatTarget(target)) ?? 0
			const got = target.kind === 'ipv4' ? locals.has4(target.address, target.port)
				: target.kind === 'ipv6' ? locals.has6(target.address, 0, target.port) : false
			const counts = target.kind === 'ipv4' || target.kind === 'ipv6'
			if (got !== (counts
				&& uses > 0)) return t.fail(`seed ${SEED}, round ${round}: ${formatTarget(target)}`)
		}
	}
	return t.pass()
})

test('a bucket gives its burst at once and its rate in the long run', (t) => {
	const buckets = new Buckets(64, { perSecond: 100, burst: 10 }, 1, 2)
	let given = 0
	for (let i = 0; i < 50; i++) if (buckets.take(7, 0)) given++
	t.is(given, 10)
	for (let ms = 1; ms <= 10_000; ms++) if (buckets.take(7, (ms * SECOND) / 1000)) given++
	t.true(given >= 1009 && given <= 1011, `${given} in ten seconds`)
})

test('the gateway’s gate agrees with the servers’ and clients’ gates for every length and kind',
	(t) => {
	const ext = new Uint8Array(16)
	for (let n = 0; n <= 1500; n++) {
		for (const magic of [CLIENT, SERVER, 'QvnQ5XX']) {
			for (const kind of ['H', 'I', 'M', 'K', 'X', '\0']) {
				const p = curvecp(magic, kind, ext, ext, n)
				const at = new Uint8Array(n + 13)
				at.set(p, 13)
				const legal = magic === SERVER
					? !['length', 'magic'].includes(classifyToClient(p, n))
					: !['length', 'magic'].includes(classifyToServer(p, n))
				if ((checkDatagram(at, 13, n) === undefined) !== legal) {
					return t.fail(`${magic}${kind} of ${n} bytes`)
				}
			}
		}
	}
	return t.pass()
})

test('10,000 checksums agree with the slow sum', (t) => {
	const random = makeGenerator(SEED)
	const bytes = new Uint8Array(1500)
	for (let i = 0; i < 10_000; i++) {
		const n = random.below(1400)
		const at = FRAME_AT + 2 * random.below(30)
		random.fill(bytes, 0, n)
		if (i % 10 === 0) bytes.fill(i % 20 === 0 ? 0 : 0xff)
		const frame = loadFrame(bytes.subarray(0, 0))
		frame.bytes.set(bytes.subarray(0, n), at)
		const slow = internetSum([...bytes.subarray(0, n)])
		// 0 and 0xffff are the same number in one's complement.
		const fast = wireOrder(sum(frame, at, n))
		if (fast % 0xffff !== slow % 0xffff) return t.fail(`seed ${SEED}, case ${i}`)
	}
	return t.pass()
})
