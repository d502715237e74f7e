// What this machine offers the program, chosen once at start: the box, randomness, sockets, memory
// for packets, the clock. Everything above asks here. The fast parts are taken where they are there
// and right; a missing one costs speed and says so in one line, never the start.

import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../base/random.ts'
import type { Box } from '../crypto/box.ts'
import { now, type Clock } from './clock.ts'
import { makeEntropy } from './entropy.ts'
import { LETTING_GO, wasOurs } from './given-back.ts'
import { allocate, release } from './linux/arena.ts'
import { libc } from './linux/libc.ts'
import { openSodium } from './linux/sodium.ts'
import { openLinuxUdp } from './linux/udp.ts'
import { PLAIN_MEMORY, type Memory } from './memory.ts'
import { openPortableUdp } from './portable/udp.ts'
import { causeOf, codeOf, Trouble, Usage } from './trouble.ts'
import type { Udp, UdpOptions } from './udp.ts'
import { nodeAgree } from './x25519.ts'

const CHOICES = ['auto', 'linux', 'portable'] as const
export type PlatformChoice = typeof CHOICES[number]

export interface Platform {
	readonly name: 'linux' | 'portable'
	readonly box: Box
	readonly random: Random
	readonly clock: Clock
	openUdp(options: UdpOptions): Promise<Udp>
	/** For packet slots; on linux it lies where a system call's argument costs no heap. */
	readonly memory: Memory
	/** What a person should know: parts that are missing, what that costs, how to get them. */
	readonly notes: readonly string[]
}

/** 'linux' throws Trouble where 'auto' goes on with the portable part. */
export async function openPlatform(choice = choiceOf(process.env)): Promise<Platform> {
	const notes: string[] = []
	const attempt = <T>(fast: () => T, instead: string): T | undefined => {
		if (choice === 'portable') return undefined
		try {
			return fast()
		} catch (error) {
			if (choice === 'linux') throw error
			const note = noteOf(error, instead)
			if (!notes.includes(note)) notes.push(note)
			return undefined
		}
	}
	const c = attempt(libc, 'portable UDP and crypto')
	const sodium = c && attempt(openSodium, 'portable crypto, a tenth as fast')
	return {
		name: c === undefined ? 'portable' : 'linux',
		box: sodium ?? await portableBox(notes),
		random: makeEntropy(),
		clock: now,
		openUdp: async (options) => await patiently(options.port, async () => {
			const udp = c && attempt(() => openFast(options), 'portable UDP')
			if (udp instanceof Error) throw udp
			return udp ?? await openPortableUdp(options)
		}),
		memory: c === undefined ? PLAIN_MEMORY : { allocate, release },
		notes,
	}
}

/** CURVEGATE_PLATFORM=portable: for comparing, and should the fast path ever be the trouble. */
function choiceOf(environment: NodeJS.ProcessEnv): PlatformChoice {
	const choice = environment['CURVEGATE_PLATFORM'] ?? ''
	if (choice === '') return 'auto'
	const known = CHOICES.find((one) => one === choice)
	if (known !== undefined) return known
	throw new Usage(`CURVEGATE_PLATFORM '${choice}': expected ${CHOICES.join(', ')}`)
}

async function portableBox(notes: string[]): Promise<Box> {
	const { makeTweetnacl } = await import('../crypto/tweetnacl.ts')
	const agree = nodeAgree()
	if (agree === undefined) notes.push('no X25519 in this Node: handshakes are 12 times as slow')
	return makeTweetnacl(agree)
}

/** A port that we gave back ourselves is soon free. */
async function patiently<T>(port: number, open: () => Promise<T>): Promise<T> {
	for (const began = now(); ;) {
		try {
			return await open()
		} catch (error) {
			const isTaken = codeOf(error) === 'EADDRINUSE' && wasOurs(port)
			if (!isTaken || now() - began >= LETTING_GO) throw error
			await pause(1)
		}
	}
}

/** An address that cannot be bound is so for both platforms: returned, not tried again. */
function openFast(options: UdpOptions): Udp | Trouble {
	try {
		return openLinuxUdp(options)
	} catch (error) {
		if (error instanceof Trouble && error.message.startsWith('unable to bind')) return error
		throw error
	}
}

function noteOf(error: unknown, instead: string): string {
	return `${error instanceof Trouble ? error.message : causeOf(error)}; going on with ${instead}`
}
