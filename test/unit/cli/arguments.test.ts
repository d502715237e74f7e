import test from 'ava'
import { Expected, readArguments, type Arguments } from '../../../src/cli/arguments.ts'
import type { Command } from '../../../src/cli/command.ts'
import { COMMANDS } from '../../../src/cli/commands.ts'
import { helpOf } from '../../../src/cli/help.ts'
import { edits, nearest } from '../../../src/cli/nearest.ts'
import {
	readCount, readEndpoint, readExtension, readKey, readPort, readSeconds,
} from '../../../src/cli/values.ts'
import { Usage } from '../../../src/platform/trouble.ts'

const COMMAND: Command = {
	name: 'try',
	takes: ['ADDRESS', '[MORE]'],
	summary: 'tries it',
	options: [
		{ name: 'keys', value: 'DIR', summary: 'the key directory' },
		{ name: 'serve', value: 'NAME=SERVICE', summary: 'a service', many: true },
		{ name: 'plan', summary: 'prints the plan' },
		{ name: 'exec', value: 'PROG ARGS…', summary: 'runs PROG', rest: true },
	],
	load: () => Promise.resolve({ run: () => 0 }),
}

function read(...words: string[]): Arguments {
	return readArguments(COMMAND, words)
}

test('options and what stands beside them, in any order', (t) => {
	const args = read('--serve', 'a=b', 'one', '--plan', '--serve=c=d', 'two', '--keys=-x')
	t.deepEqual(args.positionals, ['one', 'two'])
	t.deepEqual(args.texts('serve'), ['a=b', 'c=d'])
	t.is(args.text('keys'), '-x')
	t.true(args.has('plan'))
	t.false(args.has('exec'))
	t.is(args.texts('exec'), undefined)
})

test('what follows --exec belongs to the program, also what looks like ours', (t) => {
	const args = read('one', '--plan', '--exec', 'prog', '--keys', '-x', '--', '--exec')
	t.deepEqual(args.texts('exec'), ['prog', '--keys', '-x', '--', '--exec'])
	t.is(args.text('keys'), undefined)
})

test('-- ends the options; a lone - is a word', (t) => {
	t.deepEqual(read('--', '--plan').positionals, ['--plan'])
	t.deepEqual(read('-').positionals, ['-'])
})

test('help needs nothing else', (t) => {
	t.true(read('--help').has('help'))
	t.true(read('-h').has('help'))
})

const WRONG: readonly (readonly [words: string[], message: string])[] = [
	[[], 'ADDRESS is missing; usage: curvegate try ADDRESS [MORE] [OPTION]…'],
	[['a', 'b', 'c'], "unexpected 'c'; usage: curvegate try ADDRESS [MORE] [OPTION]…"],
	[['a', '--kesy', 'x'], 'unknown option --kesy; did you mean --keys?'],
	[['a', '--pla'], 'unknown option --pla; did you mean --plan?'],
	[['a', '--zzz'], 'unknown option --zzz; known: --keys, --serve, --plan, --exec, --help'],
	[['a', '-p'], 'unknown option -p; known: --keys, --serve, --plan, --exec, --help'],
	[['a', '--keys'], '--keys needs DIR: the key directory'],
	[['a', '--keys', '--plan'], '--keys needs DIR: the key directory'],
	[['a', '--keys='], '--keys needs DIR: the key directory'],
	[['a', '--keys', 'x', '--keys', 'y'], "--keys is given twice: 'x' and 'y'"],
	[['a', '--plan=yes'], "--plan takes no value, found 'yes'"],
	[['a', '--exec'], '--exec needs PROG ARGS…: runs PROG'],
]

for (const [words, message] of WRONG) {
	test(`refused: ${words.join(' ')}: ${message}`, (t) => {
		t.throws(() => read(...words), { instanceOf: Usage, message })
	})
}

test('an option that the command does not declare is our bug, not the user\'s', (t) => {
	t.throws(() => read('a').text('nope'), { message: 'bug: try declares --nope' })
})

test('values: read, or the option, the value and what was expected', (t) => {
	t.is(read('a', '--keys', '53').value('keys', readPort), 53)
	t.is(read('a').value('keys', readPort), undefined)
	t.throws(() => read('a', '--keys', '0').value('keys', readPort), {
		instanceOf: Usage, message: "--keys '0': expected a UDP port from 1 to 65535 (column 1)",
	})
	t.throws(() => read('a').demand('keys'),
		{ instanceOf: Usage, message: '--keys DIR is missing: the key directory' })
})

test('readers take what they should and nothing else', (t) => {
	const table: readonly (readonly [(text: string) => unknown, string[], string[]])[] = [
		[readPort, ['1', '65535'], ['', '0', '65536', '01', '+1', '1e3', '0x1', ' 1']],
		[readCount, ['1', '999999999'], ['', '0', '-1', '1.5', '1e3', '01', '9999999999']],
		[readSeconds, ['1', '0.25', '60'], ['', '0', '0.0', '-1', '1s', '1e3', '.5', 'never']],
		[readEndpoint, ['0.0.0.0:4000', '127.0.0.1:0'],
			['', '4000', ':4000', 'host:1', '1.2.3.4', '1.2.3.4:', '1.2.3.4:65536', '1.2.3:1', '::1:1']],
		[readExtension, ['00'.repeat(16), 'Ff'.repeat(16)], ['', '00'.repeat(15), '0g'.repeat(16)]],
		[readKey, ['00'.repeat(32)], ['', '00'.repeat(33)]],
	]
	for (const [reader, good, bad] of table) {
		for (const text of good) t.false(reader(text) instanceof Expected, `${reader.name} ${text}`)
		for (const text of bad) t.true(reader(text) instanceof Expected, `${reader.name} '${text}'`)
	}
	t.deepEqual(readEndpoint('10.0.0.1:53'), { ip: '10.0.0.1', port: 53 })
	t.is(readSeconds('2.5'), 2.5e9)
})

test('the nearest name, and none when nothing is near', (t) => {
	t.is(edits('kitten', 'sitting'), 3)
	t.is(edits('', 'abc'), 3)
	t.is(edits('serevr', 'server'), 1)
	t.is(nearest('serevr', ['server', 'seal']), 'server')
	t.is(nearest('conn', ['console', 'connect']), 'connect')
	t.is(nearest('xyz', ['server', 'seal']), undefined)
})

test('every entry of the table is whole: names, words, help, and a file that runs', async (t) => {
	const names = COMMANDS.map(({ name }) => name)
	t.is(new Set(names).size, names.length)
	for (const command of COMMANDS) {
		t.regex(command.name, /^[a-z]+( [a-z]+)?$/)
		t.regex(command.summary, /^[^A-Z].*[^.]$/)
		const help = helpOf(command)
		for (const { name, value, rest, summary } of command.options) {
			t.regex(name, /^[a-z]+(-[a-z]+)*$/)
			t.true(help.includes(`--${name}`) && summary !== '' && (rest !== true || value !== undefined))
		}
		for (const line of help.split('\n')) t.true(line.length <= 80, line)
		t.is(typeof (await command.load()).run, 'function')
	}
})
