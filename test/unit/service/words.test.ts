import { execFileSync } from 'node:child_process'
import test from 'ava'
import { splitWords } from '../../../src/service/words.ts'
import { makeGenerator } from '../../support/generator.ts'

const splits = test.macro({
	exec: (t, text: string, words: readonly string[]) => t.deepEqual(splitWords(text), words),
	title: (_, text) => `words of ${JSON.stringify(text)}`,
})

test(splits, '', [])
test(splits, ' \t\n', [])
test(splits, 'cat', ['cat'])
test(splits, '  cat \t-u\n/x ', ['cat', '-u', '/x'])
test(splits, 'a\\ b c\\\\d', ['a b', 'c\\d'])
test(splits, "''", [''])
test(splits, "a '' \"\"", ['a', '', ''])
test(splits, "sh -c 'echo \"$1\" | wc'", ['sh', '-c', 'echo "$1" | wc'])
test(splits, '"a \\"b\\" \\$c \\`d \\\\ \\e"', ['a "b" $c `d \\ \\e'])
test(splits, 'a"b"\'c\'d', ['abcd'])
test(splits, 'a\\\nb', ['ab'])
test(splits, 'a \\\n b', ['a', 'b'])
test(splits, '"a\\\nb"', ['ab'])
test(splits, '\\|', ['|'])
test(splits, '$ a$', ['$', 'a$'])
test(splits, '*.c ~ #x {a,b}', ['*.c', '~', '#x', '{a,b}'])

const refuses = test.macro({
	exec(t, text: string, at: number, message: RegExp) {
		const fault = splitWords(text)
		if (!('message' in fault)) return t.fail(`taken for ${fault.join('|')}`)
		t.is(fault.at, at)
		t.regex(fault.message, message)
	},
	title: (_, text) => `no words of ${JSON.stringify(text)}`,
})

test(refuses, "a 'b", 3, /single quote/)
test(refuses, 'a "b\\"', 3, /double quote/)
test(refuses, 'a\\', 2, /backslash/)
test(refuses, 'cat | wc', 5, /'\|' means nothing .* sh -c/)
test(refuses, 'a; b', 2, /';'/)
test(refuses, 'a > b', 3, /'>'/)
test(refuses, 'a $HOME', 3, /not expanded/)
test(refuses, 'a "$(b)"', 4, /not expanded/)
test(refuses, 'a `b`', 3, /not expanded/)

test('a shell splits random commands into the same words', (t) => {
	const seed = 20_240_711
	const { below } = makeGenerator(seed)
	const alphabet = ['a', 'b', ' ', ' ', '\'', '"', '\\', '-', '$ ', 'é']
	let compared = 0
	const texts: string[] = []
	const ours: string[] = []
	for (let i = 0; i < 2000; i++) {
		const n = below(12)
		const text = Array.from({ length: n }, () => alphabet[below(alphabet.length)]).join('')
		const words = splitWords(text)
		if ('message' in words) continue
		texts.push(text)
		ours.push(words.map((word) => `<${word}>`).join(''))
		compared++
	}
	// One shell for all; each command ends with a line that no word contains.
	const script = texts.map((text) => `f ${text}\n`).join('')
	const shell = `f() { for w in "$@"; do printf '<%s>' "$w"; done; printf '\\001'; }\n${script}`
	const theirs = execFileSync('sh', ['-s'], { input: shell, encoding: 'utf8' }).split('\u0001')
	t.true(compared > 300)
	ours.forEach((words, i) => t.is(theirs[i], words, `${JSON.stringify(texts[i])}, seed ${seed}`))
})
