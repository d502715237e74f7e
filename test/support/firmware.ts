// Tests that start the image in QEMU: only `make test-firmware` runs them, and has built the image.

import test, { type ExecutionContext } from 'ava'
import { findImage, Disk } from './image.ts'
import { Machine, type MachineOptions } from './machine.ts'
import { needs, type Declare } from './needs.ts'
import { Network, type Box } from './netns.ts'

/** The board that the tests boot. */
export const BOARD = 'qemu-arm64'

export function firmware(...things: readonly string[]): Declare {
	if (process.env['CURVEGATE_FIRMWARE'] === undefined) {
		return (title, run) => test.skip(`${title} (only in make test-firmware)`, run)
	}
	if (findImage(BOARD) === undefined) {
		return (title, run) => test.skip(`${title} (needs make image BOARD=${BOARD})`, run)
	}
	return needs('qemu-system-aarch64', 'root', 'netns', ...things)
}

/** A disk, and the namespace in which it is started any number of times. */
export class Bench {
	readonly box: Box
	readonly disk: Disk
	readonly #t: ExecutionContext

	constructor(t: ExecutionContext) {
		this.#t = t
		t.timeout(900_000)
		this.box = new Network(t).box('q')
		this.disk = new Disk(t, BOARD)
	}

	power(options: Partial<MachineOptions> = {}): Machine {
		const { path: disk, folder } = this.disk
		const boot = ['-bios', `${folder}/u-boot.bin`]
		return new Machine(this.#t, this.box, { disk, boot, ...options })
	}
}
