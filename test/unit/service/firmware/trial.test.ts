import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Trouble } from '../../../../src/platform/trouble.ts'
import { deviceTrials } from '../../../../src/service/firmware/trial.ts'
import { makeFolder } from '../../../support/processes.ts'

const TRIAL = {
	seconds: 60,
	edits: [
		{ path: ['server', 0, 'listen'], value: '127.0.0.1:4001' },
		{ path: ['network'], value: { address: 'dhcp' } },
		{ path: ['log'], value: undefined },
	],
}

test('what one process leaves is on trial in the next, and undone in the one after', (t) => {
	const folder = makeFolder(t)
	t.like(deviceTrials(folder), { left: undefined, notes: [] })
	deviceTrials(folder).leave(TRIAL)
	t.deepEqual(deviceTrials(folder).left, { ...TRIAL, isOver: false })
	t.deepEqual(deviceTrials(folder).left, { ...TRIAL, isOver: true })
	t.is(deviceTrials(folder).left, undefined)
	t.deepEqual(readdirSync(folder), [])
})

test('changes with which the service cannot run are undone, and the next start says why', (t) => {
	const folder = makeFolder(t)
	deviceTrials(folder).leave(TRIAL)
	deviceTrials(folder).fail('no such interface: eth7')
	const { left, notes } = deviceTrials(folder)
	t.true(left?.isOver)
	t.deepEqual(notes,
		['the changes that were on trial are undone, and pending: no such interface: eth7'])
})

test('what was confirmed has nothing to undo', (t) => {
	const folder = makeFolder(t)
	deviceTrials(folder).leave(TRIAL)
	deviceTrials(folder).end()
	t.is(deviceTrials(folder).left, undefined)
})

for (const damage of ['', '{', 'null', '{"seconds":"1","edits":[]}', '{"seconds":1,"edits":[7]}']) {
	test(`a damaged trial (${damage}) is none, and stops no start`, (t) => {
		const folder = makeFolder(t)
		writeFileSync(join(folder, 'wanted.json'), damage)
		t.is(deviceTrials(folder).left, undefined)
		t.deepEqual(readdirSync(folder), [])
	})
}

test('an older image has no place for trials: a clear refusal', (t) => {
	const trials = deviceTrials(join(makeFolder(t), 'missing'))
	t.is(trials.left, undefined)
	t.throws(() => trials.leave(TRIAL), { instanceOf: Trouble, message: /unable to write .*wanted/ })
})
