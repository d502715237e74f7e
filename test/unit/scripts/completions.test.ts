// Completions and the manual page, as the shells and readers take them.

import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { bashCompletion, fishCompletion, zshCompletion } from '../../../scripts/completions.ts'
import { manual } from '../../../scripts/manual.ts'
import { COMMANDS } from '../../../src/cli/commands.ts'
import { needs } from '../../support/needs.ts'
import { makeFolder } from '../../support/processes.ts'

function file(t: ExecutionContext, name: string, text: string): string {
	const path = join(makeFolder(t), name)
	writeFileSync(path, text)
	return path
}

/** What a real bash offers for the last of these words, started from this folder. */
function bashOffers(script: string, words: readonly string[], cwd = '.'): string[] {
	const ask = [
		'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))',
		'compopt() { :; }', // only the line editor has it
		'_curvegate; printf "%s\\n" "${COMPREPLY[@]}"',
	].join('\n')
	const text = execFileSync('bash', ['--norc', '-c', ask, 'bash', script, 'curvegate', ...words],
		{ encoding: 'utf8', cwd })
	return text.split('\n').filter((line) => line !== '').sort()
}

function optionNames(name: string): string[] {
	const { options } = COMMANDS.find((one) => one.name === name)!
	return [...options.map((one) => `--${one.name}`), '--help'].sort()
}

needs('bash')('bash: every command and every option', (t) => {
	const script = file(t, 'bash', bashCompletion(COMMANDS))
	const firsts = bashOffers(script, [''])
	for (const command of COMMANDS) {
		const words = command.name.split(' ')
		t.true(firsts.includes(words[0]!))
		if (words[1] !== undefined) t.true(bashOffers(script, [words[0]!, '']).includes(words[1]))
		t.deepEqual(bashOffers(script, [...words, '-']), optionNames(command.name), command.name)
	}
	t.deepEqual(bashOffers(script, ['gate']), ['gateway'])
	t.deepEqual(bashOffers(script, ['address', 'q']), ['qr'])
	t.deepEqual(bashOffers(script, ['gateway', '--datapath', 'r']), ['raw', 'relay'])
	t.true(bashOffers(script, ['gateway', '--wan', '']).includes('lo'))
	t.deepEqual(bashOffers(script, ['server', '--listen', '']), [])
	const folder = makeFolder(t)
	execFileSync('sh', ['-c', 'mkdir "a b"; touch file.toml'], { cwd: folder })
	t.deepEqual(bashOffers(script, ['keygen', ''], folder), ['a b'])
	t.deepEqual(bashOffers(script, ['check', '--config', 'f'], folder), ['file.toml'])
})

needs('fish')('fish: every command and every option', (t) => {
	const script = file(t, 'curvegate.fish', fishCompletion(COMMANDS))
	const offers = (line: string): string[] => {
		const { stdout, stderr } = spawnSync('fish',
			['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', script, line],
			{ encoding: 'utf8', env: { ...process.env, HOME: makeFolder(t) } })
		t.is(stderr, '')
		return stdout.split('\n').filter((one) => one !== '').map((one) => one.split('\t')[0]!)
	}
	for (const { name } of COMMANDS) {
		const [first, second] = name.split(' ')
		t.true(offers('curvegate ').includes(first!))
		if (second !== undefined) t.true(offers(`curvegate ${first} `).includes(second))
		const found = offers(`curvegate ${name} --`)
		for (const option of optionNames(name)) t.true(found.includes(option), `${name} ${option}`)
	}
	t.deepEqual(offers('curvegate gateway --datapath r'), ['raw', 'relay'])
})

/** Keys typed into an interactive zsh on a terminal of its own; what it then shows. */
const ZSH = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "fpath=($1:h \\$fpath); autoload -U compinit; compinit -u -D; PS1='<re''ady>'"
zpty -r -m z text '*<ready>*'
zpty -w -n z "curvegate $2"$'\\t'
zpty -r -m z text "*$3*" && print found
zpty -d z
`

needs('zsh')('zsh takes it, and completes in a terminal', (t) => {
	const text = zshCompletion(COMMANDS)
	const script = file(t, '_curvegate', text)
	t.is(spawnSync('zsh', ['-n', script]).status, 0)
	const shows = (typed: string, expected: string): void => {
		const { stdout } = spawnSync('zsh', ['-f', '-c', ZSH, 'zsh', script, typed, expected],
			{ encoding: 'utf8', timeout: 60_000, env: { ...process.env, TERM: 'dumb' } })
		t.regex(stdout, /found/, `${typed}: ${expected}`)
	}
	shows('gatew', 'curvegate gateway ')
	shows('gateway --data', '--datapath')
	shows('gateway --datapath ra', 'raw')
	shows('address q', 'address qr')
	shows('address make --se', '--seal')
	shows('boards show --bo', '--boards')
	for (const { name } of COMMANDS) {
		const own = text.slice(text.indexOf(`'${name}') _arguments`)).split(';;')[0]!
		for (const option of optionNames(name)) t.true(own.includes(`${option}[`), `${name} ${option}`)
	}
})

test('the manual page has every command and every option', (t) => {
	const page = manual(COMMANDS, '2026-01-02')
	for (const { name } of COMMANDS) {
		const start = page.indexOf(`.SS curvegate ${name}`)
		t.true(start > 0, name)
		const section = page.slice(start).split('\n.S')[0]! + page.slice(start).split('\n.S')[1]!
		for (const option of optionNames(name)) {
			t.true(section.includes(`.B ${option.replaceAll('-', '\\-')}`), `${name} ${option}`)
		}
	}
})

needs('mandoc', 'man')('mandoc and man have nothing to say against it', (t) => {
	const path = file(t, 'curvegate.1', manual(COMMANDS, '2026-01-02'))
	const lint = spawnSync('mandoc', ['-Tlint', path], { encoding: 'utf8' })
	t.is(lint.stdout + lint.stderr, '')
	const man = spawnSync('man', ['--warnings', '-l', '-Tutf8', path],
		{ encoding: 'utf8', env: { ...process.env, MANWIDTH: '80', LC_ALL: 'C.UTF-8' } })
	t.deepEqual([man.status, man.stderr], [0, ''])
	// Bold is a letter over itself.
	t.true(man.stdout.replace(/.\x08/g, '').includes('--apply-sysctl'))
})

test('the build leaves what was tested here', (t) => {
	const built = (path: string): string => readFileSync(`build/${path}`, 'utf8')
	t.is(built('completions/curvegate.bash'), bashCompletion(COMMANDS))
	t.is(built('completions/_curvegate'), zshCompletion(COMMANDS))
	t.is(built('completions/curvegate.fish'), fishCompletion(COMMANDS))
	const date = /^\.TH CURVEGATE 1 "([^"]*)"/.exec(built('man/curvegate.1'))?.[1] ?? ''
	t.regex(date, /^\d{4}-\d\d-\d\d$/)
	t.is(built('man/curvegate.1'), manual(COMMANDS, date))
})
