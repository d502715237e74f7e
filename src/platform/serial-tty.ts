// A serial line as the plain stream of its device. libuv watches it without a thread, so a line
// that hangs up ends at once; speed and form are set by the system's own stty.

import { execFile } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { isatty, ReadStream } from 'node:tty'
import { promisify } from 'node:util'
import type { SerialLine, SerialOptions } from './serial.ts'
import { causeOf, Trouble, troubleOf } from './trouble.ts'

/** Eight bits, no parity, no lines of a modem, nothing changed on the way. */
const SETTINGS = ['raw', '-echo', '-echoe', '-echok', '-parenb', 'cs8', '-cstopb', 'clocal',
	'cread', '-crtscts', '-ixon', '-ixoff', '-hupcl', '-iexten']
const STTY_MS = 5000

export async function openTty(
	options: SerialOptions, notes: readonly string[] = [],
): Promise<SerialLine> {
	const { device, baud } = options
	const note = await set(device, baud)
	// Neither waits for a carrier nor takes the device as our terminal.
	const flags = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK
	let file: number
	try {
		file = openSync(device, flags)
	} catch (error) {
		throw troubleOf('open', device, error)
	}
	if (!isatty(file)) {
		closeSync(file)
		throw new Trouble('open', device, 'it is no serial line')
	}
	const all = note === undefined ? notes : [...notes, note]
	return new TtyLine(new ReadStream(file), options, all)
}

/** What went wrong, in words: the line may do all the same. */
async function set(device: string, baud: number): Promise<string | undefined> {
	try {
		const words = ['-F', device, String(baud), ...SETTINGS]
		await promisify(execFile)('stty', words, { timeout: STTY_MS })
		return undefined
	} catch (error) {
		const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
		return `stty could not set ${device} to ${baud} baud: ${said || causeOf(error)}`
	}
}

class TtyLine implements SerialLine {
	readonly notes: readonly string[]
	readonly #stream: ReadStream
	readonly #drained: () => void

	constructor(stream: ReadStream, options: SerialOptions, notes: readonly string[]) {
		this.notes = notes
		this.#stream = stream
		// stty may be missing; this at least is no line-wise terminal then.
		if (notes.length > 0) stream.setRawMode(true)
		let why = 'it has hung up'
		stream.on('data', options.received)
		stream.on('error', (error) => {
			why = causeOf(error)
		})
		stream.once('close', () => options.closed(why))
		this.#drained = options.drained
	}

	get waiting(): number {
		return this.#stream.writableLength
	}

	write(bytes: Uint8Array): void {
		if (!this.#stream.destroyed) this.#stream.write(bytes, this.#drained)
	}

	close(): void {
		this.#stream.removeAllListeners('close')
		this.#stream.destroy()
	}
}
