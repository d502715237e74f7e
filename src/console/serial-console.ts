// The console on a serial line: opens the device, holds one session on it, and opens it again when
// it was pulled out. While it cannot be had, the reason is logged once, and tried again.

import { SECOND, type Nanos } from '../base/time.ts'
import type { openSerial, SerialLine } from '../platform/serial.ts'
import { causeOf, Trouble } from '../platform/trouble.ts'
import type { Config, ConsoleConfig } from '../service/config.ts'
import type { Part } from '../service/run.ts'
import { Gate } from './gate.ts'
import type { Host, SessionOptions } from './host.ts'
import type { Session } from './session.ts'

export type OpenSerial = typeof openSerial

const RETRY_FIRST: Nanos = SECOND
const RETRY_MAX: Nanos = 10 * SECOND

export class SerialConsole implements Part {
	readonly name = 'console'
	readonly #host: Host
	readonly #gate: Gate
	/** A test brings its own; loaded when there is something to open. */
	readonly #openSerial: OpenSerial | undefined
	#config: ConsoleConfig | undefined
	#line: SerialLine | undefined
	#session: Session | undefined
	/** Counts openings: what was begun before belongs to nobody. */
	#turn = 0
	#retry: Nanos = RETRY_FIRST
	#trouble: string | undefined
	#forget = (): void => undefined

	constructor(config: ConsoleConfig | undefined, host: Host, open?: OpenSerial) {
		this.#config = config
		this.#host = host
		this.#openSerial = open
		this.#gate = new Gate(config?.password, host.timers)
		void this.#open()
	}

	reload({ console: config }: Config): void {
		const before = this.#config
		this.#config = config
		this.#gate.change(config?.password)
		const same = before?.device === config?.device && before?.baud === config?.baud
			&& before?.driver === config?.driver
		if (same) return
		// What was typed last may still have to be answered.
		this.#forget()
		this.#forget = this.#host.timers.after(SECOND / 4, () => {
			this.#close()
			void this.#open()
		})
	}

	status(): object {
		const { device } = this.#config ?? {}
		return { device, open: this.#line !== undefined, trouble: this.#trouble ?? null }
	}

	stop(): void {
		this.#config = undefined
		this.#close()
	}

	#close(): void {
		this.#turn++
		this.#forget()
		this.#session?.close()
		this.#session = undefined
		this.#line?.close()
		this.#line = undefined
	}

	async #open(): Promise<void> {
		const config = this.#config
		if (config === undefined) return
		const turn = ++this.#turn
		const { device, baud, driver } = config
		const { log } = this.#host
		try {
			const open = this.#openSerial ?? (await import('../platform/serial.ts')).openSerial
			const { Session } = await import('./session.ts')
			const line = await open({
				device, baud, driver,
				received: (bytes) => this.#session?.receive(bytes),
				drained: () => this.#session?.drained(),
				closed: (why) => {
					if (turn === this.#turn) this.#lost(why)
				},
			})
			if (turn !== this.#turn) return line.close()
			for (const note of line.notes) log.say('warn', 'note', { note })
			log.say('info', 'console', { device, baud, driver })
			this.#trouble = undefined
			this.#retry = RETRY_FIRST
			this.#line = line
			this.#session = new Session(this.#options(line, config))
			this.#session.greet()
		} catch (error) {
			if (turn !== this.#turn) return
			this.#fail(error instanceof Trouble ? error.message : causeOf(error))
		}
	}

	#options(line: SerialLine, { device, idle }: ConsoleConfig): SessionOptions {
		const encoder = new TextEncoder()
		const host = this.#host
		return {
			outlet: {
				get waiting() {
					return line.waiting
				},
				write: (text) => line.write(encoder.encode(text)),
			},
			...host, gate: this.#gate, where: device, idle, terminal: true,
			greeting: () => [...host.greeting(), this.#policy()],
			ended: () => undefined,
		}
	}

	#policy(): string {
		return this.#gate.needsPassword ? 'help lists the commands, once you have logged in'
			: 'No password is set: whoever holds this cable is the operator. help lists the commands.'
	}

	#lost(why: string): void {
		this.#session?.close()
		this.#session = undefined
		this.#line = undefined
		this.#fail(why)
	}

	#fail(cause: string): void {
		const { log, timers } = this.#host
		const device = this.#config?.device ?? ''
		if (cause !== this.#trouble) {
			log.say('warn', 'no-console', { device, cause, doing: 'trying again' })
		}
		this.#trouble = cause
		this.#forget = timers.after(this.#retry, () => void this.#open())
		this.#retry = Math.min(RETRY_MAX, 2 * this.#retry)
	}
}
