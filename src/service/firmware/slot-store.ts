// The slot state where it lies: a partition, or a file in tests. What counts is never overwritten.

import { closeSync, constants, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import type { Bytes } from '../../base/bytes.ts'
import { troubleOf } from '../../platform/trouble.ts'
import {
	COPIES_AT, encodeState, newestOf, STATE_BYTES, type Found, type SlotState,
} from './slots.ts'

const WHAT = 'the slot state on'

/** Throws Trouble. */
export function readSlots(path: string): SlotState {
	return withFile('read', path, constants.O_RDONLY, find).state
}

/** Reads, changes, and returns when the change is on the medium; throws Trouble. */
export function changeSlots(path: string, change: (state: SlotState) => SlotState): SlotState {
	return withFile('write', path, constants.O_RDWR, (file) => {
		const { state, next } = find(file)
		const changed = change(state)
		const bytes = encodeState(changed)
		for (let n = 0; n < STATE_BYTES;) {
			n += writeSync(file, bytes, n, STATE_BYTES - n, COPIES_AT[next] + n)
		}
		fsyncSync(file)
		return changed
	})
}

function find(file: number): Found {
	return newestOf(copy(file, COPIES_AT[0]), copy(file, COPIES_AT[1]))
}

/** Shorter than it should be when the file ends there: not valid then. */
function copy(file: number, at: number): Bytes {
	const bytes = new Uint8Array(STATE_BYTES)
	return bytes.subarray(0, readSync(file, bytes, 0, STATE_BYTES, at))
}

function withFile<T>(
	action: 'read' | 'write', path: string, flags: number, use: (file: number) => T,
): T {
	try {
		const file = openSync(path, flags)
		try {
			return use(file)
		} finally {
			closeSync(file)
		}
	} catch (error) {
		throw troubleOf(action, `${WHAT} ${path}`, error)
	}
}
