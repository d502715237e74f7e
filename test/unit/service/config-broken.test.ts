// What is said of wrong configurations is kept as a text to read:
// test/fixtures/broken-configurations.txt. After a wanted change: UPDATE=1 node_modules/.bin/ava
// build/out/test/unit/service/config-broken.test.js

import { readFileSync, writeFileSync } from 'node:fs'
import test from 'ava'
import { configOf } from '../../../src/service/config.ts'
import { Refused } from '../../../src/service/refused.ts'
import { parseToml } from '../../../src/service/toml-file.ts'
import { BROKEN } from './broken-configurations.ts'

const SNAPSHOT = 'test/fixtures/broken-configurations.txt'
const FILE = 'curvegate.toml'
const machine = { compatible: [], ramBytes: 2 ** 30 }

async function refusal(text: string): Promise<Refused> {
	try {
		const value = parseToml(FILE, text)
		await configOf({ file: FILE, text, value }, { boards: 'boards', machine })
	} catch (error) {
		if (error instanceof Refused) return error
		throw error
	}
	throw new Error('it was accepted')
}

const said = new Map<string, Refused>()
for (const [title, text] of BROKEN) said.set(title, await refusal(text))

test('each mistake is told with its place and a cure, as the snapshot has it', (t) => {
	t.true(BROKEN.length >= 30)
	t.is(said.size, BROKEN.length, 'titles differ')
	const shown = [...said].map(([title, { message }]) => `== ${title}\n${message}\n`).join('\n')
	if (process.env['UPDATE'] === '1') writeFileSync(SNAPSHOT, shown)
	t.is(shown, readFileSync(SNAPSHOT, 'utf8'))
})

test('every fault has file, line and column, inside the file', (t) => {
	for (const [title, text] of BROKEN) {
		const lines = text.split('\n')
		for (const { file, line, column, message } of said.get(title)!.faults) {
			t.is(file, FILE)
			t.true(line !== undefined && line >= 1 && line <= lines.length, title)
			t.true(column !== undefined && column >= 1, title)
			t.true(column! <= lines[line! - 1]!.length + 1, title)
			t.false(message.includes('{other}'), title)
		}
	}
})

test('one mistake is one fault; five are five, in the order of the file', (t) => {
	for (const [title] of BROKEN) {
		const { faults } = said.get(title)!
		if (title.startsWith('five')) t.deepEqual(faults.map(({ line }) => line), [3, 4, 7, 8, 10])
		else t.is(faults.length, 1, `${title}: ${faults.map(({ message }) => message).join('; ')}`)
	}
})

test('the place is exact: the column of the wrong character', (t) => {
	const [fault] = said.get('the letter O among the digits')!.faults
	t.is(fault!.source!.slice(fault!.column! - 1, fault!.column! + 1), 'Ob')
	const [missing] = said.get('a client key of 63 digits')!.faults
	t.is(missing!.source!.slice(missing!.column! - 1), '"]')
	const [pipe] = said.get('a service with a pipe')!.faults
	t.is(pipe!.source![pipe!.column! - 1], '|')
})

test('CRLF does not shift places', async (t) => {
	const text = BROKEN.find(([title]) => title === 'a misspelt log level')![1]
	const [fault] = (await refusal(text.replaceAll('\n', '\r\n'))).faults
	const [same] = said.get('a misspelt log level')!.faults
	t.deepEqual([fault!.line, fault!.column, fault!.source], [same!.line, same!.column, same!.source])
})
