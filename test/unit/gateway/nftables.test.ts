// The ruleset as text: nft itself says whether it is one (nft -c changes nothing). What the kernel
// does with it is shown in test/netns.

import test from 'ava'
import { fromHex } from '../../../src/base/hex.ts'
import { randomBelow } from '../../../src/base/random.ts'
import {
	NftDifferences, nftForget, nftLearn, nftPortions,
} from '../../../src/gateway/nft-elements.ts'
import { nftChains, nftTable } from '../../../src/gateway/nft-rules.ts'
import type { NftSettings } from '../../../src/gateway/nft-text.ts'
import { parseTarget, type Target } from '../../../src/gateway/target.ts'
import { nftCheck, nftMissing } from '../../../src/platform/nft.ts'
import { makeWorld } from '../../support/gateway-world.ts'
import { makeGenerator } from '../../support/generator.ts'

const tables = makeWorld(1, true).forwarder.tables

function settings(full: boolean, ports: number[], near = full): NftSettings {
	const rate = { perSecond: 1000, burst: 100 }
	return {
		table: 'curvegate_unit_test', comment: 'curvegate pid 1', wan: 'lo', lan: 'lo',
		address: 0xc0000201, ports, fence: full ? tables.fence : undefined, sealed: full,
		divertPorts: full ? ports.map((_, i) => 40_000 + i) : [],
		lanMac: '02:00:00:00:00:09', direct: full, near: near ? NEAR : [],
		sourceCheck: full ? 'strict' : 'none', sourceRate: rate, targetRate: rate, limited: full,
		routeCounters: full, learnedMax: 1000, learnedSeconds: 600, changedPortSeconds: 300,
	}
}

const NEAR = [{ base: 0x0a4d0000, bits: 24 }]
const FAR = { table: 'T', ports: [4000], near: [] }

function target(text: string): Target {
	const parsed = parseTarget(text)
	if (typeof parsed === 'string') throw new Error(parsed)
	return parsed
}

function extension(octet: string): Uint8Array {
	return fromHex(octet.repeat(16), 16)!
}

const TARGETS = ['10.77.9.1', '10.77.9.1:4000', '10.77.9.2:5000', ':5001', '[fd00:77::9]',
	'mac:02:00:00:00:00:07']

const missing = nftMissing()

for (const ports of [[4000], [4000, 4100, 4200]]) {
	for (const [name, full, near] of
		[['plain', false, false], ['short', false, true], ['full', true, true]] as const) {
		const title = `nft accepts the ${name} ruleset for ports ${ports.join(', ')}`
		const run = missing === undefined ? test : test.skip
		run(missing === undefined ? title : `${title} (skipped: ${missing})`, (t) => {
			const s = settings(full, ports, near)
			const elements = [...nftPortions(tables, s)].join('')
			const text = `${nftTable(s)}${elements}\n${nftChains(s)}`
				+ nftLearn(s, [extension('f0')], [0x0a580102]) + nftForget(s.table)
			t.notThrows(() => nftCheck(text))
		})
	}
}

test('only differences are told, deletions first, and an unchanged route not at all', (t) => {
	const mine = makeWorld(2, false).forwarder.tables
	const differences = new NftDifferences(mine, FAR)
	mine.changes = differences
	mine.setRoute(extension('11'), target('10.77.0.3:5000'))
	t.is(differences.take(), '', 'the same again')
	mine.setRoute(extension('11'), target('10.77.0.9'))
	t.deepEqual(differences.take().trim().split('\n').sort(), [
		`add element ip T locals { 10.77.0.9 . 4000 }`,
		`add element ip T quoted { 0x0a4d0009 . 4000 }`,
		`add element ip T servers { 0x${'11'.repeat(16)} : 10.77.0.9 }`,
		'delete element ip T backs { 10.77.0.3 . 5000 }',
		`delete element ip T changed { 0x${'11'.repeat(16)} }`,
		'delete element ip T locals { 10.77.0.3 . 5000 }',
		`delete element ip T ported { 0x${'11'.repeat(16)} }`,
		`delete element ip T ports { 0x${'11'.repeat(16)} }`,
		'delete element ip T quoted { 0x0a4d0003 . 5000 }',
	])
	mine.setRoute(extension('aa'), target('10.77.0.9'))
	t.is(differences.take(), `add element ip T servers { 0x${'aa'.repeat(16)} : 10.77.0.9 }\n`)
	mine.deleteRoute(extension('11'))
	t.is(differences.take(), `delete element ip T servers { 0x${'11'.repeat(16)} }\n`,
		'still a local')
	mine.deleteRoute(extension('44'))
	const words = Array(4).fill('0x44444444').join(' . ')
	t.is(differences.take(), `delete element netdev T macs { ${words} }\n`)
})

test('a server named with the public port and without is one local, until both are gone', (t) => {
	const mine = makeWorld(3, false).forwarder.tables
	const differences = new NftDifferences(mine, FAR)
	mine.changes = differences
	const locals = (): string[] => differences.take().match(/\w+ element ip T locals.*/g) ?? []
	mine.setRoute(extension('e1'), target('10.77.9.9'))
	mine.setRoute(extension('e2'), target('10.77.9.9:4000'))
	t.is(locals().length, 1)
	mine.deleteRoute(extension('e1'))
	t.deepEqual(locals(), [])
	mine.setRoute(extension('e1'), target('10.77.9.9'))
	locals()
	mine.deleteRoute(extension('e2'))
	t.deepEqual(locals(), [])
	mine.deleteRoute(extension('e1'))
	t.deepEqual(locals(), ['delete element ip T locals { 10.77.9.9 . 4000 }'])
})

test('what the kernel refuses is undone: 300 seeded reloads', (t) => {
	const random = makeGenerator(77)
	const mine = makeWorld(4, false).forwarder.tables
	const differences = new NftDifferences(mine, FAR)
	mine.changes = differences
	const held = (): string[] => {
		const texts = [...nftPortions(mine, FAR)].flatMap((text) => text.split(/[{},\n]/))
		return texts.map((text) => text.trim()).sort()
	}
	for (let reload = 0; reload < 300; reload++) {
		const before = held()
		for (let i = randomBelow(random, 20); i >= 0; i--) {
			const octet = `e${randomBelow(random, 8)}`
			if (randomBelow(random, 3) === 0) mine.deleteRoute(extension(octet))
			else mine.setRoute(extension(octet), target(TARGETS[randomBelow(random, TARGETS.length)]!))
		}
		const isRefused = randomBelow(random, 2) === 0
		if (randomBelow(random, 2) === 0) differences.take()
		if (isRefused) {
			differences.undo()
			t.deepEqual(held(), before, `reload ${reload}`)
			t.is(differences.take(), '')
		} else differences.accepted()
	}
})

test('a big table comes in portions that together hold every route once', (t) => {
	const mine = makeWorld(2, false).forwarder.tables
	for (let i = 0; i < 50; i++) {
		const bytes = extension('ee')
		bytes[0] = i
		mine.setRoute(bytes, { kind: 'ipv4', address: 0x0a4d0100 + i, port: 0 })
	}
	const portions = [...nftPortions(mine, FAR, 10)]
	t.true(portions.length >= 15)
	const servers = portions.join('').match(/0x[0-9a-f]{32} : 10\.77\.1\.\d+/g) ?? []
	t.is(new Set(servers).size, 50)
	t.is(servers.length, 50)
})
