// A program's output as the source of a pump.

import type { Readable } from 'node:stream'
import type { Pump } from './stream.ts'

export function feed(source: Readable, pump: Pump): void {
	source.on('data', (chunk: Uint8Array) => {
		if (pump.paused) {
			// Node resumes what a program left behind as soon as it exits, whatever we asked for.
			source.pause()
			source.unshift(chunk)
		} else if (!pump.take(chunk, chunk.length, false)) {
			source.pause()
		}
	})
	source.once('end', () => pump.finish('success'))
	source.on('error', () => pump.finish('failure'))
	source.resume()
}
