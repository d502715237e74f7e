// The message on a page. Its writers and readers know offsets only; what the fields mean is the
// business of sender and receiver. spec: protocol.md 4.1

import {
	fill, readU16, readU32, readU53, writeU16, writeU32, writeU53, type Bytes,
} from '../base/bytes.ts'
import { MESSAGE_MIN as MESSAGE_UNIT } from '../wire/packets.ts'

//  at  n
//   0  4  message ID; 0: a pure acknowledgment, never acknowledged itself
//   4  4  acknowledging ID; 0: none
//   8  8  end of range 1, which starts at 0
//  16  4  gap between ranges 1 and 2
//  20  2  length of range 2
//  22  2  gap 2-3
//  24  2  length of range 3
//  26  2  gap 3-4
//  28  2  length of range 4
//  30  2  gap 4-5
//  32  2  length of range 5
//  34  2  gap 5-6
//  36  2  length of range 6
//  38  2  D + SUCCESS + FAILURE
//  40  8  position of the first data byte
//  48     zeros, then D bytes of data up to the end of the message
export const MESSAGE_ID = 0
export const MESSAGE_ACK_ID = 4
export const MESSAGE_RANGE1_END = 8
export const MESSAGE_GAP12 = 16
export const MESSAGE_LENGTH2 = 20
export const MESSAGE_GAP56 = 34
export const MESSAGE_LENGTH6 = 36
export const MESSAGE_FLAGS = 38
export const MESSAGE_POSITION = 40
export const MESSAGE_HEAD_BYTES = 48

export const SUCCESS = 2048
export const FAILURE = 4096
export const BLOCK_MAX = 1024
/** Blocks of the Initiate phase; its 640 bytes would hold more, the reference sends no more. */
export const INITIATE_BLOCK_MAX = 512

/** Lengths of our messages differ from the reference's: no padding beside the classes of D. */
export const ACKNOWLEDGMENT_BYTES = 64
export const GAP_MAX = 0xffff
export const GAP12_MAX = 0xffffffff
export const RANGE_MAX = 0xffff

// Our own mark: the sixth range never has a length, so it acknowledges nothing for any receiver,
// and its gap carries the receive window beyond range 1, in KiB, plus 1. No other sender fills that
// gap.
export const HINT_UNIT = 1024
const HINT_MAX = 0xffff

/** The bytes of a message that carries D bytes: 48 and 128, 256, 512 or 1,024. */
export function messageBytes(d: number): number {
	if (d <= 128) return MESSAGE_HEAD_BYTES + 128
	if (d <= 256) return MESSAGE_HEAD_BYTES + 256
	return MESSAGE_HEAD_BYTES + (d <= 512 ? 512 : 1024)
}

/** The same within room bytes; 0: D bytes do not fit. */
export function messageBytesWithin(d: number, room: number): number {
	const usual = messageBytes(d)
	if (usual <= room) return usual
	const most = room - (room % MESSAGE_UNIT)
	return MESSAGE_HEAD_BYTES + d <= most ? most : 0
}

/** The block's own fields, and zeros between head and data; the data itself is the caller's. */
export function writeBlockHead(
	p: Bytes, at: number, n: number, id: number, position: number, flags: number,
): void {
	writeU32(p, at + MESSAGE_ID, id)
	writeU16(p, at + MESSAGE_FLAGS, flags)
	writeU53(p, at + MESSAGE_POSITION, position)
	const d = flags & (SUCCESS - 1)
	fill(p, at + MESSAGE_HEAD_BYTES, n - MESSAGE_HEAD_BYTES - d, 0)
}

/** Range k, from 2 to 6. */
export function writeRange(p: Bytes, at: number, k: number, gap: number, length: number): void {
	if (k === 2) writeU32(p, at + MESSAGE_GAP12, gap)
	else writeU16(p, at + MESSAGE_LENGTH2 + 4 * (k - 2) - 2, gap)
	writeU16(p, at + MESSAGE_LENGTH2 + 4 * (k - 2), length)
}

/** The gap before range k, from 2 to 6. */
export function readGap(p: Bytes, at: number, k: number): number {
	if (k === 2) return readU32(p, at + MESSAGE_GAP12)
	return readU16(p, at + MESSAGE_LENGTH2 + 4 * (k - 2) - 2)
}

export function readLength(p: Bytes, at: number, k: number): number {
	return readU16(p, at + MESSAGE_LENGTH2 + 4 * (k - 2))
}

export function readRange1End(p: Bytes, at: number): number {
	return readU53(p, at + MESSAGE_RANGE1_END)
}

export function readPosition(p: Bytes, at: number): number {
	return readU53(p, at + MESSAGE_POSITION)
}

export function writeHint(p: Bytes, at: number, windowBytes: number): void {
	const units = Math.floor(windowBytes / HINT_UNIT) + 1
	writeU16(p, at + MESSAGE_GAP56, Math.min(units, HINT_MAX))
	writeU16(p, at + MESSAGE_LENGTH6, 0)
}

/** The window that the message carries in bytes; -1: it is not of our make. */
export function readHint(p: Bytes, at: number): number {
	const units = readU16(p, at + MESSAGE_GAP56)
	if (units === 0 || readU16(p, at + MESSAGE_LENGTH6) !== 0) return -1
	return (units - 1) * HINT_UNIT
}
