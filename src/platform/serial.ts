// Serial lines: one interface, and two ways to one. `tty` is the plain stream of a terminal device,
// with stty for its settings; `serialport` the package of that name, which costs 10 MB. Both notice
// a peer that is gone, and neither waits for one. spec: firmware.md 4

import { existsSync } from 'node:fs'
import { holdersOf, holderText } from './device-holder.ts'
import { Trouble, Usage } from './trouble.ts'

export type SerialDriver = 'tty' | 'serialport'

export interface SerialOptions {
	readonly device: string
	readonly baud: number
	readonly driver: SerialDriver
	/** Borrowed for the call. */
	received(bytes: Uint8Array): void
	/** Something that waited has gone. */
	drained(): void
	/** Once: the line is no more. Never called by close. */
	closed(why: string): void
}

export interface SerialLine {
	/** What it does without. */
	readonly notes: readonly string[]
	/** Bytes that the kernel does not have yet. */
	readonly waiting: number
	write(bytes: Uint8Array): void
	close(): void
}

/** Throws Trouble: no such device, held by another process, no right to it. */
export async function openSerial(options: SerialOptions): Promise<SerialLine> {
	const { device, driver } = options
	if (!existsSync(device)) throw new Trouble('open', device, 'no such device', 'ENOENT')
	const [holder] = holdersOf(device)
	if (holder !== undefined) {
		const cure = holder.isGetty ? `; cure: systemctl disable --now serial-getty@${ttyOf(device)}`
			: ''
		throw new Trouble('open', device, `it is held by ${holderText(holder)}${cure}`, 'EBUSY')
	}
	if (driver === 'tty') return await (await import('./serial-tty.ts')).openTty(options)
	const { openPort } = await import('./serial-port.ts')
	const port = await openPort(options)
	if (port !== undefined) return port
	const { openTty } = await import('./serial-tty.ts')
	return await openTty(options, ['no package serialport here: going on with the plain tty'])
}

function ttyOf(device: string): string {
	return device.replace(/^\/dev\//, '')
}

export function readBaud(text: string): number {
	const baud = Number(text)
	if (Number.isInteger(baud) && baud >= 50 && baud <= 4_000_000) return baud
	throw new Usage(`'${text}' is no speed: a number from 50 to 4000000, usually 115200`)
}
