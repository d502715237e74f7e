// Who may use a console: everybody who holds the cable, or who knows the password. Every wrong try
// makes the next one wait longer, whoever makes it: the gate is the device's, not the session's.

import { SECOND, type Nanos } from '../base/time.ts'
import type { Timers } from '../platform/timers.ts'
import { isPassword } from '../service/password.ts'

const WAIT_MAX: Nanos = 300 * SECOND
/** Mistypings that cost a second each, before it doubles. */
const CHEAP = 3

export type Verdict = 'right' | 'wrong' | 'locked'

export class Gate {
	readonly #timers: Timers
	#password: string | undefined
	#wrong = 0
	#openAt: Nanos = 0
	#busy = false

	/** password: its hash; undefined: none is needed. */
	constructor(password: string | undefined, timers: Timers) {
		this.#password = password
		this.#timers = timers
	}

	get needsPassword(): boolean {
		return this.#password !== undefined
	}

	/** Until the next try is looked at. */
	get waitSeconds(): number {
		return Math.max(0, Math.ceil((this.#openAt - this.#timers.now()) / SECOND))
	}

	change(password: string | undefined): void {
		this.#password = password
	}

	async test(password: string): Promise<Verdict> {
		const kept = this.#password
		if (kept === undefined) return 'right'
		if (this.#busy || this.waitSeconds > 0) return 'locked'
		this.#busy = true
		try {
			if (await isPassword(password, kept)) {
				this.#wrong = 0
				return 'right'
			}
		} finally {
			this.#busy = false
		}
		this.#wrong++
		const wait = SECOND * 2 ** Math.max(0, this.#wrong - CHEAP)
		this.#openAt = this.#timers.now() + Math.min(WAIT_MAX, wait)
		return 'wrong'
	}
}
