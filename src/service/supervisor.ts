// Words to the supervisor of an image, which alone may reboot the machine or empty its data: one a
// line, into a FIFO that it reads. Elsewhere there is none, and the command says so.

import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { Trouble, causeOf, codeOf } from '../platform/trouble.ts'
import { Refusal } from './control-commands.ts'

const FIFO = '/run/curvegate/supervisor'

export type SupervisorWord = 'reboot' | 'restart' | 'factory-reset'

/** It takes effect when the supervisor reads it: at once, and after the answer has left. */
export function askSupervisor(word: SupervisorWord, fifo = FIFO): object {
	let file: number
	try {
		// Without waiting for a reader: there is one, or there is no supervisor.
		file = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK)
	} catch (error) {
		if (!['ENOENT', 'ENXIO'].includes(codeOf(error) ?? '')) {
			throw new Trouble('tell', fifo, causeOf(error), codeOf(error))
		}
		throw new Refusal(`this machine runs no Curvegate image, so '${word}' is for its own system`)
	}
	try {
		if (!fstatSync(file).isFIFO()) throw new Trouble('tell', fifo, 'is no FIFO')
		writeSync(file, `${word}\n`)
		return { doing: word }
	} finally {
		closeSync(file)
	}
}
