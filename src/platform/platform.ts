// Which platform this machine gets: the fast parts where they are there and right, the portable ones
// else. What is missing costs speed only, and is said in one line.

import type { Bytes } from '../base/bytes.ts'
import type { Box } from '../crypto/box.ts'
import { makeTweetnacl } from '../crypto/tweetnacl.ts'
import { allocate } from './linux/arena.ts'
import { libc } from './linux/libc.ts'
import { openSodium } from './linux/sodium.ts'
import { openLinuxUdp } from './linux/udp.ts'
import { openPortableUdp } from './portable/udp.ts'
import { causeOf, Trouble } from './trouble.ts'
import type { Udp, UdpOptions } from './udp.ts'
import { nodeAgree } from './x25519.ts'

export type PlatformChoice = 'auto' | 'linux' | 'portable'

export interface Platform {
	readonly name: string
	readonly box: Box
	/** One line each: what is missing here, and how to get it. */
	readonly notes: readonly string[]
	openUdp(options: UdpOptions): Promise<Udp>
	/** Memory for packet slots. */
	allocate(bytes: number): Bytes
}

/** 'linux' throws Trouble where 'auto' falls back. */
export function openPlatform(choice: PlatformChoice = 'auto'): Platform {
	if (choice === 'portable') return portablePlatform([])
	try {
		libc()
	} catch (error) {
		if (choice === 'linux') throw error
		return portablePlatform([note(error, 'portable UDP and crypto')])
	}
	const notes: string[] = []
	let box: Box
	try {
		box = openSodium()
	} catch (error) {
		if (choice === 'linux') throw error
		notes.push(note(error, 'portable crypto, a tenth as fast'))
		box = makeTweetnacl(nodeAgree())
	}
	return { name: 'linux', box, notes, allocate, openUdp: (options) => openFast(options, choice, notes) }
}

function portablePlatform(notes: string[]): Platform {
	return {
		name: 'portable', box: makeTweetnacl(nodeAgree()), notes,
		allocate: (bytes) => new Uint8Array(bytes), openUdp: openPortableUdp,
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
