// What this machine offers the program, chosen once at start: the box, randomness, sockets, the clock.
// The fast parts where they are there and right, the portable ones else. What is missing costs speed
// only, never the start, and is said in one line.

import type { Bytes } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import type { Box } from '../crypto/box.ts'
import { makeTweetnacl } from '../crypto/tweetnacl.ts'
import { now, type Clock } from './clock.ts'
import { makeEntropy } from './entropy.ts'
import { allocate } from './linux/arena.ts'
import { libc } from './linux/libc.ts'
import { openSodium } from './linux/sodium.ts'
import { openLinuxUdp } from './linux/udp.ts'
import { openPortableUdp } from './portable/udp.ts'
import { Trouble, causeOf } from './trouble.ts'
import type { Udp, UdpOptions } from './udp.ts'
import { nodeAgree } from './x25519.ts'

export type PlatformChoice = 'auto' | 'linux' | 'portable'

export interface Platform {
	readonly name: string
	readonly box: Box
	readonly random: Random
	readonly clock: Clock
	/** One line each: what is missing here, and how to get it. */
	readonly notes: readonly string[]
	openUdp(options: UdpOptions): Promise<Udp>
	/** Memory for packet slots. */
	allocate(bytes: number): Bytes
}

/** For measurements and for hunting faults: CURVEGATE_PLATFORM=portable or linux. */
export function platformChoice(): PlatformChoice {
	const choice = process.env['CURVEGATE_PLATFORM']
	return choice === 'portable' || choice === 'linux' ? choice : 'auto'
}

/** 'linux' throws Trouble where 'auto' falls back. */
export function openPlatform(choice: PlatformChoice = platformChoice()): Platform {
	if (choice === 'portable') return portable([])
	try {
		libc()
	} catch (error) {
		if (choice === 'linux') throw error
		return portable([note(error, 'portable UDP and crypto')])
	}
	const notes: string[] = []
	const box = fastBox(choice, notes)
	const openUdp = (options: UdpOptions): Promise<Udp> => openFast(options, choice, notes)
	return { ...common(), name: 'linux', box, notes, allocate, openUdp }
}

function common(): { random: Random, clock: Clock } {
	return { random: makeEntropy(), clock: now }
}

function portable(notes: string[]): Platform {
	const agree = nodeAgree()
	if (agree === undefined) notes.push('no X25519 in this Node: handshakes are 12 times as slow')
	return {
		...common(), name: 'portable', box: makeTweetnacl(agree), notes,
		allocate: (bytes) => new Uint8Array(bytes), openUdp: openPortableUdp,
	}
}

function fastBox(choice: PlatformChoice, notes: string[]): Box {
	try {
		return openSodium()
	} catch (error) {
		if (choice === 'linux') throw error
		notes.push(note(error, 'portable crypto, a tenth as fast'))
		return makeTweetnacl(nodeAgree())
	}
}

/** A port that is taken is taken for both; a kernel without asynchronous poll has dgram. */
async function openFast(options: UdpOptions, choice: PlatformChoice, notes: string[]): Promise<Udp> {
	try {
		return openLinuxUdp(options)
	} catch (error) {
		const bind = error instanceof Trouble && error.message.startsWith('unable to bind')
		if (bind || choice === 'linux') throw error
		notes.push(note(error, 'portable UDP'))
		return await openPortableUdp(options)
	}
}

function note(error: unknown, instead: string): string {
	return `${error instanceof Error ? error.message : causeOf(error)}; going on with ${instead}`
}
