// How far a long piece of work is: a bar in a terminal, lines of JSON for everybody else.

import type { Writable } from 'node:stream'
import { amount, gauge, span } from '../service/quantity-text.ts'

export interface ProgressOptions {
	readonly out: Writable & { readonly isTTY?: boolean, readonly columns?: number }
	/** Milliseconds, of any origin. */
	readonly clock: () => number
	/** Lines of JSON, whatever out is. */
	readonly json: boolean
}

/** A terminal sees changes at once, a file one a second. */
const BAR_MS = 100
const LINE_MS = 1000
const BAR_CELLS = 16
/** The rate is that of so many milliseconds, at most. */
const RATE_MS = 5000

export class Progress {
	readonly #o: ProgressOptions
	readonly #lines: boolean
	#phase = ''
	#total = 0
	/** Where the rate is measured from. */
	#marks: { at: number, bytes: number }[] = []
	#shownAt = -Infinity
	#drawn = false

	constructor(options: ProgressOptions) {
		this.#o = options
		this.#lines = options.json || options.out.isTTY !== true
	}

	/** from: of a transfer that is resumed. */
	begin(phase: string, total: number, from = 0): void {
		this.clear()
		this.#phase = phase
		this.#total = total
		this.#marks = [{ at: this.#o.clock(), bytes: from }]
		this.#shownAt = -Infinity
		this.at(from)
	}

	at(bytes: number): void {
		const now = this.#o.clock()
		const isLast = bytes >= this.#total
		if (!isLast && now - this.#shownAt < (this.#lines ? LINE_MS : BAR_MS)) return
		this.#shownAt = now
		const rate = this.#rate(now, bytes)
		const left = rate > 0 ? (this.#total - bytes) / rate : undefined
		if (this.#lines) this.#sayLine(bytes, rate, left)
		else this.#draw(bytes, rate, left, isLast)
	}

	/** Before other output: the bar is taken away. */
	clear(): void {
		if (this.#drawn) this.#o.out.write('\r\u001b[K')
		this.#drawn = false
	}

	/** Bytes a second. */
	#rate(now: number, bytes: number): number {
		this.#marks.push({ at: now, bytes })
		while (this.#marks.length > 2 && now - this.#marks[1]!.at >= RATE_MS) this.#marks.shift()
		const first = this.#marks[0]!
		return now > first.at ? ((bytes - first.bytes) * 1000) / (now - first.at) : 0
	}

	#sayLine(bytes: number, rate: number, left: number | undefined): void {
		this.#o.out.write(`${JSON.stringify({
			event: 'progress', phase: this.#phase, bytes, totalBytes: this.#total,
			bytesPerSecond: Math.round(rate),
			...left === undefined ? {} : { etaSeconds: Math.ceil(left) },
		})}\n`)
	}

	#draw(bytes: number, rate: number, left: number | undefined, isLast: boolean): void {
		const share = this.#total === 0 ? 1 : bytes / this.#total
		const text = [
			`${this.#phase.padEnd(8)} ${gauge(share, BAR_CELLS)} ${Math.floor(share * 100)} %`,
			`${amount(bytes)} of ${amount(this.#total)}`, `${amount(rate)}/s`,
			...left === undefined || isLast ? [] : [`${span(Math.ceil(left))} left`],
		].join('  ')
		this.#o.out.write(`\r${text.slice(0, (this.#o.out.columns ?? 80) - 1)}\u001b[K`)
		this.#drawn = true
		if (!isLast) return
		this.#o.out.write('\n')
		this.#drawn = false
	}
}
