// One conversation: login, prompt, commands, machine lines, log-off. Bytes come in, text goes out
// through an outlet that may be slow; it knows neither device nor connection. spec: firmware.md 7

import { NEVER, SECOND, type Nanos } from '../base/time.ts'
import {
	COMMANDS, Mistyped, readSize, readTyped, SESSION_COMMANDS, type Typed,
} from './commands.ts'
import { complete } from './completion.ts'
import { helpLines } from './help.ts'
import type { SessionOptions } from './host.ts'
import { KeyReader, type Key } from './keys.ts'
import { LINE_MAX, LineEditor, MACHINE_LINE_MAX, type Line } from './line-editor.ts'
import { answerMachine, tooLong } from './machine.ts'
import { Output } from './output.ts'
import { linesOf } from './run-typed.ts'

const PROMPT = 'curvegate> '
const PASSWORD = 'password: '
const NEW_PASSWORD = 'new password: '
const AGAIN = 'the same again: '
/** After so long others may have written on the terminal: the line is drawn anew. */
const STALE: Nanos = SECOND
/** Keys that wait for a command to end. */
const AHEAD_MAX = 2 * MACHINE_LINE_MAX

/** asleep: nobody is there; login, secret: the password is wanted, or a new one; busy: it runs. */
type State = 'asleep' | 'login' | 'ready' | 'secret' | 'busy' | 'paging'

export class Session {
	readonly #o: SessionOptions
	readonly #keys = new KeyReader()
	readonly #editor = new LineEditor()
	readonly #output: Output
	#state: State = 'asleep'
	#isIn = false
	/** Lines of JSON alone, until somebody leaves that. */
	#json = false
	#terminal: boolean
	/** The prompt stands on the terminal's last line. */
	#prompted = false
	#ahead: Key[] = []
	/** A new password, typed once. */
	#secret: string | undefined
	/** Counts commands: one that was given up comes too late. */
	#turn = 0
	/** Nothing more will come: the session ends when all is answered. */
	#inputOver = false
	#lastKeyAt: Nanos = 0
	#forgetIdle = (): void => undefined
	readonly #deafen: () => void

