// How flashing ends: one exit code for each cause, so that a script knows what to do next.

export const EXIT_CODES = {
	done: [0, 'written and compared, or shown with --dry-run'],
	image: [10, 'the image is absent, damaged, or for another board'],
	'not-a-disk': [20, 'the target is no whole disk and no plain file'],
	'system-disk': [21, 'the target holds the running system'],
	'in-use': [22, 'the target is mounted, swapped to, or part of another device'],
	'not-removable': [23, 'the target is a fixed disk, and --force-fixed was not given'],
	'too-small': [24, 'the image is larger than the target'],
	'too-large': [25, 'the target is larger than 256 GB, and --large was not given'],
	'read-only': [26, 'the target is write-protected'],
	unconfirmed: [30, 'nobody confirmed: type the name, or give --yes'],
	write: [40, 'writing failed; the target does not boot'],
	compare: [41, 'what was read back differs; the target is not to be trusted'],
	usage: [100, 'wrong usage, unknown board, or a wrong file for --provision'],
	trouble: [111, 'other trouble in the world'],
} as const satisfies Record<string, readonly [number, string]>

export type Cause = keyof typeof EXIT_CODES

/** Ends the run with the exit code of its cause. */
export class Refusal extends Error {
	override readonly name = 'Refusal'
	override readonly cause: Cause

	constructor(cause: Cause, message: string) {
		super(message)
		this.cause = cause
	}

	get exitCode(): number {
		return EXIT_CODES[this.cause][0]
	}
}
