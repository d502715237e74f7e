// An update that comes in over a console, piece by piece: this process checks the manifest, counts
// the bytes and carries them to the installer, which has the rights and checks everything anew. Who
// lost the line begins again and is told how far it was.

import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { causeOf, codeOf, Trouble } from '../../platform/trouble.ts'
import { Refusal, type Command, type Request } from '../control-commands.ts'
import { askSupervisor } from '../supervisor.ts'
import { deviceHere, KEY_FILE, placeOf, readUpdateKey } from './device-place.ts'
import { checkManifest } from './install.ts'
import { MANIFEST_BYTES_MAX, sumOf, type Manifest } from './manifest.ts'

/** The process that installs, as two pipes: the update in, a line of JSON for each event out. */
export interface InstallerPipes {
	readonly input: Writable
	readonly output: Readable
	close(): void
}

export interface UpdateSessionOptions {
	/** Throws Trouble when the update cannot be for this device. */
	check(manifest: string): Manifest
	open(): Promise<InstallerPipes>
	/** The installed one is tried now. */
	start(part: 'slot' | 'application'): void
}

export type UpdateState = 'none' | 'receiving' | 'checking' | 'installed' | 'failed'

export interface UpdateStatus {
	readonly state: UpdateState
	/** Bytes of the parts that are here; send from there on. */
	readonly at: number
	readonly totalBytes: number
	readonly version?: string
	readonly part?: 'slot' | 'application'
	readonly error?: string
}

/** Base64 of one request; a machine line has 16,384 characters. */
const DATA_MAX = 14_000
/** What update-end waits for the installer before it answers that it is not ready. */
const END_MS = 2000
/** Nobody has sent anything for so long: the installer is let go. */
const IDLE_MS = 600_000

export function sessionCommands(options: UpdateSessionOptions = OF_DEVICE): Map<string, Command> {
	let transfer: Transfer | undefined
	const running = (): Transfer => {
		if (transfer !== undefined) return transfer
		throw new Refusal('no update has begun: update-begin')
	}
	return new Map<string, Command>([
		['update-begin', async ({ manifest }) => {
			const text = textOf(manifest)
			if (transfer?.resumes(text) !== true) {
				transfer?.close('another update has begun')
				transfer = undefined
				transfer = await begin(text, options)
			}
			return transfer.status
		}],
		['update-data', (request) => running().take(request)],
		['update-end', async ({ start }) => {
			const status = await running().end()
			if (start === true && status.state === 'installed') options.start(status.part!)
			return status
		}],
		['update-status', () => transfer?.status ?? { state: 'none', at: 0, totalBytes: 0 }],
	])
}

function textOf(manifest: unknown): string {
	if (typeof manifest === 'string' && manifest.length <= MANIFEST_BYTES_MAX) return manifest
	throw new Refusal('manifest: the text that an update begins with')
}

async function begin(text: string, { check, open }: UpdateSessionOptions): Promise<Transfer> {
	try {
		const manifest = check(text)
		return new Transfer(text, manifest, await open())
	} catch (error) {
		if (!(error instanceof Trouble)) throw error
		throw new Refusal(error.message)
	}
}

class Transfer {
	readonly #text: string
	readonly #manifest: Manifest
	readonly #pipes: InstallerPipes
	readonly #total: number
	#at = 0
	#state: UpdateState = 'receiving'
	#error: string | undefined
	#said = ''
	#settled = (): void => undefined
	readonly #over: Promise<void>
	#idle: NodeJS.Timeout | undefined

