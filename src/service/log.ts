// The log: one event a line on stderr. An event that strangers can cause has a name of its own in
// the rate limiter: what is too much is counted, and said with the next line that passes.

import { SECOND, type Nanos } from '../base/time.ts'

export type Level = 'error' | 'warn' | 'info' | 'debug'
export type Fields = Readonly<Record<string, string | number>>

const LEVELS: readonly Level[] = ['error', 'warn', 'info', 'debug']

/** Lines of one limited event: so many at once, then one for each interval. */
const BURST = 20
const INTERVAL: Nanos = SECOND / 2

interface Budget {
	left: number
	filledAt: Nanos
	dropped: number
}

export interface LogOptions {
	readonly level: Level
	readonly format: 'text' | 'json'
	readonly write: (line: string) => void
	/** The wall clock's text, for people; absent: the reader of the log adds it. */
	readonly stamp?: () => string
}

export class Log {
	#options: LogOptions
	#most: number
	/** Only events named in this program, so a few. */
	readonly #budgets = new Map<string, Budget>()

	constructor(options: LogOptions) {
		this.#options = options
		this.#most = LEVELS.indexOf(options.level)
	}

	/** From now on so. */
	change(options: Pick<LogOptions, 'level' | 'format'>): void {
		this.#options = { ...this.#options, ...options }
		this.#most = LEVELS.indexOf(options.level)
	}

	/** Something that only the owner or this machine causes. */
	say(level: Level, event: string, fields: Fields = {}): void {
		if (LEVELS.indexOf(level) > this.#most) return
		const { format, write, stamp } = this.#options
		const time = stamp === undefined ? {} : { time: stamp() }
		if (format === 'json') write(JSON.stringify({ ...time, level, event, ...fields }))
		else write([...Object.values(time), level, event, ...pairs(fields)].join(' '))
	}

	/** Something that a stranger can cause as often as he likes. */
	limited(level: Level, event: string, now: Nanos, fields: Fields = {}): void {
		if (LEVELS.indexOf(level) > this.#most) return
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
}

export function stderrLog(level: Level, format: 'text' | 'json' = 'text'): Log {
	return new Log({
		level,
		format,
		write: (line) => process.stderr.write(`${line}\n`),
	})
}

/** One line whatever the value holds: names come from clients' programs and from files. */
function pairs(fields: Fields): string[] {
	return Object.entries(fields).map(([key, value]) => {
		const text = String(value)
		return `${key}=${/^[\w%+,./:@-]+$/.test(text) ? text : JSON.stringify(text)}`
	})
}
