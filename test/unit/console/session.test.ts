import test from 'ava'
import { SECOND } from '../../../src/base/time.ts'
import { frame, unframe } from '../../../src/console/machine-line.ts'
import { Refusal, type Command } from '../../../src/service/control-commands.ts'
import { hashPassword } from '../../../src/service/password.ts'
import { FakeTerminal } from '../../support/console.ts'
import { makeGenerator } from '../../support/generator.ts'
import { until } from '../../support/processes.ts'

const PASSWORD = 'correct horse'
const HASH = await hashPassword(PASSWORD)

const commands = new Map<string, Command>([
	['status', () => ({ fine: true })],
	['keys', () => ({ servers: [] })],
	['log', ({ level }) => ({ level: level ?? 'info', lines: ['one', 'two\u001b[2J'] })],
	['many', () => ({ rows: Array.from({ length: 100 }, (_, i) => `row ${i}`) })],
	['echo', (request) => request],
	['refused', () => {
		throw new Refusal('not today')
	}],
])

/** scrypt is on a thread: until the session has said something again. */
async function tell(terminal: FakeTerminal, text: string): Promise<string> {
	const before = terminal.output.length
	await terminal.type(text)
	const came = (): string => terminal.output.slice(before)
	await until(() => /curvegate> |password: |result|error/.test(came().slice(2)), 'an answer')
	return came()
}

