import test from 'ava'
import { KeyReader } from '../../../src/console/keys.ts'
import { LINE_MAX, LineEditor } from '../../../src/console/line-editor.ts'
import { makeGenerator } from '../../support/generator.ts'

function keysOf(...chunks: (string | number[])[]): string[] {
	const reader = new KeyReader()
	return chunks.flatMap((chunk) => reader.read(typeof chunk === 'string'
		? new TextEncoder().encode(chunk) : Uint8Array.from(chunk)))
}

function typed(...chunks: string[]): LineEditor {
	const editor = new LineEditor()
	editor.prompt = '> '
	for (const key of keysOf(...chunks)) editor.press(key)
	return editor
}

test('CR, LF and CR LF each end one line, also when a read cuts them', (t) => {
	t.deepEqual(keysOf('a\rb\nc\r\nd'), ['a', 'enter', 'b', 'enter', 'c', 'enter', 'd'])
	t.deepEqual(keysOf('a\r', '\nb'), ['a', 'enter', 'b'])
	t.deepEqual(keysOf('\r\r\n\n'), ['enter', 'enter', 'enter'])
})

test('a character in UTF-8 may be cut anywhere', (t) => {
	const bytes = [...new TextEncoder().encode('é€😀')]
	for (let cut = 0; cut <= bytes.length; cut++) {
		t.deepEqual(keysOf(bytes.slice(0, cut), bytes.slice(cut)), ['é', '€', '😀'])
	}
})

test('an escape sequence may be cut anywhere; an unknown one is no text', (t) => {
	for (const [bytes, keys] of [['\u001b[A', ['up']], ['\u001b[3~', ['delete']],
		['\u001bOD', ['left']], ['\u001b[1;5C', []], ['\u001b[?25h', []]] as const) {
		for (let cut = 0; cut <= bytes.length; cut++) {
			t.deepEqual(keysOf(bytes.slice(0, cut), bytes.slice(cut)), [...keys], JSON.stringify(bytes))
		}
	}
	t.deepEqual(keysOf(`\u001b[${'1'.repeat(40)}`).includes('up'), false)
})

test('what is no UTF-8 is noise, a NUL is a break', (t) => {
	t.deepEqual(keysOf([0xff, 0x41, 0x80, 0x00]), ['noise', 'A', 'noise', 'break'])
})

test('editing: insertion, erasing, moving, words', (t) => {
	t.is(typed('ac\u001b[Db').text, 'abc')
	t.is(typed('abc\u007f\u0008').text, 'a')
	t.is(typed('one two\u0017').text, 'one ')
	t.is(typed('one two\u0015').text, '')
	t.is(typed('one\u0001\u000b').text, '')
	t.is(typed('bc\u0001a\u0005d').text, 'abcd')
	t.is(typed('abc\u001b[D\u001b[D\u001b[3~').text, 'ac')
	t.is(typed('\u001b[D\u007fa\u001b[C\u001b[C').text, 'a')
})

test('history goes back and forth, and keeps what was begun', (t) => {
	const editor = typed('first')
	editor.take()
	for (const key of keysOf('second')) editor.press(key)
	editor.take()
	for (const key of keysOf('beg\u001b[A')) editor.press(key)
	t.is(editor.text, 'second')
	for (const key of keysOf('\u001b[A\u001b[A')) editor.press(key)
	t.is(editor.text, 'first')
	for (const key of keysOf('\u001b[B\u001b[B')) editor.press(key)
	t.is(editor.text, 'beg')
})

test('a secret is neither shown nor remembered, nor is a machine\'s line', (t) => {
	const editor = new LineEditor()
	editor.prompt = 'password: '
	editor.secret = true
	const shown = keysOf('hunter2x\u007f').map((key) => editor.press(key)).join('') + editor.draw()
	t.notRegex(shown, /h|u|n|t|2/)
	t.is(editor.take().text, 'hunter2')
	editor.secret = false
	t.is(keysOf('{"cmd":"login"}').map((key) => editor.press(key)).join('') + editor.draw(), '')
	t.deepEqual(editor.take(), { text: '{"cmd":"login"}', machine: true, damage: 'none' })
	editor.press('up')
	t.is(editor.text, '')
})

test('an overlong line is cut, and says so', (t) => {
	const editor = typed('x'.repeat(LINE_MAX + 500))
	t.is(editor.text.length, LINE_MAX)
	t.is(editor.take().damage, 'overlong')
	t.is(editor.take().damage, 'none')
})

/** A terminal of one line: what the escape sequences that we use make of it. */
function screen(text: string, columns: number): string {
	let line: string[] = []
	let at = 0
	for (const [, back, clear, other] of text.matchAll(/\u001b\[(\d+)D|\u001b(\[K)|([\s\S])/gu)) {
		if (back !== undefined) at -= Number(back)
		else if (clear !== undefined) line = line.slice(0, at)
		else if (other === '\r') at = 0
		else if (other !== '\u0007') line[at++] = other!
		if (at > columns) throw new Error('wrapped')
	}
	return `${line.join('')}@${at}`
}

test('what is shown is what is there, whatever was typed (model)', (t) => {
	const seed = 20261125
	const random = makeGenerator(seed)
	const keys = ['a', 'b', ' ', 'é', 'left', 'right', 'home', 'end', 'backspace', 'delete',
		'erase-word', 'erase-right', 'erase-left']
	for (let round = 0; round < 200; round++) {
		const editor = new LineEditor()
		editor.prompt = '> '
		editor.columns = 30
		let shown = editor.draw()
		let line: string[] = []
		let at = 0
		for (let i = 0; i < 60; i++) {
			const key = keys[random.below(keys.length)]!
			shown += editor.press(key)
			if (key.length === 1) line.splice(at++, 0, key)
			else if (key === 'left') at = Math.max(0, at - 1)
			else if (key === 'right') at = Math.min(line.length, at + 1)
			else if (key === 'home') at = 0
			else if (key === 'end') at = line.length
			else if (key === 'backspace' && at > 0) line.splice(--at, 1)
			else if (key === 'delete') line.splice(at, 1)
			else if (key === 'erase-right') line = line.slice(0, at)
			else if (key === 'erase-left') [line, at] = [line.slice(at), 0]
			else if (key === 'erase-word') {
				const keep = line.slice(0, at).join('').replace(/\S*\s*$/, '').length
				line.splice(keep, at - keep)
				at = keep
			}
			t.is(editor.text, line.join(''), `seed ${seed}, round ${round}`)
			const from = Math.max(0, at - 27)
			t.is(screen(shown, 30), `> ${line.slice(from, from + 27).join('')}@${2 + at - from}`)
		}
	}
})
