import test from 'ava'
import { config } from '../../../src/console/texts.ts'

test('nothing is pending, and that is said; what is written is not undone', (t) => {
	t.deepEqual(config({ pending: [] }), ['nothing is pending'])
	t.deepEqual(config({ pending: [], applied: [], needRestart: [], done: 'written to a.toml' }),
		['written to a.toml'])
})

test('a trial says what is tried, what only a restart brings, and when it ends', (t) => {
	t.deepEqual(config({
		pending: ['set limits.connections 9'], needRestart: ['limits.connections'],
		done: 'starting anew with the changes', revertSeconds: 60,
	}), ['pending: set limits.connections 9', 'needs a restart: limits.connections',
		'starting anew with the changes', 'undone in 60 s unless you type: commit'])
})
