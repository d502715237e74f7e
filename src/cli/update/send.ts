// Brings an update to a console at the other end of a line, which may be noisy, slow, or gone for a
// while: each piece has its place, and after a new beginning only what is missing is sent.

import { SECOND, type Nanos } from '../../base/time.ts'
import { codeOf, Trouble } from '../../platform/trouble.ts'
import type { UpdateStatus } from '../../service/firmware/update-session.ts'
import type { Progress } from '../progress.ts'
import type { UpdateFile } from './file.ts'

/** The asking side of a console; MachineClient is one. */
export interface Asker {
	ask(
		cmd: string, fields?: Readonly<Record<string, unknown>>,
		options?: { readonly patience?: Nanos },
	): Promise<unknown>
}

export interface Line {
	readonly client: Asker
	/** It ended under our hands; another one may be opened. */
	readonly isOver: boolean
	close(): void
}

export interface SendOptions {
	/** Opens the line, and logs in where that is needed. */
	open(): Promise<Line>
	/** Of one piece: what fits the line. */
	readonly pieceBytes: number
	/** It is tried at once. */
	readonly start: boolean
	pause(nanos: Nanos): Promise<void>
	/** Words about lost lines. */
	say(text: string): void
}

/** Lines that may be lost in a row, with growing pauses between them: two minutes. */
const LINES_MAX = 8
const PAUSE: Nanos = SECOND
const PAUSE_MAX: Nanos = 20 * SECOND
/** The installer reads everything back before it says yes. */
const CHECKS_MAX = 300
/** It may be started again, or wait for the medium. */
const PATIENCE: Nanos = 15 * SECOND

export async function sendUpdate(
	file: UpdateFile, progress: Progress, options: SendOptions,
): Promise<UpdateStatus> {
	let farthest = -1
	for (let lost = 0; ;) {
		let line: Line | undefined
		const sending = new Sending(file, progress, options)
		try {
			line = await options.open()
			return await sending.run(line.client)
		} catch (error) {
			if (sending.at > farthest) lost = 0
			farthest = Math.max(farthest, sending.at)
			// What the device refuses stays refused. Who never answered is not waited for.
			const isLost = line === undefined || line.isOver || codeOf(error) === 'ETIMEDOUT'
			const isHopeless = !isLost || farthest < 0 || ++lost > LINES_MAX
			if (isHopeless || !(error instanceof Trouble)) throw error
			progress.clear()
			options.say(`the line was lost: ${error.message}; trying again`)
			await options.pause(Math.min(PAUSE * 2 ** lost, PAUSE_MAX))
		} finally {
			line?.close()
		}
	}
}

class Sending {
	/** Where the device is; -1: it has not answered. */
	at = -1
	readonly #file: UpdateFile
	readonly #progress: Progress
	readonly #o: SendOptions

	constructor(file: UpdateFile, progress: Progress, options: SendOptions) {
		this.#file = file
		this.#progress = progress
		this.#o = options
	}

	async run(client: Asker): Promise<UpdateStatus> {
		const manifest = this.#file.manifest()
		let status = await this.#ask(client, 'update-begin', { manifest })
		if (status.state !== 'installed') {
			this.#progress.begin('send', status.totalBytes, status.at)
			while (status.at < status.totalBytes) {
				status = await this.#send(client, status)
				this.#progress.at(status.at)
			}
		}
		for (let i = 0; i < CHECKS_MAX; i++) {
			status = await this.#ask(client, 'update-end', { start: this.#o.start })
			if (status.state === 'installed') return status
		}
		throw new Trouble('install', 'the update', 'the device does not come to an end')
	}

	async #send(client: Asker, { at }: UpdateStatus): Promise<UpdateStatus> {
		const piece = this.#file.read(at, this.#o.pieceBytes)
		if (piece.length === 0) {
			throw new Trouble('send', this.#file.name, 'it is shorter than its manifest says')
		}
		const data = Buffer.from(piece).toString('base64')
		return await this.#ask(client, 'update-data', { at, data })
	}

	async #ask(
		client: Asker, cmd: string, fields: Readonly<Record<string, unknown>>,
	): Promise<UpdateStatus> {
		const status = await client.ask(cmd, fields, { patience: PATIENCE }) as UpdateStatus
		this.at = Math.max(this.at, status.at)
		return status
	}
}
