// The connection table against a Map, seeded; half of the keys differ in one bit only.

import test from 'ava'
import { toHex } from '../../../src/base/hex.ts'
import { ConnectionTable } from '../../../src/endpoint/table.ts'
import { makeGenerator } from '../../support/generator.ts'

const SEED = 99

test(`every key finds its row, through 30,000 insertions and removals (seed ${SEED})`, (t) => {
	const generator = makeGenerator(SEED)
	const rows = 200
	const table = new ConnectionTable(rows, generator)
	const keys = Array.from({ length: 300 }, () => new Uint8Array(32))
	for (const key of keys.slice(150)) generator.fill(key, 0, 32)
	keys.slice(0, 150).forEach((key, i) => { key[i >> 3]! ^= 1 << (i & 7) })
	keys[299]!.fill(0) // what an empty row holds
	const model = new Map<string, number>()
	const free = Array.from({ length: rows }, (_, row) => row)
	for (let round = 0; round < 30_000; round++) {
		const key = keys[generator.below(keys.length)]!
		const row = model.get(toHex(key))
		if (table.find(key, 0) !== (row ?? -1)) return t.fail(`round ${round}`)
		if (row !== undefined) {
			if (table.keyOf(row) !== toHex(key)) return t.fail(`round ${round}: key`)
			table.remove(row)
			model.delete(toHex(key))
			free.push(row)
		} else if (free.length > 0) {
			table.insert(free[0]!, key, 0)
			model.set(toHex(key), free.shift()!)
		}
		if (table.size !== model.size) return t.fail(`round ${round}: size`)
	}
	return t.pass()
})
