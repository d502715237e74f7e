// The folder of sealing keys: what is in it, who may read it, and what a damaged one says.

import { readdirSync, readFileSync, statSync, writeFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import {
	createSealKeys, readSealKeys, revokeSealKeys, rotateSealKeys,
} from '../../../src/platform/sealdir.ts'
import { Trouble } from '../../../src/platform/trouble.ts'
import { makeFolder, type Owner } from '../../support/processes.ts'

function made(t: Owner): string {
	const dir = join(makeFolder(t), 'seal')
	createSealKeys(dir)
	return dir
}

const epochsOf = (dir: string): number[] =>
	readSealKeys(dir).keys.flatMap((key, epoch) => key === undefined ? [] : [epoch])

test('a new folder has the key of epoch 0, for its owner alone', (t) => {
	const dir = made(t)
	t.deepEqual(readdirSync(dir).sort(), ['0', 'current'])
	t.is(statSync(dir).mode & 0o777, 0o700)
	for (const name of readdirSync(dir)) t.is(statSync(join(dir, name)).mode & 0o777, 0o600, name)
	const { keys, current } = readSealKeys(dir)
	t.is(current, 0)
	t.is(keys[0]!.length, 32)
	t.true(keys[0]!.some((octet) => octet !== 0))
	t.notDeepEqual(readSealKeys(made(t)).keys[0], keys[0], 'another folder, another key')
})

test('a folder that is there is never touched', (t) => {
	const dir = made(t)
	const before = readFileSync(join(dir, '0'))
	t.throws(() => createSealKeys(dir), { instanceOf: Trouble, message: /it exists already/ })
	t.deepEqual(readFileSync(join(dir, '0')), before)
})

test('two epochs are valid, around all eight, and the one before keeps its key', (t) => {
	const dir = made(t)
	for (let turn = 1; turn <= 17; turn++) {
		const before = readSealKeys(dir)
		const epoch = rotateSealKeys(dir)
		t.is(epoch, turn % 8)
		t.deepEqual(epochsOf(dir), [epoch, (turn - 1) % 8].sort())
		t.deepEqual(readSealKeys(dir).keys[before.current], before.keys[before.current])
		t.is(readSealKeys(dir).current, epoch)
	}
	t.is(readdirSync(dir).length, 3, 'nothing unfinished is left')
})

test('revoking leaves the current key alone; a second time there is nothing to revoke', (t) => {
	const dir = made(t)
	rotateSealKeys(dir)
	const { keys } = readSealKeys(dir)
	t.deepEqual(revokeSealKeys(dir), [0])
	t.deepEqual(epochsOf(dir), [1])
	t.deepEqual(readSealKeys(dir).keys[1], keys[1])
	t.deepEqual(revokeSealKeys(dir), [])
})

test('what is damaged says which file and why', (t) => {
	const rows: [damage: (dir: string) => void, message: RegExp][] = [
		[(dir) => writeFileSync(join(dir, '0'), 'short'), /seal\/0: 5 bytes, not 32/],
		[(dir) => rmSync(join(dir, '0')), /no key of the current epoch 0/],
		[(dir) => writeFileSync(join(dir, 'current'), '3\n'), /no key of the current epoch 3/],
		[(dir) => writeFileSync(join(dir, 'current'), 'x\n'), /no key of the current epoch NaN/],
		[(dir) => rmSync(join(dir, 'current')), /seal/],
		[(dir) => rmSync(dir, { recursive: true }), /seal/],
	]
	for (const [damage, message] of rows) {
		const dir = made(t)
		damage(dir)
		t.throws(() => readSealKeys(dir), { instanceOf: Trouble, message })
		t.throws(() => rotateSealKeys(dir), { instanceOf: Trouble, message }, 'nor is it rotated')
	}
})
