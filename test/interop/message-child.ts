// NaCl's curvecpmessage as a child, with its message descriptors 8 and 9 in our hands, and one of
// our messengers at the other end: no keys, no network. spec: protocol.md 6.1

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { Readable, Writable } from 'node:stream'
import type { Bytes } from '../../src/base/bytes.ts'
import { PiecePool } from '../../src/base/pieces.ts'
import { RECORD_PIECE_BYTES } from '../../src/message/blocks.ts'
import type { Controller } from '../../src/message/congestion/controller.ts'
import { Cubic } from '../../src/message/congestion/cubic.ts'
import { Messenger } from '../../src/message/messenger.ts'

const tried = spawnSync('curvecpmessage', [], { stdio: 'ignore' })
export const HAVE_REFERENCE = tried.error === undefined
/** What takes longer stands still. */
const PATIENCE_MILLIS = 120_000

/** Of each direction: false means that this message is lost. */
export interface Filters {
	toReference?: (p: Bytes) => boolean
	toUs?: (p: Bytes) => boolean
}

export class MessageChild {
	readonly messenger: Messenger
	readonly child: ChildProcess
	/** Messages from the reference, in order. */
	received = 0
	exitCode: Promise<number | null>
	/** What the program printed to its own standard output or descriptor 1. */
	output = ''
	/** Called whenever something may have changed. */
	onChange: () => void = () => {}
	readonly #started = process.hrtime.bigint()
	readonly #slot = new Uint8Array(1200)
	readonly #filters: Filters
	#pending: Bytes = new Uint8Array(0)
	#timer: NodeJS.Timeout | undefined
	#over = false
	#pumping = false
	readonly #in: Writable
	readonly #isClient: boolean
	readonly #wait: (() => void)[] = []

	/** role: -s makes the reference the server's side, -c or -C the client's. */
	constructor(
		role: '-s' | '-c' | '-C', program: string[], filters: Filters = {}, control?: () => Controller,
	) {
		this.#filters = filters
		this.#isClient = role === '-s'
		this.messenger = new Messenger({
			pieces: new PiecePool(16384, 128),
			records: new PiecePool(RECORD_PIECE_BYTES, 64),
			random: { fill: (p, at, n) => p.fill(7, at, at + n) },
			control: control ?? (() => new Cubic()),
			sendBytes: 1 << 19,
			receiveBytes: 1 << 19,
		}, this.now)
		const pipes: ('pipe' | 'ignore' | 'inherit')[] = Array.from({ length: 10 }, () => 'ignore')
		pipes[1] = pipes[8] = pipes[9] = 'pipe'
		pipes[2] = 'inherit'
		this.child = spawn('curvecpmessage', [role, ...program], { stdio: pipes })
		this.exitCode = new Promise((resolve) => this.child.once('close', (code) => resolve(code)))
		const pipe: readonly unknown[] = this.child.stdio
		const [input, output] = [pipe[8], pipe[9]]
		if (!(input instanceof Writable) || !(output instanceof Readable)) throw new Error('no pipes')
		this.#in = input
		input.on('error', () => {})
		output.on('data', (chunk: Buffer) => this.#took(chunk))
		this.child.stdout?.on('data', (chunk: Buffer) => { this.output += chunk.toString('latin1') })
	}

	get now(): number {
		return Number(process.hrtime.bigint() - this.#started)
	}

	/** Drains the messenger and sets its timer. */
	pump(): void {
		if (this.#over || this.#pumping) return
		this.#pumping = true
		const { messenger } = this
		messenger.wake(this.now)
		this.onChange()
		const room = this.#isClient && this.received === 0 ? 640 : 1088
		for (;;) {
			const n = messenger.transmit(this.#slot, 0, room, this.now)
			if (n === 0) break
			if (this.#filters.toReference?.(this.#slot.subarray(0, n)) === false) continue
			const frame = new Uint8Array(1 + n)
			frame[0] = n / 16
			frame.set(this.#slot.subarray(0, n), 1)
			this.#in.write(frame)
		}
		const wait = messenger.wakeAt() - this.now
		clearTimeout(this.#timer)
		if (wait < 1e15) this.#timer = setTimeout(() => this.pump(), Math.max(0, Math.ceil(wait / 1e6)))
		this.#pumping = false
		for (const look of this.#wait) look()
	}

	/** Resolves once fact holds; false when our patience was over before. */
	until(fact: () => boolean): Promise<boolean> {
		this.pump()
		if (fact()) return Promise.resolve(true)
		return new Promise((resolve) => {
			const limit = setTimeout(() => resolve(false), PATIENCE_MILLIS)
			this.#wait.push(() => {
				if (!fact()) return
				clearTimeout(limit)
				resolve(true)
			})
		})
	}

	/** Ends the child, whatever it is doing. */
	close(): void {
		this.#over = true
		clearTimeout(this.#timer)
		this.child.kill('SIGKILL')
		this.messenger.release()
	}

	#took(chunk: Buffer): void {
		const bytes = new Uint8Array(this.#pending.length + chunk.length)
		bytes.set(this.#pending)
		bytes.set(chunk, this.#pending.length)
		let at = 0
		while (at < bytes.length) {
			const n = 16 * bytes[at]!
			if (at + 1 + n > bytes.length) break
			const message = bytes.subarray(at + 1, at + 1 + n)
			if (this.#filters.toUs?.(message) !== false && !this.#over) {
				this.received++
				this.messenger.receive(message, 0, n, this.now)
				this.pump()
			}
			at += 1 + n
		}
		this.#pending = bytes.slice(at)
	}
}
