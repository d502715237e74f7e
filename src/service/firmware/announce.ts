// What a box says on its serial line by itself: what is wrong, and at its first start its address,
// as text and as a QR code.

import { writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../platform/trouble.ts'
import type { Log } from '../log.ts'
import { drawBlocks, modulesOf } from '../qr.ts'
import type { Run } from '../run.ts'
import { servedNames } from '../served.ts'

/** Whoever gives addresses here may be slow; without one the key is all there is to say. */
const TRIES = 40
const BETWEEN_MS = 500

/** Lines of a note beyond the first stand under it. */
export function warnOnLine(run: Run, log: Log, notes: readonly string[]): void {
	if (notes.length === 0) return
	const lines = notes.flatMap((note) => `ATTENTION: ${note}`.split('\n'))
	write(run, log, ['', ...lines])
}

export async function announce(run: Run, log: Log): Promise<void> {
	for (let i = 0; i < TRIES && !hasAddress(); i++) await sleep(BETWEEN_MS)
	const served = servedNames(run)
	const first = served[0]
	if (first === undefined) return
	const modules = await modulesOf(first.address)
	write(run, log, [
		'', 'This is its first start. Its address:', ...served.map(({ address }) => address),
		// Terminals write light on dark: there the light modules are the drawn ones.
		...drawBlocks(modules.map((row) => row.map((dark) => !dark))).split('\n'), '',
	])
}

function write({ config }: Run, log: Log, lines: readonly string[]): void {
	if (config.console === undefined) return
	try {
		writeFileSync(config.console.device, lines.map((line) => `${line}\r\n`).join(''))
	} catch (error) {
		log.say('warn', 'not-announced', { cause: messageOf(error) })
	}
}

function hasAddress(): boolean {
	return Object.values(networkInterfaces()).some((list) =>
		list?.some(({ family, internal }) => family === 'IPv4' && !internal) === true)
}
