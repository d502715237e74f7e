// When the peer hears what arrived, and in which words: acknowledging IDs, range 1, the ranges that
// arrived early, the window. spec: protocol.md 4.6, 9.2 (2 and 3), 9.3

import { writeU32, writeU53, type Bytes } from '../base/bytes.ts'
import { MILLISECOND, NEVER, ZERO, type Nanos } from '../base/time.ts'
import {
	GAP12_MAX, GAP_MAX, MESSAGE_ACK_ID, MESSAGE_RANGE1_END, RANGE_MAX, writeHint, writeRange,
} from './format.ts'
import {
	DUPLICATE, EARLY, EMPTY, IN_ORDER, REFUSED, type Receiver, type Verdict,
} from './receiver.ts'

/** The longest that a peer of our make waits for an acknowledgment; as coarse as timers are. */
const DELAY: Nanos = MILLISECOND
/**
 * Blocks per acknowledgment: two at first and in slow flows, a quarter millisecond's in fast ones.
 */
const COALESCED_MIN = 2
const COALESCED_MAX = 32
const COALESCED_SHARE = 4
/** The first blocks of a connection, and the first after a gap, are worth an answer each. */
const PROMPT_BLOCKS = 8
const PROMPT_EARLY = 3
/** Acknowledging IDs that wait for a message each; beyond these, ranges say enough. */
const IDS_MAX = 32
/** Early runs that are remembered; four of them fit into a message, if they lie close together. */
const RUNS_MAX = 32
const RUNS_SENT = 4
/** So many new runs are said before later ones push them out. */
const RUNS_UNSAID = 2
/** An opened window is news when it grew by this much, and the known one had become small. */
const WINDOW_NEWS = 4

export class Acknowledge {
	/** The peer is of our make: it needs no message for each of its own. */
	ours = false
	/** When an acknowledgment must leave; NEVER: none is owed. */
	dueAt: Nanos = NEVER
	readonly #receiver: Receiver
	/** IDs to be named, each once and never again: the oldest first. */
	#ids: Uint32Array | undefined
	#idCount = 0
	/** Of the blocks of a peer of our make only the latest matters; 0: none. */
	#latestId = 0
	/** Blocks taken since the last acknowledgment, and since the first. */
	#unsaid = 0
	#blocks = 0
	#earlyBlocks = 0
	/** The flow's speed: blocks in the present millisecond, and what follows from the last. */
	#tick: Nanos = ZERO
	#tickBlocks = 0
	#coalesced = COALESCED_MIN
	/** Starts and stops of the latest early runs on block boundaries, the newest at #newest. */
	#runs: Float64Array | undefined
	#newest = 0
	/** Which of them no message has said, and how many of those there are. */
	#unsaidRuns: Uint8Array | undefined
	#newRuns = 0
	/** The runs that go into this message, in ascending order. */
	#chosen: Int8Array | undefined
	/** Where the window ended when the peer last heard of it. */
	#saidLimit: number

	constructor(receiver: Receiver) {
		this.#receiver = receiver
		this.#saidLimit = receiver.capacity
	}

