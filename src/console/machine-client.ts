// The asking side of the machine mode, over any line: a request goes out again when it was damaged
// on the way or nobody answered; whatever else the line brings is not for programs.

import { MILLISECOND, SECOND, type Nanos } from '../base/time.ts'
import { systemTimers, type Timers } from '../platform/timers.ts'
import { Trouble } from '../platform/trouble.ts'
import { MACHINE_LINE_MAX } from './line-editor.ts'
import { frame, unframe } from './machine-line.ts'

const TRIES = 4
const PATIENCE: Nanos = 5 * SECOND
/** A damaged request may have left half a line behind. */
const BREATH: Nanos = 100 * MILLISECOND
/** An answer that is longer is not one of ours. */
const ANSWER_MAX = 4 << 20

interface Answer {
	readonly id: unknown
	readonly result?: unknown
	readonly error?: string
}

export interface AskOptions {
	/** For one try. */
	readonly patience?: Nanos
	readonly tries?: number
}

export class MachineClient {
	/** What the other end is called in errors. */
	readonly #where: string
	readonly #write: (bytes: Uint8Array) => void
	readonly #timers: Timers
	readonly #decoder = new TextDecoder()
	#buffer = ''
	/** No answer of another conversation is taken for one of ours. */
	#id = Math.floor(Math.random() * 1e9)
	#waiting: { take(answer: Answer | undefined): void, fail(why: string): void } | undefined
	#over: string | undefined

	constructor(where: string, write: (bytes: Uint8Array) => void, timers = systemTimers) {
		this.#where = where
		this.#write = write
		this.#timers = timers
	}

	/** What the line brought. */
	received(bytes: Uint8Array): void {
		this.#buffer += this.#decoder.decode(bytes, { stream: true })
		for (let end = this.#buffer.indexOf('\n'); end >= 0; end = this.#buffer.indexOf('\n')) {
			this.#line(this.#buffer.slice(0, end))
			this.#buffer = this.#buffer.slice(end + 1)
		}
		if (this.#buffer.length > ANSWER_MAX) this.#buffer = ''
	}

	/** The line is no more. */
	closed(why: string): void {
		this.#over = why
		this.#waiting?.fail(why)
	}

	/** The result; throws Trouble: the other end refused, or did not answer. One after the other. */
	async ask(
		cmd: string, fields: Readonly<Record<string, unknown>> = {}, options: AskOptions = {},
	): Promise<unknown> {
		const { patience = PATIENCE, tries = TRIES } = options
		const id = ++this.#id
		const line = frame(JSON.stringify({ id, cmd, ...fields }))
		if (line.length > MACHINE_LINE_MAX) {
			throw new Trouble('ask', this.#where, `a request of more than ${MACHINE_LINE_MAX} characters`)
		}
		for (let i = 0; i < tries; i++) {
			const answer = await this.#try(`${line}\r\n`, id, patience)
			if (answer === undefined) continue
			if (answer.error !== undefined) throw new Trouble('ask', this.#where, answer.error)
			return answer.result
		}
		throw new Trouble('ask', this.#where, 'no answer', 'ETIMEDOUT')
	}

	/** undefined: to be tried again. */
	async #try(line: string, id: number, patience: Nanos): Promise<Answer | undefined> {
		let forget = (): void => undefined
		try {
			return await new Promise<Answer | undefined>((resolve, reject) => {
				const fail = (why: string): void => reject(new Trouble('ask', this.#where, why))
				if (this.#over !== undefined) return fail(this.#over)
				forget = this.#timers.after(patience, () => resolve(undefined))
				this.#waiting = {
					fail,
					take: (answer) => {
						if (answer?.id === id) return resolve(answer)
						// Damaged on its way to there, or back.
						if (answer?.id !== null) return
						forget()
						forget = this.#timers.after(BREATH, () => resolve(undefined))
					},
				}
				this.#write(new TextEncoder().encode(line))
			})
		} finally {
			forget()
			this.#waiting = undefined
		}
	}

	#line(line: string): void {
		// A prompt may stand before it.
		const json = unframe(line.slice(Math.max(0, line.indexOf('{'))))
		if (json === undefined) return
		const answer: unknown = JSON.parse(json)
		if (isAnswer(answer)) this.#waiting?.take(answer)
	}
}

function isAnswer(value: unknown): value is Answer {
	if (typeof value !== 'object' || value === null || !('id' in value)) return false
	return 'result' in value || ('error' in value && typeof value.error === 'string')
}