test('the banner, then a prompt, then answers', async (t) => {
	const terminal = new FakeTerminal({ commands })
	t.is(terminal.output, '')
	terminal.session.greet()
	t.regex(terminal.output, /here is curvegate\r\n\rcurvegate> /)
	t.regex(await terminal.type('echo a=1 b=x\r'), /a 1\r\nb x\r\n\rcurvegate> \u001b\[K$/)
	t.regex(await terminal.type('refused\r'), /not today\r\n/)
	t.regex(await terminal.type('statu\r'), /unknown command; did you mean status\?/)
	t.regex(await terminal.type('log level loud --json\r'), /"level": "loud"/)
	t.notRegex(await terminal.type('log\r'), /\u001b\[2J/)
})

test('the password is wanted, not echoed, and wrong ones cost growing time', async (t) => {
	const terminal = new FakeTerminal({ commands, password: HASH })
	terminal.session.greet()
	t.regex(terminal.output, /password: \u001b\[K$/)
	t.regex(await tell(terminal, 'wrong one\r'), /wrong; next try in 1 s/)
	t.regex(await tell(terminal, `${PASSWORD}\r`), /not looked at: wait 1 s/)
	const waits: number[] = []
	for (let i = 0; i < 11; i++) {
		terminal.timers.pass(300 * SECOND)
		waits.push(Number(/next try in (\d+) s/.exec(await tell(terminal, 'wrong two\r'))?.[1]))
	}
	t.deepEqual(waits, [1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300])
	terminal.timers.pass(299 * SECOND)
	t.regex(await tell(terminal, `${PASSWORD}\r`), /wait 1 s/)
	terminal.timers.pass(SECOND)
	t.regex(await tell(terminal, `${PASSWORD}\r`), /curvegate> /)
	t.notRegex(terminal.output + terminal.lines.join(), /wrong one|wrong two|horse/)
	t.true(terminal.lines.some((line) => line.includes('console-login')))
})

test('noise is never tried as a password', async (t) => {
	const terminal = new FakeTerminal({ commands, password: HASH })
	terminal.session.greet()
	for (let i = 0; i < 20; i++) await terminal.type(Uint8Array.of(0xff, 0x83, 0x41, 0xf0, 0x0d))
	t.regex(await tell(terminal, `${PASSWORD}\r`), /curvegate> /)
})

test('a disturbed or overlong line is not carried out', async (t) => {
	const terminal = new FakeTerminal({ commands })
	terminal.session.greet()
	const keys = Uint8Array.of(0x6b, 0x65, 0xff, 0x79, 0x73, 0x0d)
	t.regex(await terminal.type(keys), /noise on the line/)
	t.regex(await terminal.type(`echo a=${'x'.repeat(5000)}\r`), /longer than 1024 characters/)
	t.regex(await terminal.type('echo a=é\r'), /a é/)
})

test('a break voids the line; a flood of them is answered once', async (t) => {
	const terminal = new FakeTerminal({ commands })
	terminal.session.greet()
	await terminal.type('refu')
	t.regex(await terminal.type('\0'), /curvegate> /)
	t.is(await terminal.type('\0'.repeat(1000)), '')
	t.regex(await terminal.type('echo a=1\r'), /a 1/)
})

test('without a key it logs off, and the password is wanted again', async (t) => {
	const terminal = new FakeTerminal({ commands, password: HASH })
	terminal.session.greet()
	await tell(terminal, `${PASSWORD}\r`)
	terminal.timers.pass(500 * SECOND)
	await terminal.type('st')
	terminal.timers.pass(599 * SECOND)
	t.notRegex(terminal.output, /logged off/)
	terminal.timers.pass(SECOND)
	t.regex(terminal.output, /logged off/)
	t.regex(await terminal.type('atus\r'), /password: /)
})

test('long answers stop at each page', async (t) => {
	const terminal = new FakeTerminal({ commands })
	terminal.session.greet()
	const first = await terminal.type('many\r')
	t.regex(first, /row 21\r\n-- more/)
	t.notRegex(first, /row 22/)
	t.regex(await terminal.type('\r'), /row 22\r\n-- more/)
	t.regex(await terminal.type(' '), /row 45\r\n-- more/)
	t.regex(await terminal.type('q'), /curvegate> /)
	t.regex(await terminal.type('many --no-more\r'), /row 99\r\n\rcurvegate> /)
	await terminal.type('terminal 80 10\r')
	t.regex(await terminal.type('many\r'), /row 7\r\n-- more/)
})

test('a slow line holds the answer back, in bounded pieces', async (t) => {
	const terminal = new FakeTerminal({ commands })
	terminal.session.greet()
	terminal.stuck = true
	await terminal.type('echo a=1\r'.repeat(2000))
	t.true(terminal.waiting < 6000, `${terminal.waiting} bytes are with the line`)
	for (let i = 0; i < 100; i++) {
		terminal.waiting = 0
		terminal.session.drained()
		await terminal.settled()
	}
	t.regex(await terminal.type('\r'), /curvegate> /)
})

test('tab completes, the question mark explains', async (t) => {
	const terminal = new FakeTerminal({ commands: new Map([...commands, ['config', () => ({})]]) })
	terminal.session.greet()
	t.is(await terminal.type('stat\t'), 'stat\rcurvegate> status \u001b[K')
	await terminal.type('\u0015config set li\t')
	t.regex(terminal.output, /config set limits\.memory /)
	await terminal.type('\u0015')
	t.regex(await terminal.type('?'), /status +what runs here/)
	t.regex(await terminal.type('log ?'), /log \[level/)
})

test('a line that others tore is drawn anew at the next key', async (t) => {
	const terminal = new FakeTerminal({ commands })
	terminal.session.greet()
	await terminal.type('echo a')
	terminal.timers.pass(3 * SECOND)
	t.regex(await terminal.type('='), /\rcurvegate> echo a=\u001b\[K/)
})

test('machine lines: checksums, login, and no echo', async (t) => {
	const terminal = new FakeTerminal({ commands, password: HASH })
	terminal.session.greet()
	const json = '{"id":1,"cmd":"status"}'
	t.is(frame(json), '{"id":1,"cmd":"status"} *E89F859B')
	const bad = await terminal.type(`${json} *00000000\r`)
	t.is(unframe(bad.trim()), '{"id":null,"error":"checksum"}')
	for (const damaged of ['{"id":1', json, `${json} *`, `${json} *1234567`]) {
		t.is(unframe((await terminal.type(`${damaged}\r`)).trim()), '{"id":null,"error":"checksum"}')
	}
	t.regex((await terminal.ask({ id: 1, cmd: 'status' })).error!, /login first/)
	const wrong = await tell(terminal, `${frame('{"id":2,"cmd":"login","password":"no"}')}\r`)
	t.regex(unframe(wrong.trim())!, /"id":2,"error":"wrong: next try in 1 s"/)
	terminal.timers.pass(SECOND)
	await tell(terminal, `${frame(JSON.stringify({ id: 3, cmd: 'login', password: PASSWORD }))}\r`)
	t.deepEqual(await terminal.ask({ id: 4, cmd: 'status' }), { id: 4, result: { fine: true } })
	t.deepEqual(await terminal.ask({ id: 5, cmd: 'refused' }), { id: 5, error: 'not today' })
	t.notRegex(terminal.output, /horse|"cmd"/)
})

test('every single-bit fault of a machine line is found', (t) => {
	const line = frame('{"id":1,"cmd":"factory-reset","confirm":"erase"}')
	const bytes = new TextEncoder().encode(line)
	for (let bit = 0; bit < bytes.length * 8; bit++) {
		const other = bytes.slice()
		other[bit >> 3]! ^= 1 << (bit & 7)
		const read = unframe(new TextDecoder().decode(other))
		// Letters of the checksum itself may change their case.
		if (read !== undefined) t.is(read, line.slice(0, -10))
	}
	for (let cut = 0; cut < line.length; cut++) t.is(unframe(line.slice(0, cut)), undefined)
})

test('what is typed behind a tab waits for what the tab inserts', async (t) => {
	const terminal = new FakeTerminal({ commands })
	terminal.session.greet()
	t.regex(await terminal.type('ec\ta=1\r'), /a 1\r\n/)
	t.regex(await terminal.type('ec\tb=2 c=\t3\r'), /b 2\r\nc 3\r\n/)
	t.regex(await terminal.type('nothing\t\r'), /unknown command/)
})

test('json is for programs alone, until they exit', async (t) => {
	const terminal = new FakeTerminal({ commands })
	terminal.session.greet()
	await terminal.type('json\r')
	t.is(unframe((await terminal.type('status\r')).trim()), '{"id":null,"error":"checksum"}')
	const { result } = await terminal.ask({ id: 'x', cmd: 'echo', a: 1 })
	t.deepEqual(result, { id: 'x', cmd: 'echo', a: 1 })
	await terminal.ask({ id: 2, cmd: 'exit' })
	t.regex(await terminal.type('\r'), /curvegate> /)
	await terminal.type('json\r')
	t.regex(await terminal.type('exit\r'), /curvegate> /, 'typed by who came there by mistake')
	t.regex(await terminal.type('echo a=1\r'), /a 1\r\n/)
	const long = await terminal.type(`{"id":1,"cmd":"${'x'.repeat(20_000)}"} *00000000\r`)
	t.regex(unframe(long.trim().split('\r\n').at(-1)!)!, /at most 16384/)
})

test('without a terminal: lines in, plain lines out, the end when all is said', async (t) => {
	const terminal = new FakeTerminal({ commands, terminal: false })
	t.is(await terminal.type('echo a=1\necho b=2'), 'a 1\r\n')
	terminal.session.inputEnded()
	await terminal.settled()
	t.is(terminal.output, 'a 1\r\nb 2\r\n')
	t.is(terminal.ended, 1)
})

test('a command that hangs is given up by Ctrl-C', async (t) => {
	let answer = (_: object): void => undefined
	const slow = new Map<string, Command>([...commands, ['slow', () => new Promise<object>((done) => {
		answer = done
	})]])
	const terminal = new FakeTerminal({ commands: slow })
	terminal.session.greet()
	await terminal.type('slow\recho a=1\r')
	t.notRegex(terminal.output, /a 1/)
	t.regex(await terminal.type('\u0003'), /\^C/)
	answer({ late: true })
	t.regex(await terminal.type('echo a=2\r'), /a 2/)
	t.notRegex(terminal.output, /late/)
})

test('a new password is typed twice, unseen', async (t) => {
	const asked: unknown[] = []
	const terminal = new FakeTerminal({ commands: new Map([...commands, ['password', (request) => {
		asked.push(request)
		return { pending: ['set console.password "scrypt:…"'] }
	}]]) })
	terminal.session.greet()
	t.regex(await terminal.type('password\r'), /new password: /)
	t.regex(await terminal.type('correct horse\r'), /again: /)
	t.regex(await terminal.type('correct house\r'), /they differ: nothing is changed/)
	t.deepEqual(asked, [])
	await terminal.type('password\rcorrect horse\r')
	t.regex(await terminal.type('correct horse\r'), /pending: set console.password "scrypt:…"/)
	t.deepEqual(asked, [{ password: 'correct horse' }])
	await terminal.type('password\rcorr')
	t.regex(await terminal.type('\u0003'), /\^C\r\n\rcurvegate> /)
	t.notRegex(terminal.output, /corr/)
})

test('a notice stands above the line that is being typed', async (t) => {
	const terminal = new FakeTerminal({ commands })
	terminal.session.greet()
	await terminal.type('echo a')
	terminal.notices.say('the changes are undone')
	await terminal.settled()
	t.regex(terminal.output, /\r\nthe changes are undone\r\n\rcurvegate> echo a\u001b\[K$/)
	terminal.session.close()
	terminal.notices.say('nobody hears it')
	t.notRegex(terminal.output, /nobody/)
})

test('random bytes, cut anywhere: nothing throws, and the prompt comes back', async (t) => {
	const seed = 77
	const random = makeGenerator(seed)
	const words = ['echo a=1\r', 'log ?\t', '{"id":1,"cmd":"log"} *', '\u001b[A', '\u001b[', '\0',
		'\r\n', 'many\r', ' ', 'q', 'terminal 40 5\r', 'json\r', '\u0003', 'é😀', 'password\r', '{']
	const terminal = new FakeTerminal({ commands })
	terminal.session.greet()
	for (let round = 0; round < 300; round++) {
		const bytes = new Uint8Array(random.below(60))
		random.fill(bytes, 0, bytes.length)
		const word = new TextEncoder().encode(words[random.below(words.length)])
		const all = Uint8Array.from([...word, ...random.below(3) === 0 ? bytes : []])
		const cut = random.below(all.length + 1)
		await terminal.type(all.subarray(0, cut))
		await terminal.type(all.subarray(cut))
		if (round % 20 !== 0) continue
		await terminal.type('\0\0q\u0003\u0003\r')
		const came = await terminal.type('\0\r') + await terminal.type('\u0015\r')
		t.regex(came, /curvegate> /, `seed ${seed}, round ${round}`)
	}
	t.true(terminal.output.length < 3_000_000)
})