	constructor(options: SessionOptions) {
		this.#o = options
		this.#terminal = options.terminal
		this.#output = new Output(options.outlet)
		this.#editor.silent = !options.terminal
		this.#deafen = options.notices.hear((text) => {
			if (this.#state === 'ready' && this.#terminal && !this.#json) this.#aside([text])
		})
		if (!options.terminal) this.#enter()
	}

	/** Says who is here, to whoever listens. */
	greet(): void {
		if (this.#state !== 'asleep') return
		const { gate } = this.#o
		this.#output.line('')
		this.#output.lines(this.#o.greeting(), false)
		if (gate?.needsPassword === true && !this.#isIn) this.#await('login')
		else this.#enter()
		this.#prompt()
		this.#watchIdle()
	}

	receive(bytes: Uint8Array): void {
		const keys = this.#keys.read(bytes)
		const now = this.#o.timers.now()
		const isStale = now - this.#lastKeyAt > STALE
		this.#lastKeyAt = now
		this.#watchIdle()
		this.#take(keys)
		const isTyping = this.#prompted && this.#editor.text !== ''
		if (isStale && isTyping && this.#isEditing) this.#output.echo(this.#editor.draw())
	}

	/** More keys wait than it will keep: receive nothing now. */
	get isFull(): boolean {
		return this.#state === 'busy' && this.#ahead.length > 0
	}

	/** Nothing more comes; what came is still answered. */
	inputEnded(): void {
		this.#ahead.push('enter')
		this.#inputOver = true
		this.#take([])
	}

	/** The outlet has room again. */
	drained(): void {
		this.#output.drain()
	}

	/** Nobody is at the other end any more. */
	close(): void {
		this.#deafen()
		this.#forgetIdle()
		this.#turn++
		this.#output.close()
		this.#isIn = false
		this.#await('asleep')
	}

	get #isEditing(): boolean {
		return ['ready', 'login', 'secret'].includes(this.#state)
	}

	#take(keys: readonly Key[]): void {
		this.#ahead.push(...keys.slice(0, AHEAD_MAX - this.#ahead.length))
		while (this.#ahead.length > 0) {
			const key = this.#ahead[0]!
			if (this.#state === 'busy') {
				if (!this.#ahead.includes('interrupt') || this.#json) return
				this.#ahead = []
				return this.#giveUp()
			}
			this.#ahead.shift()
			this.#key(key)
		}
		if (this.#inputOver && this.#state !== 'busy') void this.#endWhenSaid()
	}

	/** With the keys that waited. */
	#continue(): void {
		this.#take([])
		this.#o.free?.()
	}

	async #endWhenSaid(): Promise<void> {
		await this.#output.empty()
		if (this.#state === 'asleep') return
		this.#await('asleep')
		this.#o.ended()
	}

	#key(key: Key): void {
		const editor = this.#editor
		const forMachine = editor.isMachine || (key === '{' && editor.text === '')
		if (key === 'break') this.#break()
		else if (key === 'enter' && this.#json && editor.text.trim() === 'exit') this.#leaveJson()
		else if (key === 'enter' && (forMachine || this.#json)) this.#machineLine(editor.take())
		else if (forMachine || this.#json) editor.press(key)
		else if (this.#state === 'asleep') {
			if (key === 'enter') this.greet()
		} else if (this.#state === 'paging') this.#page(key)
		else this.#edit(key)
	}

	#edit(key: Key): void {
		const editor = this.#editor
		if (this.#terminal && !this.#prompted) this.#prompt()
		if (key === 'enter') {
			if (this.#terminal) this.#output.line('')
			this.#prompted = false
			return void this.#line(editor.take())
		}
		if (key === 'interrupt') return this.#freshPrompt('^C')
		if (key === 'end-of-input' && editor.text === '') return this.#logOff('bye')
		const isNewWord = editor.before === '' || editor.before.endsWith(' ')
		if (this.#state === 'ready' && this.#terminal) {
			if (key === 'tab') return void this.#complete()
			if (key === '?' && isNewWord) return this.#question()
		}
		this.#output.echo(editor.press(key))
	}

	async #line(line: Line): Promise<void> {
		if (line.damage !== 'none') {
			this.#output.line(line.damage === 'noise' ? 'noise on the line; type it again'
				: `longer than ${this.#terminal ? LINE_MAX : MACHINE_LINE_MAX} characters: not done`)
			return this.#prompt()
		}
		if (this.#state === 'login') return await this.#password(line.text)
		if (this.#state === 'secret') return await this.#newPassword(line.text)
		if (line.text.trim() === '') return this.#prompt()
		const typed = readTyped(line.text)
		if (typed.name === 'password' && this.#terminal) return this.#wantSecret(undefined)
		await this.#busily(async () => await this.#command(typed))
	}

	/** While work goes on, keys wait. */
	async #busily(work: () => Promise<boolean>): Promise<void> {
		const turn = ++this.#turn
		this.#state = 'busy'
		const isPaging = await work()
		await this.#output.empty()
		if (turn !== this.#turn) return
		if (this.#state === 'busy') this.#state = isPaging ? 'paging' : 'ready'
		if (!isPaging) this.#prompt()
		this.#continue()
	}

	#giveUp(): void {
		this.#turn++
		this.#state = 'ready'
		this.#output.close()
		this.#freshPrompt('^C: its answer is not waited for')
	}

	async #password(text: string): Promise<void> {
		const { gate, log, where, timers } = this.#o
		if (text === '' || gate === undefined) return this.#prompt()
		const turn = ++this.#turn
		this.#state = 'busy'
		const verdict = await gate.test(text)
		if (turn !== this.#turn) return
		if (verdict === 'right') {
			log.limited('info', 'console-login', timers.now(), { where })
			this.#enter()
		} else {
			this.#await('login')
			log.limited('warn', 'console-refused', timers.now(), { where, verdict })
			this.#output.line(verdict === 'wrong' ? `wrong; next try in ${gate.waitSeconds} s`
				: `not looked at: wait ${gate.waitSeconds} s`)
		}
		this.#prompt()
		this.#continue()
	}

	#wantSecret(first: string | undefined): void {
		this.#await('secret')
		this.#secret = first
		this.#editor.prompt = first === undefined ? NEW_PASSWORD : AGAIN
		this.#prompt()
	}

	async #newPassword(text: string): Promise<void> {
		const first = this.#secret
		if (first === undefined && text !== '') return this.#wantSecret(text)
		this.#await('ready')
		const { commands, log } = this.#o
		await this.#busily(async () => this.#say(first === text
			? await linesOf({ ...readTyped('password'), fields: { password: text } }, commands, log)
			: ['they differ: nothing is changed'], false))
	}

	/** True: a page is full, and more waits. */
	async #command(typed: Typed): Promise<boolean> {
		const { name, words, noMore } = typed
		if (Object.hasOwn(SESSION_COMMANDS, name)) return this.#own(name, words)
		const turn = this.#turn
		const lines = await linesOf(typed, this.#o.commands, this.#o.log)
		return turn === this.#turn && this.#say(lines, !noMore && COMMANDS[name]?.whole !== true)
	}

	#say(lines: readonly string[], paged: boolean): boolean {
		return this.#output.lines(lines, paged && this.#terminal)
	}

	#own(name: string, words: readonly string[]): boolean {
		if (name === 'help') return this.#say(helpLines([...this.#o.commands.keys()], words[0]), true)
		if (name === 'json') this.#setJson(true)
		if (name === 'exit') this.#logOff('bye')
		if (name !== 'terminal') return false
		const size = readSize(words)
		if (size instanceof Mistyped) return this.#say([size.message], false)
		this.#editor.columns = size.columns
		Object.assign(this.#output, size)
		this.#terminal = true
		this.#editor.silent = false
		return false
	}

	#setJson(json: boolean): void {
		this.#json = json
		this.#editor.silent = json || !this.#terminal
	}

	/** A person's way out, without a checksum. */
	#leaveJson(): void {
		this.#editor.take()
		this.#setJson(false)
		this.#output.line('')
		this.#prompt()
	}

	#machineLine(line: Line): void {
		if (this.#prompted) this.#output.line('')
		this.#prompted = false
		const before = this.#state
		const turn = ++this.#turn
		const answer = async (): Promise<void> => {
			this.#output.line(line.damage === 'overlong' ? tooLong(MACHINE_LINE_MAX)
				: await answerMachine(line.text, {
					...this.#o, isIn: () => this.#isIn || this.#o.gate?.needsPassword !== true,
					login: () => this.#isIn = true, exit: () => this.#setJson(false),
				}))
			await this.#output.empty()
			if (turn !== this.#turn) return
			// Whoever logged in by a machine line is in.
			if (this.#state === 'busy') this.#state = before
			if (this.#isIn && before !== 'paging') this.#await('ready')
			this.#continue()
		}
		this.#state = 'busy'
		void answer()
	}

	#page(key: Key): void {
		if (key === ' ') this.#output.more(this.#output.rows - 1)
		else if (key === 'enter') this.#output.more(1)
		else if (key === 'q' || key === 'interrupt' || key === 'end-of-input') this.#output.stopPaging()
		if (this.#output.isPaging) return
		this.#state = 'ready'
		this.#prompt()
	}

	async #complete(): Promise<void> {
		const turn = ++this.#turn
		// What is typed behind the tab belongs behind what it inserts.
		this.#state = 'busy'
		const facts = await this.#o.facts()
		if (turn !== this.#turn) return
		this.#state = 'ready'
		const { insert, choices } = complete(this.#editor.before, [...this.#o.commands.keys()], facts)
		if (insert !== '') this.#output.echo(this.#editor.insert(insert))
		else if (choices.length > 0) this.#aside([choices.join('  ')])
		this.#continue()
	}

	#question(): void {
		const name = /^\s*(\S+)/.exec(this.#editor.before)?.[1]
		this.#aside(helpLines([...this.#o.commands.keys()], name))
	}

	/** Lines below the one that is being typed, which comes again under them. */
	#aside(lines: readonly string[]): void {
		this.#output.line('')
		this.#output.lines(lines, false)
		this.#output.write(this.#editor.draw())
	}

	#enter(): void {
		this.#isIn = true
		this.#await('ready')
	}

	#await(state: 'asleep' | 'login' | 'ready' | 'secret'): void {
		this.#state = state
		this.#secret = undefined
		this.#editor.clear()
		this.#editor.secret = state === 'login' || state === 'secret'
		this.#editor.prompt = state === 'login' ? PASSWORD : PROMPT
		this.#prompted = false
	}

	#prompt(): void {
		if (!this.#terminal || this.#json || !this.#isEditing) return
		this.#prompted = true
		this.#output.write(this.#editor.draw())
	}

	#freshPrompt(mark: string): void {
		if (this.#state === 'secret') this.#await('ready')
		this.#editor.clear()
		if (this.#terminal) this.#output.line(mark)
		this.#prompt()
	}

	/** A break, or a line that is not connected: whatever was typed is void. */
	#break(): void {
		const hadText = this.#editor.text !== ''
		this.#editor.clear()
		if (this.#json) this.#setJson(false)
		if (this.#output.isPaging) this.#page('q')
		else if (hadText || !this.#prompted) this.#prompt()
	}

	#logOff(why: string): void {
		this.#turn++
		this.#ahead = []
		this.#forgetIdle()
		this.#output.close()
		if (this.#terminal) this.#output.lines(['', why], false)
		this.#isIn = false
		this.#setJson(false)
		this.#await('asleep')
		this.#o.ended()
	}

	#watchIdle(): void {
		this.#forgetIdle()
		const { idle, timers } = this.#o
		if (idle === NEVER || this.#state === 'asleep') return
		this.#forgetIdle = timers.after(idle, () => {
			this.#logOff('logged off: no key for a while')
		})
	}
}