	constructor(text: string, manifest: Manifest, pipes: InstallerPipes) {
		this.#text = text
		this.#manifest = manifest
		this.#pipes = pipes
		this.#total = sumOf(manifest)
		this.#over = new Promise((resolve) => {
			this.#settled = resolve
		})
		pipes.output.on('data', (chunk: Buffer) => this.#hear(chunk.toString('utf8')))
		pipes.output.on('close', () => this.close('the installer has ended'))
		pipes.output.on('error', () => {})
		pipes.input.on('error', (error) => this.close(`the installer is gone: ${causeOf(error)}`))
		pipes.input.write(text)
		this.#watch()
	}

	resumes(text: string): boolean {
		return text === this.#text && this.#state !== 'failed'
	}

	get status(): UpdateStatus {
		return {
			state: this.#state, at: this.#at, totalBytes: this.#total,
			version: this.#manifest.version,
			part: this.#manifest.parts[0]!.name === 'app' ? 'application' : 'slot',
			...this.#error === undefined ? {} : { error: this.#error },
		}
	}

	async take({ at, data }: Request): Promise<UpdateStatus> {
		this.#watch()
		if (this.#state === 'failed') throw new Refusal(this.#error!)
		const bytes = bytesOf(data)
		if (at !== this.#at) return this.status
		if (this.#at + bytes.length > this.#total) throw new Refusal('more than its manifest says')
		this.#at += bytes.length
		if (this.#at === this.#total) this.#state = 'checking'
		const { input } = this.#pipes
		if (!input.write(bytes)) {
			await Promise.race([new Promise((done) => void input.once('drain', done)), this.#over])
		}
		return this.status
	}

	/** Waits a little for the installer; who is told that it still checks asks again. */
	async end(): Promise<UpdateStatus> {
		this.#watch()
		if (this.#at < this.#total) throw new Refusal(`${this.#total - this.#at} bytes are missing`)
		await Promise.race([this.#over, sleep(END_MS, undefined, { ref: false })])
		if (this.#state === 'failed') throw new Refusal(this.#error!)
		return this.status
	}

	/** Gives up, unless it is done already. */
	close(why: string): void {
		if (this.#state === 'failed') return
		if (this.#state !== 'installed') this.#finish('failed', why)
	}

	#hear(text: string): void {
		const lines = (this.#said + text).split('\n')
		this.#said = lines.pop()!.slice(0, DATA_MAX)
		for (const line of lines) {
			const { event, message } = eventOf(line)
			if (event === 'installed') this.#finish('installed')
			else if (event === 'error') this.#finish('failed', message ?? 'the installer failed')
		}
	}

	#finish(state: 'installed' | 'failed', error?: string): void {
		this.#state = state
		this.#error = error
		clearTimeout(this.#idle)
		this.#settled()
		this.#pipes.close()
	}

	#watch(): void {
		clearTimeout(this.#idle)
		if (this.#state === 'installed' || this.#state === 'failed') return
		this.#idle = setTimeout(() => this.close('nothing came for ten minutes'), IDLE_MS).unref()
	}
}

function bytesOf(data: unknown): Buffer {
	const isText = typeof data === 'string' && data.length <= DATA_MAX && data.length % 4 === 0
	if (isText && /^[A-Za-z0-9+/]+={0,2}$/.test(data)) return Buffer.from(data, 'base64')
	throw new Refusal(`data: base64 of 1 to ${DATA_MAX / 4 * 3} bytes`)
}

function eventOf(line: string): { readonly event?: string, readonly message?: string } {
	try {
		return JSON.parse(line)
	} catch {
		return {}
	}
}

/** The supervisor's: it starts an installer with all rights when somebody opens them. */
const FIFO_IN = '/run/curvegate/update.in'
const FIFO_OUT = '/run/curvegate/update.out'
const OPEN_TRIES = 50
const OPEN_MS = 100

const OF_DEVICE: UpdateSessionOptions = {
	check: (text) => checkManifest(text, placeOf(deviceHere(), readUpdateKey(KEY_FILE)), false),
	open: () => openFifos(FIFO_IN, FIFO_OUT),
	start: (part) => void askSupervisor(part === 'slot' ? 'reboot' : 'restart'),
}

/** Throws Trouble when there is no installer within a few seconds. */
export async function openFifos(into: string, from: string): Promise<InstallerPipes> {
	// As a writer too, or it would seem to have ended before the installer has opened it.
	const output = openSync(from, constants.O_RDWR | constants.O_NONBLOCK)
	for (let i = 0; ; i++) {
		try {
			const input = openSync(into, constants.O_WRONLY | constants.O_NONBLOCK)
			return pipesOf(input, output)
		} catch (error) {
			// One that has just ended is started again within a second.
			if (codeOf(error) === 'ENXIO' && i < OPEN_TRIES) await sleep(OPEN_MS)
			else {
				closeSync(output)
				throw new Trouble('reach', 'the installer', causeOf(error), codeOf(error))
			}
		}
	}
}

function pipesOf(inputFd: number, outputFd: number): InstallerPipes {
	const input = new Socket({ fd: inputFd, readable: false, writable: true })
	const output = new Socket({ fd: outputFd, readable: true, writable: false })
	return {
		input, output,
		close: () => {
			input.destroy()
			output.destroy()
		},
	}
}
