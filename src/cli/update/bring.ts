// curvegate update --over and --serial: the way to the device's console, and what is said.

import { setTimeout as sleep } from 'node:timers/promises'
import { MILLISECOND } from '../../base/time.ts'
import { MachineClient } from '../../console/machine-client.ts'
import { EXIT_DONE, Trouble, troubleOf } from '../../platform/trouble.ts'
import type { Arguments } from '../arguments.ts'
import { openWire, type Wire } from '../console-wire.ts'
import { printLine } from '../output.ts'
import type { Progress } from '../progress.ts'
import { passwordOf } from '../secret.ts'
import type { UpdateFile } from './file.ts'
import { sendUpdate, type Line } from './send.ts'

/** A fifth of a second at 115,200 baud: what noise costs when it hits a piece. */
const SERIAL_PIECE_BYTES = 1500
/** As much as a line of the console holds. */
const PIECE_BYTES = 10_500

export async function bring(
	args: Arguments, file: UpdateFile, progress: Progress,
): Promise<number> {
	const password = passwordOf(args)
	const serial = args.text('serial')
	const status = await sendUpdate(file, progress, {
		open: async () => await openLine(args, serial ?? args.text('over')!, password),
		pieceBytes: serial === undefined ? PIECE_BYTES : SERIAL_PIECE_BYTES,
		start: args.has('reboot'),
		pause: async (nanos) => await sleep(nanos / MILLISECOND),
		say: (text) => process.stderr.write(`curvegate update: ${text}\n`),
	})
	progress.clear()
	const { version, part } = status
	if (args.has('json')) printLine(JSON.stringify({ event: 'installed', version, part }))
	else {
		const next = args.has('reboot') ? 'tried now' : 'tried once after its next start'
		printLine(`${part} ${version}: installed there, ${next}`)
	}
	return EXIT_DONE
}

async function openLine(
	args: Arguments, where: string, password: string | undefined,
): Promise<Line> {
	let wire: Wire | undefined
	let isOver = false
	const client = new MachineClient('the console', (bytes) => wire?.write(bytes))
	try {
		wire = await openWire(args, where, (bytes) => client.received(bytes), (why) => {
			isOver = true
			client.closed(why ?? 'it has logged off')
		})
		if (password !== undefined) await client.ask('login', { password })
	} catch (error) {
		wire?.close()
		if (error instanceof Trouble) throw error
		throw troubleOf('reach', where, error)
	}
	const open = wire
	return {
		client, close: () => open.close(),
		get isOver() {
			return isOver
		},
	}
}
