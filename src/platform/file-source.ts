// A plain file as a program's output: read into one buffer again and again, where a stream would
// make one for each piece. Read here and now: what the page cache holds is a copy away, while a
// thread of the pool costs two switches for each piece, on the core that seals the packets.

import { readSync } from 'node:fs'
import type { Bytes } from '../base/bytes.ts'

/** Stays in the processor's cache until it is copied on. */
const BUFFER_BYTES = 65_536

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
	#paused = true
	#over = false

	constructor(fd: number, handlers: FileHandlers) {
		this.#fd = fd
		this.#handlers = handlers
	}

	pause(): void {
		this.#paused = true
	}

	/** May call take, end or failed before it returns. */
	resume(): void {
		if (!this.#paused) return
		this.#paused = false
		while (!this.#paused && !this.#over) this.#next()
	}

	close(): void {
		this.#over = true
	}

	#next(): void {
		let n = 0
		try {
			n = readSync(this.#fd, this.#buffer)
		} catch (error) {
			this.#over = true
			this.#handlers.failed(error as Error)
			return
		}
		if (n === 0) {
			this.#over = true
			this.#handlers.end()
		} else if (!this.#handlers.take(this.#buffer, n)) {
			this.#paused = true
		}
	}
}