	/** A block came and was not refused. stop covers its end marker. */
	took(id: number, verdict: Verdict, start: number, stop: number, ends: boolean, now: Nanos): void {
		if (verdict === REFUSED) return
		const beyond = start > this.#receiver.boundary
		// A reference sender drops an end marker that a later range covers, and then never repeats it.
		if (beyond && stop > start && (this.ours || !ends)) this.#note(start, stop)
		if (id === 0) return
		if (!this.ours) {
			// Nor may a block have its ID named that a range has already acknowledged.
			this.#queue(verdict === DUPLICATE && beyond ? 0 : id)
			this.dueAt = now
			return
		}
		// An empty block asks for its own ID: a ping for its round trip, a probe for its path.
		if (verdict === EMPTY) this.#queue(id)
		else this.#latestId = id
		this.#unsaid++
		this.#blocks++
		this.#pace(now)
		this.#earlyBlocks = verdict === EARLY ? this.#earlyBlocks + 1 : 0
		if (this.#prompt(verdict, ends)) this.dueAt = now
		else if (this.dueAt === NEVER) this.dueAt = now + DELAY
	}

	/** The program read on: is the window that the peer knows of much too small now? */
	opened(now: Nanos): void {
		if (!this.ours || this.dueAt <= now) return
		const { received, capacity } = this.#receiver
		if (this.#saidLimit - received > capacity / 2) return
		const limit = this.#receiver.boundary + this.#receiver.window
		if (limit - this.#saidLimit >= capacity / WINDOW_NEWS) this.dueAt = now
	}

	/** Says all this in the message at p[at, …), whose head is otherwise written by its sender. */
	write(p: Bytes, at: number, now: Nanos): void {
		const receiver = this.#receiver
		const end = receiver.range1End
		const { window } = receiver
		writeU32(p, at + MESSAGE_ACK_ID, this.#nextId())
		writeU53(p, at + MESSAGE_RANGE1_END, end)
		this.#writeRanges(p, at, end)
		writeHint(p, at, window)
		this.#saidLimit = receiver.boundary + window
		this.#unsaid = 0
		this.dueAt = this.#idCount > 0 || this.#newRuns > 0 ? now : NEVER
	}

	#prompt(verdict: Verdict, ends: boolean): boolean {
		if (ends || this.#receiver.complete || this.#blocks <= PROMPT_BLOCKS) return true
		if (verdict === EARLY) {
			if (this.#earlyBlocks <= PROMPT_EARLY) return true
		} else if (verdict !== IN_ORDER) {
			return true
		}
		return this.#unsaid >= this.#coalesced || this.#newRuns >= RUNS_UNSAID
	}

	#pace(now: Nanos): void {
		this.#tickBlocks++
		if (now - this.#tick < MILLISECOND) return
		const ticks = Math.max(1, (now - this.#tick) / MILLISECOND)
		const share = Math.floor(this.#tickBlocks / ticks / COALESCED_SHARE)
		this.#coalesced = Math.min(Math.max(share, COALESCED_MIN), COALESCED_MAX)
		this.#tick = now
		this.#tickBlocks = 0
	}

	#queue(id: number): void {
		if (this.#ids === undefined) this.#ids = new Uint32Array(IDS_MAX)
		if (this.#idCount < IDS_MAX) this.#ids[this.#idCount++] = id
	}

	#nextId(): number {
		if (this.#idCount === 0) {
			const id = this.#latestId
			this.#latestId = 0
			return id
		}
		const ids = this.#ids!
		const id = ids[0]!
		this.#idCount--
		for (let i = 0; i < this.#idCount; i++) ids[i] = ids[i + 1]!
		// A peer of our make needs them for its rare pings only.
		if (this.ours && this.#idCount === 0) this.#ids = undefined
		return id
	}

	/** A run grows while blocks follow each other, up to what a range can say. */
	#note(start: number, stop: number): void {
		if (this.#runs === undefined || this.#unsaidRuns === undefined) {
			this.#runs = new Float64Array(2 * RUNS_MAX)
			this.#unsaidRuns = new Uint8Array(RUNS_MAX)
			this.#chosen = new Int8Array(RUNS_SENT)
		}
		const last = 2 * this.#newest
		if (start === this.#runs[last + 1]! && stop - this.#runs[last]! <= RANGE_MAX) {
			this.#runs[last + 1] = stop
		} else {
			this.#newest = (this.#newest + 1) % RUNS_MAX
			this.#runs[2 * this.#newest] = start
			this.#runs[2 * this.#newest + 1] = stop
		}
		if (this.#unsaidRuns[this.#newest] === 0) this.#newRuns++
		this.#unsaidRuns[this.#newest] = 1
	}

	#writeRanges(p: Bytes, at: number, end: number): void {
		const runs = this.#runs
		const chosen = this.#chosen
		let count = 0
		// To a stranger no block is acknowledged whose ID is still to be named: see took.
		const maySay = this.ours || this.#idCount === 0
		if (runs !== undefined && chosen !== undefined && maySay && this.#receiver.early.count > 0) {
			if (this.#newRuns > 0) count = this.#choose(runs, chosen, count, 1, end)
			count = this.#choose(runs, chosen, count, 0, end)
		} else if (this.#newRuns > 0 && maySay) {
			this.#unsaidRuns!.fill(0)
			this.#newRuns = 0
		}
		let before = end
		for (let i = 0; i < RUNS_SENT; i++) {
			if (i >= count) {
				writeRange(p, at, i + 2, 0, 0)
				continue
			}
			const run = 2 * chosen![i]!
			const start = runs![run]!
			const stop = runs![run + 1]!
			writeRange(p, at, i + 2, start - before, stop - start)
			before = stop
		}
	}

	/** Of the runs that were said or not, those that fit, the newest first. */
	#choose(
		runs: Float64Array, chosen: Int8Array, before: number, unsaid: 0 | 1, end: number,
	): number {
		const marks = this.#unsaidRuns!
		let count = before
		for (let i = 0; i < RUNS_MAX && count < RUNS_SENT; i++) {
			const run = (this.#newest + RUNS_MAX - i) % RUNS_MAX
			if (marks[run] !== unsaid) continue
			const chose = choose(runs, chosen, count, run, end)
			// What does not even fit alone is covered by range 1, or cannot be said at all.
			if (unsaid === 1 && (chose > count || count === 0)) {
				marks[run] = 0
				this.#newRuns--
			}
			count = chose
		}
		return count
	}
}

/** Puts run in its place among the chosen, if the format can say it there; returns their count. */
function choose(
	runs: Float64Array, chosen: Int8Array, count: number, run: number, end: number,
): number {
	const start = runs[2 * run]!
	const stop = runs[2 * run + 1]!
	if (stop <= end || start < end) return count
	let place = count
	while (place > 0 && runs[2 * chosen[place - 1]!]! > start) place--
	const before = place === 0 ? end : runs[2 * chosen[place - 1]! + 1]!
	const gapMax = place === 0 ? GAP12_MAX : GAP_MAX
	if (start < before || start - before > gapMax) return count
	if (place < count) {
		const after = runs[2 * chosen[place]!]!
		if (after < stop || after - stop > GAP_MAX) return count
	}
	for (let i = count; i > place; i--) chosen[i] = chosen[i - 1]!
	chosen[place] = run
	return count + 1
}
