// A board in QEMU, without KVM: the image that `make image` built, its serial line on our pipes, in
// a network namespace that has nothing but its loopback. Killing the process is cutting the power.

import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { frame, unframe } from '../../src/console/machine-line.ts'
import type { Box } from './netns.ts'
import type { Owner, Started } from './processes.ts'

/** Emulated, on a machine that may be busy with other things. */
const PATIENCE_MS = 300_000
const POLL_MS = 20
/** Whoever watches the run learns that it waits, and does not hang. */
const SIGN_MS = 30_000
/** Nothing of a run that was killed goes on for ever. */
const LIFE_SECONDS = '1800'
/** A line that was lost, or came before anybody listened, is sent again, later each time. */
const AGAIN_MS = 6000
/** The console's own banner, or its question. */
const LISTENS = /on board|Password/i
/** Characters of one colour's code. */
const COLOUR_MAX = 16
/** Of /proc/PID/stat, in a second. */
const TICKS = 100
/** Where the host finds the box's UDP port 4000, inside the namespace. */
export const HOST_PORT = 21_000

export interface MachineOptions {
	/** What QEMU takes: the machine, what it starts from, its memory, its disk. */
	readonly hardware: readonly string[]
	/** Serial lines before ours, which nobody reads. */
	readonly otherLines?: number
}

/**
 * One core, memory and a network. Its clock goes by the instructions done, 8 ns each: on a busy
 * machine all of it is slow together, and no watchdog in there barks at what happens out here.
 */
export function virtBoard(megabytes: number): string[] {
	return [
		'-icount', 'shift=3', '-M', 'virt', '-cpu', 'cortex-a53', '-smp', '1',
		'-m', String(megabytes),
		'-netdev', `user,id=n0,hostfwd=udp:127.0.0.1:${HOST_PORT}-10.0.2.15:4000`,
		'-device', 'virtio-net-device,netdev=n0',
	]
}

/** With U-Boot and a card. */
export function virtHardware(disk: string, uboot: string, megabytes: number): string[] {
	return [
		...virtBoard(megabytes), '-bios', uboot,
		'-drive', `if=none,id=d0,format=raw,file=${disk}`, '-device', 'virtio-blk-device,drive=d0',
	]
}

export class Machine {
	/** When the power came, by performance.now(). */
	readonly poweredAt = performance.now()
	readonly #process: Started
	#id = Math.trunc(performance.now() * 1000) % 1_000_000
	#text = ''
	/** Pieces of output that are in it. */
	#pieces = 0

	constructor(owner: Owner, box: Box, { hardware, otherLines = 0 }: MachineOptions) {
		this.#process = box.start(owner, 'timeout', [LIFE_SECONDS, 'qemu-system-aarch64',
			...hardware, '-display', 'none', '-monitor', 'none', '-no-reboot',
			...Array.from({ length: otherLines }, () => ['-serial', 'null']).flat(), '-serial', 'stdio',
		])
		console.log('# power on')
	}

	/** All that came over the serial line, without colours. */
	get text(): string {
		const { stdout } = this.#process.output
		if (this.#pieces === stdout.length) return this.#text
		this.#pieces = stdout.length
		this.#text = this.#process.stdout().toString('utf8')
			.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, '').replaceAll('\r', '')
		return this.#text
	}

	get seconds(): number {
		return (performance.now() - this.poweredAt) / 1000
	}

	/** Processor time that the emulator has used. */
	get cpuSeconds(): number {
		// ip becomes timeout, whose child QEMU is.
		const { pid } = this.#process
		const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
		const fields = readFileSync(`/proc/${child}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
		return (Number(fields[11]) + Number(fields[12])) / TICKS
	}

	/** When the line has said so. */
	async until(pattern: RegExp, patience = PATIENCE_MS): Promise<RegExpExecArray> {
		return await this.#found(() => pattern.exec(this.text) ?? undefined, String(pattern), patience)
	}

	/** What a person types, with its line's end. */
	type(line: string): void {
		this.send(`${line}\r`)
	}

	/** Bytes on the line, at any time. */
	send(bytes: string): void {
		this.#process.child.stdin?.write(bytes, 'latin1')
	}

	/** One request in machine mode; sent again until it is answered. */
	async ask<T extends object = Record<string, unknown>>(
		cmd: string, fields: object = {}, patience = PATIENCE_MS,
	): Promise<T> {
		// Earlier, a boot loader would take the first byte for a person's wish to stop it, and QEMU's
		// UART gets stuck when its 16 bytes are full before the kernel knows it.
		await this.until(LISTENS, patience)
		const id = ++this.#id
		// A colour may be in the middle of coming.
		const from = Math.max(0, this.text.length - COLOUR_MAX)
		let sendAt = -Infinity
		let again = AGAIN_MS
		const answer = await this.#found(() => {
			const now = performance.now()
			if (now > sendAt) {
				sendAt = now + again
				again *= 1.5
				this.type(frame(JSON.stringify({ id, cmd, ...fields })))
			}
			return this.#answerTo(id, from)
		}, `an answer to ${cmd}`, patience)
		if (answer.error !== undefined) throw new Error(`${cmd}: ${answer.error}`)
		return answer.result as T
	}

	/** When it has ended by itself: -no-reboot makes a restart an end. */
	async ended(patience = PATIENCE_MS): Promise<void> {
		const ended = (): true | undefined => this.#process.running ? undefined : true
		await this.#found(ended, 'its end', patience)
		await this.#process.ended
	}

	/** Something that goes on out here, with this machine's help. */
	async during<T>(work: Promise<T>, what: string): Promise<T> {
		const signs = setInterval(() => this.#sign(what), SIGN_MS)
		try {
			return await work
		} finally {
			clearInterval(signs)
		}
	}

	async cutPower(): Promise<void> {
		this.#process.signal('SIGKILL')
		await this.#process.ended
	}

	/** What look finds, when it does; the machine's last words when it does not. */
	async #found<T>(look: () => T | undefined, what: string, patience: number): Promise<T> {
		const end = performance.now() + patience
		let signAt = performance.now() + SIGN_MS
		for (;;) {
			// Before the look: its last words are still to come when it has ended by then.
			const { running } = this.#process
			if (!running) await this.#process.ended
			const found = look()
			if (found !== undefined) return found
			const now = performance.now()
			if (now > end || !running) {
				const why = running ? 'in time' : 'before the machine ended'
				throw new Error(`${what} did not come ${why}\n${this.text.slice(-3000)}`
					+ this.#process.stderr())
			}
			if (now > signAt) {
				signAt = now + SIGN_MS
				this.#sign(what)
			}
			await pause(POLL_MS)
		}
	}

	#sign(what: string): void {
		console.log(`# ${this.seconds.toFixed(0)} s after power on: waiting for ${what}`)
	}

	#answerTo(id: number, from: number): { result?: unknown, error?: string } | undefined {
		for (const line of this.text.slice(from).split('\n')) {
			const start = line.indexOf('{')
			const json = start < 0 ? undefined : unframe(line.slice(start))
			if (json === undefined) continue
			const answer: unknown = JSON.parse(json)
			if (typeof answer === 'object' && answer !== null && 'id' in answer && answer.id === id
				&& ('result' in answer || 'error' in answer)) return answer as { error?: string }
		}
		return undefined
	}
}

