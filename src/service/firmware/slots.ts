// Which of two slots is started: the state that boot loader and program share, and its rule. Two
// copies of 512 bytes lie on a partition without a file system and are written in turn, so that a
// power cut leaves one whole. scripts/device/slot.cmd is the boot loader's half. Pure: no input or
// output here. spec: firmware.md 1.5

import { crc32 } from 'node:zlib'
import type { Bytes } from '../../base/bytes.ts'

export type SlotName = 'a' | 'b'

export interface SlotState {
	/** Grows with every change; of two valid copies the higher one counts. */
	readonly sequence: number
	/** Preferred; the other one is started when this one has no tries left. */
	readonly slot: SlotName
	/** Starts left until the slot is given up. An empty slot has none. */
	readonly tries: Readonly<Record<SlotName, number>>
}

/** What the state says of the slot that runs. */
export type Start =
	| 'normal'
	/** Its only try: it stays when it is marked good before the next start. */
	| 'trial'
	/** The preferred slot has used up its tries, so this one runs. */
	| 'rolled-back'

export const STATE_BYTES = 512
/** Where the copies begin on the partition: far apart, for cards that lose whole blocks. */
export const COPIES_AT = [0, 524_288] as const

/** Starts that a good slot may fail; those of a fresh update. */
export const TRIES = 3
const TRIAL_TRIES = 1

/** Text up to here, padded with zeros; its CRC-32 behind it, highest byte first. */
const TEXT_BYTES = STATE_BYTES - 4

/** As U-Boot's `env export -t` writes it: sorted by name, numbers in hexadecimal. */
const FORM = new RegExp('^curvegate_sequence=([0-9a-f]{1,8})\ncurvegate_slot=([ab])\n'
	+ 'curvegate_tries_a=([0-9a-f])\ncurvegate_tries_b=([0-9a-f])\n\0*$')

export function otherSlot(slot: SlotName): SlotName {
	return slot === 'a' ? 'b' : 'a'
}

export function encodeState({ sequence, slot, tries }: SlotState): Bytes {
	const p = new Uint8Array(STATE_BYTES)
	const lines = [
		`curvegate_sequence=${sequence.toString(16)}`, `curvegate_slot=${slot}`,
		`curvegate_tries_a=${tries.a.toString(16)}`, `curvegate_tries_b=${tries.b.toString(16)}`,
	]
	p.set(new TextEncoder().encode(lines.map((line) => `${line}\n`).join('')))
	const sum = crc32(p.subarray(0, TEXT_BYTES))
	new DataView(p.buffer).setUint32(TEXT_BYTES, sum)
	return p
}

/** undefined: torn, or never written. */
export function decodeState(p: Bytes): SlotState | undefined {
	if (p.length !== STATE_BYTES) return undefined
	const text = p.subarray(0, TEXT_BYTES)
	const sum = new DataView(p.buffer, p.byteOffset, STATE_BYTES).getUint32(TEXT_BYTES)
	if (crc32(text) !== sum) return undefined
	const [, sequence, slot, a, b] = FORM.exec(new TextDecoder('latin1').decode(text)) ?? []
	if (sequence === undefined || a === undefined || b === undefined) return undefined
	return {
		sequence: parseInt(sequence, 16), slot: slot === 'a' ? 'a' : 'b',
		tries: { a: parseInt(a, 16), b: parseInt(b, 16) },
	}
}

export interface Found {
	readonly state: SlotState
	/** Which copy the next change overwrites: the one that does not count. */
	readonly next: 0 | 1
}

/** Without a valid copy: slot a, as the boot loader has it. */
export function newestOf(first: Bytes, second: Bytes): Found {
	const one = decodeState(first)
	const two = decodeState(second)
	if (two !== undefined && (one === undefined || two.sequence > one.sequence)) {
		return { state: two, next: 0 }
	}
	if (one !== undefined) return { state: one, next: 1 }
	return { state: { sequence: 0, slot: 'a', tries: { a: 0, b: 0 } }, next: 0 }
}

/** What the boot loader does: the slot that it starts, and the state that it leaves before. */
export function choose(state: SlotState): { readonly start: SlotName, readonly left: SlotState } {
	const { slot } = state
	const isUsedUp = state.tries.a === 0 && state.tries.b === 0
	// A new round, never an endless one of restarts without a start.
	const tries = isUsedUp ? { a: TRIES, b: TRIES } : state.tries
	const start = tries[slot] > 0 ? slot : otherSlot(slot)
	return { start, left: changed(state, slot, { ...tries, [start]: tries[start] - 1 }) }
}

/** The running slot has proved itself: it is preferred from now on. */
export function markGood(state: SlotState, running: SlotName): SlotState {
	return changed(state, running, { ...state.tries, [running]: TRIES })
}

/** Before a slot is written: whatever happens meanwhile, it is not started. */
export function forbid(state: SlotState, slot: SlotName): SlotState {
	const other = otherSlot(slot)
	return changed(state, other, { ...state.tries, [slot]: 0, [other]: TRIES })
}

/** After the other slot was written: the next start is its only try. */
export function tryOther(state: SlotState, running: SlotName): SlotState {
	const other = otherSlot(running)
	return changed(state, other, { ...state.tries, [other]: TRIAL_TRIES, [running]: TRIES })
}

export function startOf(state: SlotState, running: SlotName): Start {
	if (state.slot !== running) return 'rolled-back'
	return state.tries[running] === 0 ? 'trial' : 'normal'
}

function changed(
	{ sequence }: SlotState, slot: SlotName, tries: SlotState['tries'],
): SlotState {
	return { sequence: sequence + 1, slot, tries }
}
