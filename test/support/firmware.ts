// Tests that start the image in QEMU: only `make test-firmware` runs them, and has built the image.

import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { BOARD, findImage, Disk } from './image.ts'
import { Machine, virtHardware, type MachineOptions } from './machine.ts'
import { needs, type Declare } from './needs.ts'
import { Network, type Box } from './netns.ts'

const LOOK_AGAIN_MS = 500

export function firmware(...things: readonly string[]): Declare {
	return firmwareOf(BOARD, ...things)
}

export function firmwareOf(board: string, ...things: readonly string[]): Declare {
	if (process.env['CURVEGATE_FIRMWARE'] === undefined) {
		return (title, run) => test.skip(`${title} (only in make test-firmware)`, run)
	}
	if (findImage(board) === undefined) {
		return (title, run) => test.skip(`${title} (needs make image BOARD=${board})`, run)
	}
	return needs('qemu-system-aarch64', 'root', 'netns', ...things)
}

/** A disk, and the namespace in which it is started any number of times. */
export class Bench {
	readonly box: Box
	readonly disk: Disk
	readonly #t: ExecutionContext

	constructor(t: ExecutionContext, board = BOARD) {
		this.#t = t
		t.timeout(900_000)
		this.box = new Network(t).box('q')
		this.disk = new Disk(t, board)
	}

	power(megabytes = 256): Machine {
		const { path, folder } = this.disk
		return this.start({ hardware: virtHardware(path, join(folder, 'u-boot.bin'), megabytes) })
	}

	start(options: MachineOptions): Machine {
		return new Machine(this.#t, this.box, options)
	}
}

/** A setting that shows what became of a change. */
export async function drainOf(machine: Machine): Promise<number> {
	const { text } = await machine.ask<{ text: string }>('config', { action: 'show' })
	return Number(/drain = "(\d+)s"/.exec(text)?.[1] ?? 0)
}

/** Confirmed when it returns: it is on the card. */
export async function setDrain(machine: Machine, seconds: number): Promise<void> {
	await machine.ask('config', { action: 'set', key: 'limits.drain', value: `"${seconds}s"` })
	await machine.ask('config', { action: 'save' })
}

/** When the box's own log has said so, so many times since its start. */
export async function untilLogged(machine: Machine, words: string, times = 1): Promise<void> {
	for (;;) {
		const { lines } = await machine.ask<{ lines: readonly string[] }>('log')
		if (lines.filter((line) => line.includes(words)).length >= times) return
		await pause(LOOK_AGAIN_MS)
	}
}
