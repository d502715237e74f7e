import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { SECOND } from '../../../src/base/time.ts'
import { isJournal, Log, type Level } from '../../../src/service/log.ts'

function makeLog(level: Level, format: 'text' | 'json' = 'text'): { log: Log, lines: string[] } {
	const lines: string[] = []
	return { log: new Log({ level, format, write: (line) => lines.push(line) }), lines }
}

test('one line an event, whatever its fields hold', (t) => {
	const { log, lines } = makeLog('info')
	log.say('warn', 'opened', { name: 'a b\n"c"', port: 4000, from: '127.0.0.1:5' })
	t.deepEqual(lines, ['warn opened name="a b\\n\\"c\\"" port=4000 from=127.0.0.1:5'])
})

test('only what the level lets through', (t) => {
	const { log, lines } = makeLog('warn')
	log.say('info', 'a')
	log.limited('debug', 'b', 0)
	log.say('error', 'c')
	t.deepEqual(lines, ['error c'])
})

test('JSON carries the same', (t) => {
	const { log, lines } = makeLog('info', 'json')
	log.say('info', 'opened', { name: 'x', port: 1 })
	t.deepEqual(JSON.parse(lines[0]!), { level: 'info', event: 'opened', name: 'x', port: 1 })
})

test('what strangers cause is bounded, and what was left out is counted', (t) => {
	const { log, lines } = makeLog('info')
	for (let i = 0; i < 1000; i++) log.limited('info', 'knock', 0)
	const burst = lines.length
	t.true(burst > 0 && burst < 50)
	log.limited('info', 'knock', SECOND)
	t.is(lines.at(-1), `info knock unsaid=${1000 - burst}`)
	// Another event has a budget of its own.
	log.limited('info', 'other', SECOND)
	t.is(lines.at(-1), 'info other')
	for (let second = 1; second < 100; second++) {
		for (let i = 0; i < 1000; i++) log.limited('info', 'knock', second * SECOND)
	}
	t.true(lines.length < burst + 300)
})

test('the level and the format change while it runs', (t) => {
	const { log, lines } = makeLog('warn')
	log.say('info', 'a')
	log.level = 'debug'
	log.say('debug', 'b')
	log.format = 'json'
	log.say('info', 'c')
	t.deepEqual(lines, ['debug b', '{"level":"info","event":"c"}'])
})

test('the newest lines are kept, a bounded number of bounded length', (t) => {
	const { log } = makeLog('info')
	for (let i = 0; i < 500; i++) log.say('info', 'x', { i, long: 'y'.repeat(1000) })
	t.true(log.recent.length <= 100)
	t.true(log.recent.every((line) => line.length <= 400))
	t.true(log.recent.at(-1)!.startsWith('info x i=499 '))
})

test('for journald each line starts with its priority', (t) => {
	const lines: string[] = []
	const write = (line: string): number => lines.push(line)
	const log = new Log({ level: 'debug', format: 'text', write, priorities: true })
	for (const level of ['error', 'warn', 'info', 'debug'] as const) log.say(level, 'x')
	t.deepEqual(lines, ['<3>error x', '<4>warn x', '<6>info x', '<7>debug x'])
	t.is(log.recent[0], 'error x')
})

test('journald is who holds the very stream, not whoever set the variable', (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'log-'))
	t.teardown(() => rmSync(folder, { recursive: true, force: true }))
	const fd = openSync(join(folder, 'stream'), 'w')
	t.teardown(() => closeSync(fd))
	const { dev, ino } = fstatSync(fd)
	t.true(isJournal(`${dev}:${ino}`, fd))
	t.false(isJournal(`${dev}:${ino + 1}`, fd))
	t.false(isJournal(undefined, fd))
	t.false(isJournal('8:1', 987_654))
})
