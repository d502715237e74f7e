// A serial cable of a test: two pseudo-terminals that socat joins. Pulling it hangs both ends up,
// as a USB adapter does that is unplugged.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openSerial, type SerialLine } from '../../src/platform/serial.ts'
import { makeFolder, start, until, type Owner, type Started } from './processes.ts'

export class Cable {
	/** The board's end, and the host's. */
	readonly device: string
	readonly host: string
	readonly #owner: Owner
	#socat: Started | undefined

	constructor(owner: Owner) {
		this.#owner = owner
		const folder = makeFolder(owner)
		this.device = join(folder, 'device')
		this.host = join(folder, 'host')
	}

	async plug(): Promise<void> {
		const end = (link: string): string => `pty,raw,echo=0,link=${link}`
		const socat = start(this.#owner, 'socat', [end(this.device), end(this.host)])
		await socat.until(() => existsSync(this.device) && existsSync(this.host), 'the links')
		this.#socat = socat
	}

	/** Nothing passes any more, and nobody is told. */
	hold(): void {
		this.#socat?.signal('SIGSTOP')
	}

	async pull(): Promise<void> {
		this.#socat?.signal('SIGCONT')
		await this.#socat?.stop()
	}
}

/** The host's end, read and written by the test. */
export class HostEnd {
	text = ''
	hungUp = false
	#line: SerialLine | undefined

	static async open(owner: Owner, cable: Cable): Promise<HostEnd> {
		const end = new HostEnd()
		end.#line = await openSerial({
			device: cable.host, baud: 115_200, driver: 'tty',
			received: (bytes) => {
				end.text += Buffer.from(bytes).toString()
			},
			drained: () => undefined,
			closed: () => {
				end.hungUp = true
			},
		})
		owner.teardown(() => end.#line?.close())
		return end
	}

	write(bytes: string | Uint8Array): void {
		this.#line?.write(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes)
	}

	/** Waits for what comes; returns all until then and forgets it. */
	async until(pattern: RegExp): Promise<string> {
		await until(() => pattern.test(this.text), String(pattern)).catch((error: unknown) => {
			throw new Error(`${String(error)}, found ${JSON.stringify(this.text)}`)
		})
		const { text } = this
		this.text = ''
		return text
	}
}
