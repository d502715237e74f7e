// A board in QEMU, without KVM: the image that `make image` built, its serial line on our pipes, in
// a network namespace that has nothing but its loopback. Killing the process is cutting the power.

import { setTimeout as pause } from 'node:timers/promises'
import { frame, unframe } from '../../src/console/machine-line.ts'
import type { Box } from './netns.ts'
import type { Owner, Started } from './processes.ts'

/** Emulated, on a machine that may be busy with other things. */
const PATIENCE_MS = 240_000
const POLL_MS = 20
/** Nothing of a run that was killed goes on for ever. */
const LIFE_SECONDS = '900'
/** A line that was lost, or came before anybody listened, is sent again. */
const AGAIN_MS = 6000
/** The console's own banner, or its question. */
const LISTENS = /on board|Password/i
/** Where the host finds the box's UDP port 4000, inside the namespace. */
export const HOST_PORT = 21_000

export interface MachineOptions {
	/** What QEMU takes: the machine, what it starts from, its memory, its disk. */
	readonly hardware: readonly string[]
	/** Serial lines before ours, which nobody reads. */
	readonly otherLines?: number
}

/** With U-Boot, a card and a network. */
export function virtHardware(disk: string, uboot: string, megabytes: number): string[] {
	return [
		'-M', 'virt', '-cpu', 'cortex-a53', '-smp', '1', '-m', String(megabytes), '-bios', uboot,
		'-drive', `if=none,id=d0,format=raw,file=${disk}`, '-device', 'virtio-blk-device,drive=d0',
		'-netdev', `user,id=n0,hostfwd=udp:127.0.0.1:${HOST_PORT}-10.0.2.15:4000`,
		'-device', 'virtio-net-device,netdev=n0',
	]
}

export class Machine {
	/** When the power came, by performance.now(). */
	readonly poweredAt = performance.now()
	readonly #process: Started
	#id = Math.trunc(performance.now() * 1000) % 1_000_000

	constructor(owner: Owner, box: Box, { hardware, otherLines = 0 }: MachineOptions) {
		this.#process = box.start(owner, 'timeout', [LIFE_SECONDS, 'qemu-system-aarch64',
			...hardware, '-display', 'none', '-monitor', 'none', '-no-reboot',
			...Array.from({ length: otherLines }, () => ['-serial', 'null']).flat(), '-serial', 'stdio',
		])
	}

	/** All that came over the serial line, without colours. */
	get text(): string {
		return this.#process.stdout().toString('utf8').replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, '')
			.replaceAll('\r', '')
	}

	get seconds(): number {
		return (performance.now() - this.poweredAt) / 1000
	}

	/** When the line has said so. */
	async until(pattern: RegExp, patience = PATIENCE_MS): Promise<RegExpExecArray> {
		const end = performance.now() + patience
		for (;;) {
			const found = pattern.exec(this.text)
			if (found !== null) return found
			if (performance.now() > end || !this.#process.running) {
				const why = this.#process.running ? 'in time' : 'before the machine ended'
				throw new Error(`${pattern} did not come ${why}\n${this.text.slice(-3000)}`
					+ this.#process.stderr())
			}
			await pause(POLL_MS)
		}
	}

	/** What a person types, with its line's end. */
	type(line: string): void {
		this.#process.child.stdin?.write(`${line}\r`)
	}

	/** One request in machine mode; sent again until it is answered. */
	async ask<T extends object = Record<string, unknown>>(
		cmd: string, fields: object = {}, patience = PATIENCE_MS,
	): Promise<T> {
		// Earlier, a boot loader would take the first byte for a person's wish to stop it, and QEMU's
		// UART gets stuck when its 16 bytes are full before the kernel knows it.
		await this.until(LISTENS, patience)
		const id = ++this.#id
		const end = performance.now() + patience
		let sentAt = -Infinity
		for (;;) {
			const answer = this.#answerTo(id)
			if (answer !== undefined) {
				if (answer.error !== undefined) throw new Error(`${cmd}: ${answer.error}`)
				return answer.result as T
			}
			const now = performance.now()
			if (now > end || !this.#process.running) {
				throw new Error(`no answer to ${cmd}\n${this.text.slice(-3000)}${this.#process.stderr()}`)
			}
			if (now - sentAt > AGAIN_MS) {
				sentAt = now
				this.type(frame(JSON.stringify({ id, cmd, ...fields })))
			}
			await pause(POLL_MS)
		}
	}

	/** When it has ended by itself: -no-reboot makes a restart an end. */
	async ended(patience = PATIENCE_MS): Promise<void> {
		const late = new AbortController()
		const over = pause(patience, undefined, { signal: late.signal }).then(() => {
			throw new Error(`it did not end\n${this.text.slice(-3000)}`)
		})
		await Promise.race([this.#process.ended, over])
		late.abort()
		over.catch(() => undefined)
	}

	async cutPower(): Promise<void> {
		this.#process.signal('SIGKILL')
		await this.#process.ended
	}

	#answerTo(id: number): { result?: unknown, error?: string } | undefined {
		for (const line of this.text.split('\n')) {
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

