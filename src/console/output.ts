// What a session says, on a line that may be slow or stuck: it waits here, a bounded amount is with
// the outlet, and the rest follows when that has gone. Long answers stop after each page.

/** Where the bytes of a session go. */
export interface Outlet {
	/** Bytes that it has not passed on yet. */
	readonly waiting: number
	/** Takes all of it. */
	write(text: string): void
}

/** With the outlet at once: a third of a second at 115,200 baud. */
const WAITING_MAX = 4096
const PIECE = 1024
/** Echo on a line that is stuck would only grow. */
const ECHO_MAX = 4 * WAITING_MAX

export const MORE = '-- more: space, enter, q --'

export class Output {
	columns = 80
	rows = 24
	readonly #outlet: Outlet
	#queue: string[] = []
	#queued = 0
	/** Lines of later pages. */
	#pages: string[] = []
	#isMoreShown = false
	#whenEmpty: (() => void)[] = []

	constructor(outlet: Outlet) {
		this.#outlet = outlet
	}

	get isPaging(): boolean {
		return this.#pages.length > 0
	}

	/** Made of any length. */
	write(text: string): void {
		if (text === '') return
		this.#queue.push(text)
		this.#queued += text.length
		this.drain()
	}

	/** What may be lost when the line is stuck. */
	echo(text: string): void {
		if (this.#queued + this.#outlet.waiting < ECHO_MAX) this.write(text)
	}

	line(text: string): void {
		this.write(`${text}\r\n`)
	}

	/** paged: stops when the terminal is full; true: it has. */
	lines(lines: readonly string[], paged: boolean): boolean {
		if (!paged) {
			for (const line of lines) this.line(line)
			return false
		}
		this.#pages = [...lines]
		return this.more(this.rows - 1)
	}

	/** The next so many rows; true: there is more. */
	more(rows: number): boolean {
		this.#eraseMore()
		let left = rows
		while (this.#pages.length > 0) {
			const line = this.#pages[0]!
			const needs = Math.max(1, Math.ceil([...line].length / this.columns))
			if (needs > left && left < rows) break
			this.line(line)
			this.#pages.shift()
			left -= needs
			if (left <= 0) break
		}
		if (!this.isPaging) return false
		this.#isMoreShown = true
		this.write(MORE)
		return true
	}

	stopPaging(): void {
		this.#pages = []
		this.#eraseMore()
	}

	#eraseMore(): void {
		if (this.#isMoreShown) this.write(`\r${' '.repeat(MORE.length)}\r`)
		this.#isMoreShown = false
	}

	/** Resolves when all is with the outlet. */
	async empty(): Promise<void> {
		if (this.#queue.length === 0) return
		await new Promise<void>((resolve) => this.#whenEmpty.push(resolve))
	}

	/** The outlet has room again. */
	drain(): void {
		while (this.#queue.length > 0 && this.#outlet.waiting < WAITING_MAX) {
			const text = this.#queue[0]!
			const piece = text.slice(0, PIECE)
			if (piece.length === text.length) this.#queue.shift()
			else this.#queue[0] = text.slice(PIECE)
			this.#queued -= piece.length
			this.#outlet.write(piece)
		}
		if (this.#queue.length > 0) return
		const waiting = this.#whenEmpty
		this.#whenEmpty = []
		for (const done of waiting) done()
	}

	/** Nobody reads any more. */
	close(): void {
		this.#queue = []
		this.#queued = 0
		this.#pages = []
		this.#isMoreShown = false
		this.drain()
	}
}
