// The service's word to its supervisor, which feeds the hardware watchdog: said each time after the
// service has asked itself for its status, as a client of the control socket does, and got an
// answer. The first answer also makes the slot a good one.

import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { messageOf } from '../../platform/trouble.ts'
import { answerTo, type Commands } from '../control-commands.ts'
import type { Log } from '../log.ts'
import type { Part } from '../run.ts'
import type { Device } from './device.ts'
import { keepGood } from './kept-config.ts'
import { changeSlots, readSlots } from './slot-store.ts'
import { markGood, startOf } from './slots.ts'

const FIFO = '/run/curvegate/supervisor'
/** A quarter of the shortest watchdog of a board. */
const BEAT_MS = 4000
const QUESTION = '{"cmd":"status"}'

export interface LifeOptions {
	readonly device: Device
	/** What the control socket and the console answer with. */
	readonly commands: Commands
	/** The configuration's file. */
	readonly file: string
	/** It runs as the owner wrote it. */
	readonly isOwn: boolean
	readonly log: Log
	readonly fifo?: string
	/** After the first answer. */
	answered?(): Promise<void>
}

export class Life implements Part {
	readonly name = 'supervisor'
	readonly #o: LifeOptions
	readonly #timer: NodeJS.Timeout
	#asking = false
	#answers = 0
	/** The configuration that runs is to be kept, for a start that finds its file damaged. */
	#keep = false

	constructor(options: LifeOptions) {
		this.#o = options
		this.#timer = setInterval(() => void this.beat(), BEAT_MS)
		void this.beat()
	}

	/** The console writes the file after what it says has taken effect: the next beat keeps it. */
	reload(): void {
		this.#keep = true
	}

	status(): object {
		return { answers: this.#answers }
	}

	stop(): void {
		clearInterval(this.#timer)
	}

	get isAsking(): boolean {
		return this.#asking
	}

	async beat(): Promise<void> {
		if (this.#asking) return
		this.#asking = true
		try {
			const { commands, log } = this.#o
			const answer: { error?: string } = JSON.parse(await answerTo(QUESTION, commands, log))
			if (answer.error !== undefined) throw new Error(answer.error)
			this.#say('alive')
			if (this.#answers++ === 0) this.#settle()
			if (this.#keep) this.#keepConfig()
		} catch (error) {
			this.#o.log.say('error', 'self-test', { cause: messageOf(error) })
		} finally {
			this.#asking = false
		}
	}

	#settle(): void {
		const { isOwn, answered } = this.#o
		this.#keep = isOwn
		this.#attempt('slot-not-marked', () => this.#judgeSlot())
		void answered?.()
	}

	#keepConfig(): void {
		this.#keep = false
		const { file, log } = this.#o
		this.#attempt('configuration-not-kept', () => {
			if (keepGood(file)) log.say('info', 'configuration-kept')
		})
	}

	/** A new version that cannot read its owner's configuration has failed its trial. */
	#judgeSlot(): void {
		const { device: { slot, state, version }, isOwn, log } = this.#o
		if (slot === 'recovery') return
		const known = readSlots(state)
		const start = startOf(known, slot)
		if (start === 'trial' && !isOwn) {
			log.say('error', 'trial-failed', { slot, cause: 'the configuration was not understood' })
			this.#say('reboot')
			return
		}
		changeSlots(state, (now) => markGood(now, slot))
		if (start === 'rolled-back') log.say('error', 'rolled-back', { from: known.slot, to: slot })
		else log.say('info', 'slot-good', { slot, version, start })
	}

	#say(word: 'alive' | 'reboot'): void {
		this.#attempt('no-supervisor', () => {
			// Without waiting: who does not read must not stop the service.
			const file = openSync(this.#o.fifo ?? FIFO, constants.O_WRONLY | constants.O_NONBLOCK)
			try {
				writeSync(file, `${word}\n`)
			} finally {
				closeSync(file)
			}
		})
	}

	#attempt(event: string, what: () => void): void {
		try {
			what()
		} catch (error) {
			this.#o.log.say('error', event, { cause: messageOf(error) })
		}
	}
}
