// curvegate run --firmware: what an image's supervisor types. The service comes up whatever is
// wrong: with the owner's configuration, or, when the world refuses that, with one that needs
// nothing.

import { setTimeout as sleep } from 'node:timers/promises'
import { EXIT_TROUBLE, Trouble, Usage } from '../platform/trouble.ts'
import type { Config } from '../service/config.ts'
import { Life } from '../service/firmware/alive.ts'
import { readDevice } from '../service/firmware/device.ts'
import { defaultConfigOf } from '../service/firmware/kept-config.ts'
import { prepare } from '../service/firmware/prepare.ts'
import type { Arguments } from './arguments.ts'
import { runConfig } from './running.ts'

/** An address may come late, and so may an adapter on the USB. */
const ATTEMPTS = 6
const BETWEEN_MS = 2000

export async function runFirmware(args: Arguments, file: string): Promise<number> {
	const device = readDevice()
	if (device === undefined) {
		throw new Usage('--firmware: this machine runs no Curvegate image; run without it')
	}
	const prepared = await prepare(device, file)
	let refusal: string | undefined
	for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (attempt > 0) await sleep(BETWEEN_MS)
		const code = await attemptRun(prepared.config, prepared.isOwn, prepared.notes)
		if (typeof code === 'number') return code
		refusal = code
	}
	if (prepared.trials.left?.isOver === false) {
		// The next start is without them.
		prepared.trials.fail(refusal ?? '')
		process.stderr.write(`curvegate run: fatal: the changes on trial: ${refusal}\n`)
		return EXIT_TROUBLE
	}
	const config = await defaultConfigOf(file, device.board, prepared.options)
	const notes = [...prepared.notes,
		`the configuration cannot be run: ${refusal}; only its console and a page are served`]
	const code = await attemptRun(prepared.complete(config), false, notes)
	if (typeof code === 'number') return code
	process.stderr.write(`curvegate run: fatal: ${code}\n`)
	return EXIT_TROUBLE

	/** A text: why it could not start. */
	async function attemptRun(
		config: Config, isOwn: boolean, notes: readonly string[],
	): Promise<number | string> {
		let isStarted = false
		try {
			return await runConfig('run', args, config, prepared, (run, { commands }, log) => {
				isStarted = true
				for (const note of notes) log.say('warn', 'device', { note })
				const answered = async (): Promise<void> => {
					if (!prepared.isFirst && notes.length === 0) return
					const { announce, warnOnLine } = await import('../service/firmware/announce.ts')
					warnOnLine(run, log, notes)
					if (prepared.isFirst) await announce(run, log)
				}
				run.parts.push(new Life({ device: device!, commands, file, isOwn, log, answered }))
			})
		} catch (error) {
			if (isStarted || !(error instanceof Trouble || error instanceof Usage)) throw error
			return error.message
		}
	}
}
