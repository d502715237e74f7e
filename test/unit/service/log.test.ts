import test from 'ava'
import { SECOND } from '../../../src/base/time.ts'
import { Log, type Level } from '../../../src/service/log.ts'

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
