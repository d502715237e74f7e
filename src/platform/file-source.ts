// A plain file as a program's output: read into one buffer again and again, where a stream would
// make one for each piece.

import { read } from 'node:fs'
import type { Bytes } from '../base/bytes.ts'

const BUFFER_BYTES = 262_144

export interface FileHandlers {
	/** p[0, n) is the next piece. False: no more until resume, and until then it stays as it is. */
	take(p: Bytes, n: number): boolean
	end(): void
	failed(error: Error): void
}

export class FileSource {
	readonly #fd: number
	readonly #handlers: FileHandlers
	readonly #buffer = new Uint8Array(BUFFER_BYTES)
	#reading = false
	#paused = false
	#over = false

	constructor(fd: number, handlers: FileHandlers) {
		this.#fd = fd
		this.#handlers = handlers
	}

	pause(): void {
		this.#paused = true
	}

	resume(): void {
		this.#paused = false
		this.#next()
	}

	close(): void {
		this.#over = true
	}

	#next(): void {
		if (this.#reading || this.#paused || this.#over) return
		this.#reading = true
		read(this.#fd, this.#buffer, 0, BUFFER_BYTES, null, this.#got)
	}

	readonly #got = (error: Error | null, n: number): void => {
		this.#reading = false
		if (this.#over) return
		if (error !== null || n === 0) {
			this.#over = true
			if (error !== null) this.#handlers.failed(error)
			else this.#handlers.end()
			return
		}
		if (!this.#handlers.take(this.#buffer, n)) this.#paused = true
		this.#next()
	}
}
