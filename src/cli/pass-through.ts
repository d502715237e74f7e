// This terminal, joined to a console as it is: keys go there, what comes is shown. Ctrl-] leaves. A
// serial line that is unplugged is awaited.

import { setTimeout as pause } from 'node:timers/promises'
import { causeOf, EXIT_DONE, EXIT_TROUBLE, Trouble } from '../platform/trouble.ts'
import type { Closed, Wire } from './console-wire.ts'

export type OpenWire = (received: (bytes: Uint8Array) => void, closed: Closed) => Promise<Wire>

/** Ctrl-], as telnet has it. */
const LEAVE = 0x1d
const AGAIN_MILLIS = 1000
/** Without a terminal: the answer to the last line is over when so long nothing came. */
const QUIET_MILLIS = 1000

/** Returns the exit code; throws Trouble when the console cannot be reached at first. */
export async function passThrough(open: OpenWire): Promise<number> {
	const { stdin, stdout, stderr } = process
	const isTerminal = stdin.isTTY === true
	let wire: Wire | undefined
	let leave: (code: number) => void = () => undefined
	let heardAt = performance.now()
	const left = new Promise<number>((resolve) => {
		leave = resolve
	})
	const received = (bytes: Uint8Array): void => {
		heardAt = performance.now()
		stdout.write(bytes)
	}
	const closed: Closed = (why) => {
		const again = wire?.isSerial === true && isTerminal
		wire = undefined
		if (why !== undefined) stderr.write(`\r\ncurvegate console: ${why}\r\n`)
		if (again) void comeAgain()
		else leave(why === undefined ? EXIT_DONE : EXIT_TROUBLE)
	}
	const comeAgain = async (): Promise<void> => {
		stderr.write('waiting until it is there again; Ctrl-] leaves\r\n')
		while (wire === undefined) {
			await pause(AGAIN_MILLIS)
			wire = await open(received, closed).catch((error: unknown) => {
				if (error instanceof Trouble) return undefined
				throw error
			})
		}
	}
	wire = await open(received, closed)
	if (isTerminal) {
		stderr.write('Ctrl-] leaves\r\n')
		if (!wire.isSerial) wire.write(encode(`terminal ${stdout.columns} ${stdout.rows}\r`))
		stdin.setRawMode(true)
	}
	stdin.on('data', (bytes: Buffer) => {
		const at = isTerminal ? bytes.indexOf(LEAVE) : -1
		wire?.write(at < 0 ? bytes : bytes.subarray(0, at))
		if (at >= 0) leave(EXIT_DONE)
	})
	stdin.once('end', () => {
		if (wire?.endInput !== undefined) wire.endInput()
		else void quiet(() => heardAt).then(() => leave(EXIT_DONE))
	})
	try {
		return await left
	} catch (error) {
		throw new Trouble('go on', 'the console', causeOf(error))
	} finally {
		wire?.close()
		if (isTerminal) stdin.setRawMode(false)
		stdin.destroy()
	}
}

async function quiet(heardAt: () => number): Promise<void> {
	const began = performance.now()
	while (performance.now() - Math.max(began, heardAt()) < QUIET_MILLIS) await pause(20)
}

function encode(text: string): Uint8Array {
	return new TextEncoder().encode(text)
}
