// The log: one event a line on stderr. An event that strangers can cause has a name of its own in
// the rate limiter: what is too much is counted, and said with the next line that passes. The level
// may change while the program runs; the newest lines are kept for who asks later.

import { fstatSync } from 'node:fs'
import { SECOND, type Nanos } from '../base/time.ts'

export type Level = 'error' | 'warn' | 'info' | 'debug'
export type Format = 'text' | 'json'
export type Fields = Readonly<Record<string, string | number>>

export const LEVELS: readonly Level[] = ['error', 'warn', 'info', 'debug']

/** Lines of one limited event: so many at once, then one for each interval. */
const BURST = 20
const INTERVAL: Nanos = SECOND / 2

/** What is kept of the newest lines, and how much of a long one. */
const RECENT_LINES = 100
const RECENT_COLUMNS = 400

/** Syslog's priorities: journald takes them from a line's start, "<4>". */
const PRIORITIES: Readonly<Record<Level, number>> = { error: 3, warn: 4, info: 6, debug: 7 }

interface Budget {
	left: number
	filledAt: Nanos
	dropped: number
}

export interface LogOptions {
	readonly level: Level
	readonly format: Format
	readonly write: (line: string) => void
	/** The wall clock's text, for people; absent: the reader of the log adds it. */
	readonly stamp?: () => string
	/** Each line begins with its priority, as journald and syslog want it. */
	readonly priorities?: boolean
}

export class Log {
	level: Level
	format: Format
	readonly #options: LogOptions
	/** Only events named in this program, so a few. */
	readonly #budgets = new Map<string, Budget>()
	readonly #recent: string[] = []

	constructor(options: LogOptions) {
		this.#options = options
		this.level = options.level
		this.format = options.format
	}

	/** The newest lines, the oldest first. */
	get recent(): readonly string[] {
		return this.#recent
	}

	/** From now on so. */
	change(options: Pick<LogOptions, 'level' | 'format'>): void {
		this.level = options.level
		this.format = options.format
	}

	/** Something that only the owner or this machine causes. */
	say(level: Level, event: string, fields: Fields = {}): void {
		if (!this.#passes(level)) return
		const { write, stamp, priorities } = this.#options
		const time = stamp === undefined ? {} : { time: stamp() }
		const line = this.format === 'json' ? JSON.stringify({ ...time, level, event, ...fields })
			: [...Object.values(time), level, event, ...pairs(fields)].join(' ')
		this.#recent.push(line.slice(0, RECENT_COLUMNS))
		if (this.#recent.length > RECENT_LINES) this.#recent.shift()
		write(priorities === true ? `<${PRIORITIES[level]}>${line}` : line)
	}

	/** Something that a stranger can cause as often as he likes. */
	limited(level: Level, event: string, now: Nanos, fields: Fields = {}): void {
		if (!this.#passes(level)) return
		const budget = this.#budgets.get(event) ?? { left: BURST, filledAt: now, dropped: 0 }
		this.#budgets.set(event, budget)
		const more = Math.floor((now - budget.filledAt) / INTERVAL)
		budget.left = Math.min(BURST, budget.left + more)
		budget.filledAt += more * INTERVAL
		if (budget.left === 0) {
			budget.dropped++
			return
		}
		budget.left--
		this.say(level, event, budget.dropped === 0 ? fields : { ...fields, unsaid: budget.dropped })
		budget.dropped = 0
	}

	#passes(level: Level): boolean {
		return LEVELS.indexOf(level) <= LEVELS.indexOf(this.level)
	}
}

export function stderrLog(level: Level, format: Format = 'text'): Log {
	return new Log({
		level,
		format,
		write: (line) => process.stderr.write(`${line}\n`),
		priorities: isJournal(process.env['JOURNAL_STREAM'], process.stderr.fd),
	})
}

/** Whether fd is the stream that journald gave us: "device:inode". It may have been redirected. */
export function isJournal(stream: string | undefined, fd: number): boolean {
	if (stream === undefined) return false
	try {
		const { dev, ino } = fstatSync(fd, { bigint: true })
		return stream === `${dev}:${ino}`
	} catch {
		return false
	}
}

/** One line whatever the value holds: names come from clients' programs and from files. */
function pairs(fields: Fields): string[] {
	return Object.entries(fields).map(([key, value]) => {
		const text = String(value)
		return `${key}=${/^[\w%+,./:@-]+$/.test(text) ? text : JSON.stringify(text)}`
	})
}
