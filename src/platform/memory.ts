// Memory for packet slots, from the platform that will hand it to system calls.

import type { Bytes } from '../base/bytes.ts'

export interface Memory {
	allocate(bytes: number): Bytes
	/** Given back for the next one who asks for as much; no part of it may be used any more. */
	release(memory: Bytes): void
}

export const PLAIN_MEMORY: Memory = {
	allocate: (bytes) => new Uint8Array(bytes),
	release: () => {},
}
