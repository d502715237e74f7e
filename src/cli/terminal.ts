// A full screen in a terminal: drawn line by line, left as it was found, whatever ends it.

export interface Size {
	readonly columns: number
	readonly rows: number
}

/** The lines for a screen of this size. */
export type Draw = (size: Size) => readonly string[]

export interface Screen {
	draw(draw: Draw): void
	leave(): void
}

const ENTER = '\u001b[?1049h\u001b[?25l'
const LEAVE = '\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
const CLEAR_LINE = '\u001b[K'
const CLEAR_BELOW = '\u001b[J'

/** What leaves: q, Ctrl-C, Ctrl-D. */
const KEYS = ['q', 'Q', '\u0003', '\u0004']
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** left: somebody wants to leave; call leave then. */
export function openScreen(left: () => void): Screen {
	const { stdin, stdout } = process
	let last: Draw | undefined
	let isOpen = true
	const paint = (): void => {
		// A terminal that is slower than we are gets the next picture instead.
		if (last === undefined || stdout.writableNeedDrain) return
		// A serial line does not know its size.
		const size = { columns: stdout.columns || 80, rows: stdout.rows || 24 }
		const lines = last(size).slice(0, size.rows)
		stdout.write(`${HOME}${lines.map((line) => line + CLEAR_LINE).join('\r\n')}${CLEAR_BELOW}`)
	}
	const key = (bytes: Buffer): void => {
		if ([...bytes.toString('latin1')].some((one) => KEYS.includes(one))) left()
	}
	const leave = (): void => {
		if (!isOpen) return
		isOpen = false
		stdout.removeListener('resize', paint)
		for (const signal of SIGNALS) process.removeListener(signal, left)
		stdin.removeListener('data', key)
		stdin.pause()
		if (stdin.isTTY) stdin.setRawMode(false)
		process.removeListener('exit', leave)
		stdout.write(LEAVE)
	}
	stdout.write(ENTER)
	if (stdin.isTTY) stdin.setRawMode(true)
	if (stdin.isTTY) stdin.on('data', key)
	stdout.on('resize', paint)
	for (const signal of SIGNALS) process.on(signal, left)
	process.on('exit', leave)
	return {
		draw: (draw) => {
			last = draw
			paint()
		},
		leave,
	}
}
