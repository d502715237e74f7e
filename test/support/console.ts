// A console session of a test: a terminal in memory, a clock that the test moves.

import { SECOND, type Nanos } from '../../src/base/time.ts'
import { Gate } from '../../src/console/gate.ts'
import { frame, unframe } from '../../src/console/machine-line.ts'
import { Notices, type SessionOptions } from '../../src/console/host.ts'
import { Session } from '../../src/console/session.ts'
import type { Timers } from '../../src/platform/timers.ts'
import type { Command } from '../../src/service/control-commands.ts'
import { Log } from '../../src/service/log.ts'

export class FakeTimers implements Timers {
	#now: Nanos = 0
	#due: { at: Nanos, run: () => void }[] = []

	now(): Nanos {
		return this.#now
	}

	after(delay: Nanos, run: () => void): () => void {
		const one = { at: this.#now + delay, run }
		this.#due.push(one)
		return () => {
			this.#due = this.#due.filter((other) => other !== one)
		}
	}

	/** Everything that is due until then runs, in order. */
	pass(time: Nanos): void {
		const end = this.#now + time
		for (;;) {
			const next = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
			if (next === undefined) break
			this.#due = this.#due.filter((one) => one !== next)
			this.#now = Math.max(this.#now, next.at)
			next.run()
		}
		this.#now = end
	}
}

export interface TerminalOptions {
	readonly commands?: ReadonlyMap<string, Command>
	readonly password?: string
	readonly terminal?: boolean
	readonly idle?: Nanos
	readonly gate?: Gate
	readonly timers?: FakeTimers
}

export class FakeTerminal {
	/** All that came, as it came. */
	output = ''
	/** Bytes that the line has not taken; a test may let them stand. */
	waiting = 0
	stuck = false
	ended = 0
	readonly lines: string[] = []
	readonly notices = new Notices()
	readonly timers: FakeTimers
	readonly session: Session

	constructor(options: TerminalOptions = {}) {
		const { commands = new Map(), password, terminal = true, idle = 600 * SECOND } = options
		this.timers = options.timers ?? new FakeTimers()
		const here = this
		const whole: SessionOptions = {
			outlet: {
				get waiting() {
					return here.waiting
				},
				write: (text) => {
					this.output += text
					if (this.stuck) this.waiting += text.length
				},
			},
			commands, timers: this.timers, where: 'test', idle, terminal, notices: this.notices,
			gate: options.gate ?? new Gate(password, this.timers),
			log: new Log({ level: 'debug', format: 'text', write: (line) => this.lines.push(line) }),
			greeting: () => ['here is curvegate'],
			facts: async () => ({ names: ['a.example', 'b.example'], configKeys: ['limits.memory'] }),
			ended: () => {
				this.ended++
			},
		}
		this.session = new Session(whole)
	}

	/** Types, and waits until what was asked is answered. */
	async type(text: string | Uint8Array): Promise<string> {
		const before = this.output.length
		this.session.receive(typeof text === 'string' ? new TextEncoder().encode(text) : text)
		await this.settled()
		return this.output.slice(before)
	}

	/** A machine's request; what came back, opened. */
	async ask(request: object): Promise<{ id: unknown, result?: unknown, error?: string }> {
		const came = await this.type(`${frame(JSON.stringify(request))}\r\n`)
		const answers = came.split('\r\n').flatMap((line) => unframe(line) ?? [])
		if (answers.length !== 1) throw new Error(`one answer, found ${JSON.stringify(came)}`)
		return JSON.parse(answers[0]!)
	}

	/** Nothing moves any more: promises have run, and scrypt's thread, when one was asked. */
	async settled(): Promise<void> {
		for (let length = -1; length !== this.output.length;) {
			length = this.output.length
			for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done))
		}
	}
}
