import test from 'ava'
import { drawTable } from '../../support/table.ts'
import { TapReader } from '../../support/tap.ts'
import { whatIsMissing } from '../../support/needs.ts'

const RUN = `TAP version 13
ok 1 - unit › a # b
# a log
not ok 2 - unit › c
  ---
    name: AssertionError
    details:
      'not ok 9 - inside details'
      'Difference': "  a ü\\n- b \\U0001F600"
  ...
ok 3 - d (needs curvecpserver) # SKIP
not ok 4 - e # TODO
a program's own words
not ok 5 - x.test.js exited with a non-zero exit code: 1

1..5
# tests 4
`

function read(text: string): { reader: TapReader, foreign: string[] } {
	const reader = new TapReader()
	const foreign = text.split('\n').filter((line) => !reader.read(line))
	reader.end()
	return { reader, foreign }
}

test('every TAP line becomes a result, a detail, or a program\'s own words', (t) => {
	const { reader, foreign } = read(RUN)
	t.deepEqual(reader.results.map(({ outcome, title }) => `${outcome}: ${title}`), [
		'passed: unit › a # b',
		'failed: unit › c',
		'skipped: d (needs curvecpserver)',
		'skipped: e',
		'failed: x.test.js exited with a non-zero exit code: 1',
	])
	t.deepEqual(reader.results[1]!.details, [
		'  name: AssertionError', '  details:', "    'not ok 9 - inside details'",
		"    'Difference':", '  a ü', '- b \u{1f600}',
	])
	t.deepEqual(foreign, ["a program's own words"])
	t.true(reader.finished)
})

test('a run that was cut short keeps its results and is not finished', (t) => {
	const { reader } = read(RUN.slice(0, RUN.indexOf('1..5')))
	t.is(reader.results.length, 5)
	t.false(reader.finished)
})

test('the interop table has a row for each case and a column for each side', (t) => {
	t.is(drawTable([
		{ title: 'interop › our client: 1 byte', outcome: 'passed', details: [] },
		{ title: 'interop › our server: 1 byte', outcome: 'failed', details: [] },
		{ title: 'our server: 1 MB (needs curvecpclient)', outcome: 'skipped', details: [] },
		{ title: 'the rest', outcome: 'passed', details: [] },
	]), [
		'case    our client  our server',
		'1 byte  pass        FAIL',
		'1 MB    -           skip',
		'',
		'pass  the rest',
	].join('\n'))
})

test('what a machine lacks is found by name', (t) => {
	t.is(whatIsMissing('node'), undefined)
	t.is(whatIsMissing('no-such-program-here'), 'no-such-program-here')
})
